# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""How often intervals hold the truth, and how often a test finds a difference where there is none.

A simulated test split has 445 utterances of 20 intents, some frequent and some rare. An answer is right or wrong by
the difficulty of the utterance, the skill of the seed, and chance; the accuracy is 72 %. Two models that are equally
good find the same utterances difficult (correlation 1) or partly others (0.7). Their true metrics are known, so the
script counts how often the 95 % interval of one model's metric holds the truth, and how often the two models differ
"significantly" at 5 %. A third number, the power, is the share of differences found that are there: the second
model is 3 points better.

    python -m benchmarks.significance
    python -m benchmarks.significance --simulations 4000 --seeds 2 3 5 10
"""

from __future__ import annotations


if __name__ == "__main__":
    # First, so that Ctrl-C and a missing package are answered in words while the imports below run, too.
    from dataset_scripts.errors import run_command

    run_command("benchmarks.significance:main", "Interrupted. There is no result. The same command starts again.")


import argparse
import itertools
from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

from training.significance import Answers


NUM_UTTERANCES = 445
NUM_LABELS = 20
ACCURACY = 0.72
# Weight of an utterance's difficulty beside chance, which has weight 1.
DIFFICULTY = 2.0
SHARES = np.geomspace(0.13, 0.02, NUM_LABELS) / np.geomspace(0.13, 0.02, NUM_LABELS).sum()
METRICS = ("accuracy", "macro_f1")


@dataclass(frozen=True)
class World:
    """A world of two equally good models.

    Attributes:
        num_seeds: Seeds of each model.
        deviation: Standard deviation of the seeds' true accuracies, in points.
        correlation: Correlation of the two models' difficulties.
    """

    num_seeds: int
    deviation: float
    correlation: float


@dataclass(frozen=True)
class Rates:
    """Shares of simulations, in percent, by metric.

    Attributes:
        coverage: Intervals of one model that hold its true metric.
        false_alarms: Comparisons of two equally good models that differ at a level of 5 %.
        power: Comparisons with a model that is 3 points better that differ at a level of 5 %.
    """

    coverage: dict[str, float]
    false_alarms: dict[str, float]
    power: dict[str, float]


def simulate(world: World, simulations: int, seed: int = 0, gain: float = 3.0) -> Rates:
    """Simulate test splits and the answers of three models: two that are equally good, and a better one.

    Args:
        world: What the models are like.
        simulations: Number of test splits.
        seed: Seed of the simulation.
        gain: Points of accuracy by which the third model is better.
    """
    random = np.random.default_rng(seed)
    spread = np.sqrt(1 + DIFFICULTY**2)
    # Points of accuracy per unit of skill, at the mean accuracy.
    points = 100 * norm.pdf(norm.ppf(ACCURACY)) / spread
    effect = world.deviation / points
    skill = norm.ppf(ACCURACY) * np.sqrt(spread**2 + effect**2)
    truth = true_metrics(skill, effect)
    held = dict.fromkeys(METRICS, 0)
    alarms, found = dict(held), dict(held)
    for _ in range(simulations):
        labels = random.choice(NUM_LABELS, size=NUM_UTTERANCES, p=SHARES)
        difficulty = random.normal(size=NUM_UTTERANCES)
        other = random.normal(size=NUM_UTTERANCES)
        other = world.correlation * difficulty + np.sqrt(1 - world.correlation**2) * other
        models = [
            _answers(random, labels, skill + better / points + DIFFICULTY * hard, effect, world.num_seeds)
            for better, hard in ((0, difficulty), (0, other), (gain, other))
        ]
        for name in METRICS:
            means = [model.pseudo_values[name].mean() for model in models]
            low, high = models[0].interval(name, means[0])
            held[name] += low <= truth[name] <= high
            for count, index in ((alarms, 1), (found, 2)):
                comparison = models[0].compare(models[index], name, means[index] - means[0])
                count[name] += comparison.p_value < 0.05
    shares = [{name: 100 * count / simulations for name, count in counts.items()} for counts in (held, alarms, found)]
    return Rates(*shares)


def true_metrics(skill: float, effect: float) -> dict[str, float]:
    """Compute the expected accuracy and macro F1 of a random seed on infinitely many utterances."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(41)
    accuracy = norm.cdf((skill + effect * nodes) / np.sqrt(1 + DIFFICULTY**2))[:, None]
    others = (SHARES.sum() - SHARES) / (NUM_LABELS - 1)
    answered = accuracy * SHARES + (1 - accuracy) * others
    f1 = 2 * accuracy * SHARES / (SHARES + answered)
    weights = weights / weights.sum()
    return {"accuracy": float(weights @ accuracy[:, 0]), "macro_f1": float(weights @ f1.mean(1))}


def _answers(
    random: np.random.Generator, labels: np.ndarray, ease: np.ndarray, effect: float, num_seeds: int
) -> Answers:
    shape = (num_seeds, NUM_UTTERANCES)
    right = ease + effect * random.normal(size=(num_seeds, 1)) + random.normal(size=shape) > 0
    # Half of the wrong answers are the utterance's favourite mistake, the same for every seed.
    favourite = random.integers(1, NUM_LABELS, size=NUM_UTTERANCES)
    mistake = np.where(random.random(shape) < 0.5, favourite, random.integers(1, NUM_LABELS, size=shape))
    # A wrong answer is any other label with the same probability.
    return Answers(labels, np.where(right, labels, (labels + mistake) % NUM_LABELS), NUM_LABELS)


def main() -> None:
    """Run the script."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--simulations", type=int, default=1000, help="test splits per line of the table")
    parser.add_argument("--seeds", type=int, nargs="+", default=[3, 5], help="numbers of seeds")
    arguments = parser.parse_args()
    print("| seeds | their deviation | correlation | coverage, ACC | F1 | type I, ACC | F1 | power, ACC | F1 |")
    print("|" + "---|" * 9)
    for number, correlation, deviation in itertools.product(arguments.seeds, (1.0, 0.7), (0.0, 1.0, 2.0, 4.0)):
        rates = simulate(World(number, deviation, correlation), arguments.simulations)
        cells = [f"{part[name]:.1f}" for part in (rates.coverage, rates.false_alarms, rates.power) for name in METRICS]
        print("| " + " | ".join([str(number), f"{deviation:g}", f"{correlation:g}", *cells]) + " |", flush=True)
