# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Semantic synchronization (eq. 15) and the joint objective (eq. 17)."""

import math

import pytest
import torch

from modeling_amess.descriptions_amess import description_similarity, semantic_synchronization_loss

from .tiny import DESCRIPTIONS, tiny_batch, tiny_config, tiny_model


MASK = torch.tensor([[1, 1, 1], [1, 1, 1], [1, 1, 0], [0, 0, 0]])  # the last label is out of scope


def random_similarity(batch: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(batch, 4, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) * 2 - 1


def test_the_batch_form_is_equation_15_by_hand():
    """Four rows of labels 0, 1, 2, 0: the sums as printed, where rows of the same label are no negatives."""
    similarity = random_similarity(4).requires_grad_()
    labels = [0, 1, 2, 0]
    tau = 0.7

    def total(row: int, label: int) -> float:
        return sum(math.exp(similarity[row, label, j].item() / tau) for j in range(3) if MASK[label, j])

    rows = []
    for row in range(4):
        negatives = sum(total(row, labels[k]) for k in range(4) if k != row and labels[k] != labels[row])
        rows.append(-math.log(total(row, labels[row]) / negatives))
    loss = semantic_synchronization_loss(similarity, MASK, torch.tensor(labels), tau, "batch")
    assert loss.item() == pytest.approx(sum(rows) / 4, rel=1e-12)


def test_the_class_form_is_info_nce_over_all_described_labels():
    similarity = random_similarity(2)
    tau = 0.5
    rows = []
    for row, label in enumerate((2, 1)):
        totals = [
            sum(math.exp(similarity[row, other, j].item() / tau) for j in range(3) if MASK[other, j])
            for other in range(3)
        ]
        rows.append(-math.log(totals[label] / sum(totals)))
    loss = semantic_synchronization_loss(similarity, MASK, torch.tensor([2, 1]), tau, "classes")
    assert loss.item() == pytest.approx(sum(rows) / 2, rel=1e-12)


@pytest.mark.parametrize("form", ["classes", "batch"])
def test_out_of_scope_rows_add_nothing(form):
    similarity = random_similarity(5)
    labels = torch.tensor([0, 3, 1, 3, 2])
    known = labels != 3
    loss = semantic_synchronization_loss(similarity, MASK, labels, 0.7, form)
    assert loss == semantic_synchronization_loss(similarity[known], MASK, labels[known], 0.7, form)


@pytest.mark.parametrize("form", ["classes", "batch"])
def test_a_batch_without_described_labels_has_a_loss_and_gradient_of_zero(form):
    similarity = random_similarity(3).requires_grad_()
    loss = semantic_synchronization_loss(similarity, MASK, torch.tensor([3, 3, 3]), 0.7, form)
    loss.backward()
    assert loss.item() == 0
    assert similarity.grad.abs().sum() == 0


def test_a_batch_of_one_label_has_no_negatives_in_the_batch_form():
    similarity = random_similarity(2).requires_grad_()
    loss = semantic_synchronization_loss(similarity, MASK, torch.tensor([1, 1]), 0.7, "batch")
    loss.backward()
    assert loss.item() == 0
    assert torch.isfinite(similarity.grad).all()


@pytest.mark.parametrize("form", ["classes", "batch"])
def test_the_order_of_a_batch_does_not_matter(form):
    similarity = random_similarity(5)
    labels = torch.tensor([0, 3, 1, 0, 2])
    order = torch.tensor([4, 2, 0, 1, 3])
    loss = semantic_synchronization_loss(similarity, MASK, labels, 0.7, form)
    moved = semantic_synchronization_loss(similarity[order], MASK, labels[order], 0.7, form)
    assert loss.item() == pytest.approx(moved.item(), rel=1e-12)


def test_the_class_form_stays_within_the_bounds_that_cosines_allow():
    """With cosines in [-1, 1] and C labels the loss lies between -log(1/(1+(C-1)e^(-2/tau))) and its mirror."""
    tau, labels = 0.7, torch.tensor([0])
    mask = torch.ones(20, 3)
    best = torch.full((1, 20, 3), -1.0)
    best[:, 0] = 1
    floor = math.log(1 + 19 * math.exp(-2 / tau))
    assert semantic_synchronization_loss(best, mask, labels, tau).item() == pytest.approx(floor, rel=1e-5)
    ceiling = math.log(1 + 19 * math.exp(2 / tau))
    assert semantic_synchronization_loss(-best, mask, labels, tau).item() == pytest.approx(ceiling, rel=1e-5)


def test_similarity_is_a_cosine_in_float32_under_autocast():
    with torch.autocast("cpu", dtype=torch.bfloat16):
        similarity = description_similarity(torch.randn(2, 8, dtype=torch.bfloat16), torch.randn(3, 2, 8))
    assert similarity.dtype == torch.float32
    assert similarity.abs().max() <= 1 + 1e-6


def test_an_unknown_form_is_refused():
    with pytest.raises(ValueError, match="contrastive_form='triplet'"):
        semantic_synchronization_loss(random_similarity(1), MASK, torch.tensor([0]), 0.7, "triplet")


@pytest.mark.parametrize("weight", [0.0, 1.0, 0.3])
def test_the_loss_is_the_weighted_sum_of_equation_17(weight):
    model = tiny_model(contrastive_weight=weight)
    with torch.no_grad():
        output = model(**tiny_batch(), labels=torch.tensor([0, 1, 2, 3]))
    expected = output.classification_loss + weight * output.contrastive_loss
    torch.testing.assert_close(output.loss, expected)
    torch.testing.assert_close(
        output.classification_loss, torch.nn.functional.cross_entropy(output.logits, torch.tensor([0, 1, 2, 3]))
    )


def test_without_semantic_synchronization_there_is_only_the_cross_entropy():
    model = tiny_model(use_semantic_synchronization=False)
    output = model(**tiny_batch(), labels=torch.tensor([0, 1, 2, 3]))
    assert output.contrastive_loss is None and output.semantic_embedding is None
    assert output.loss is output.classification_loss
    assert not any("semantic" in name or "description" in name for name in model.state_dict())


def test_training_without_descriptions_is_refused_with_the_remedy():
    from modeling_amess import AmessForIntentClassification

    model = AmessForIntentClassification(tiny_config())
    with pytest.raises(ValueError, match="set_label_descriptions"):
        model(**tiny_batch(), labels=torch.tensor([0, 1, 2, 3]))


def test_semantic_logits_add_the_scaled_mean_similarity():
    model = tiny_model(semantic_logits=True)
    batch = tiny_batch()
    with torch.no_grad():
        with_similarity = model(**batch)
        model.semantic_scale.zero_()
        without = model(**batch)
    difference = with_similarity.logits - without.logits
    torch.testing.assert_close(difference, 10 * with_similarity.description_similarity)
    assert (with_similarity.description_similarity[:, 3] == 0).all(), "the out-of-scope label has no descriptions"


def test_a_semantic_residual_starts_at_the_pooled_hidden_states():
    model = tiny_model(semantic_residual=True)
    batch = tiny_batch()
    with torch.no_grad():
        output = model.amess(**batch)
    torch.testing.assert_close(output.semantic_embedding, output.pooler_output)


def test_training_pulls_an_utterance_to_its_descriptions():
    model = tiny_model().train()
    batch, labels = tiny_batch(), torch.tensor([0, 1, 2, 0])
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    before = model.eval()(**batch).description_similarity.detach().gather(1, labels[:, None]).mean()
    model.train()
    for _ in range(60):
        optimizer.zero_grad()
        model(**batch, labels=labels).loss.backward()
        optimizer.step()
    after = model.eval()(**batch).description_similarity.detach().gather(1, labels[:, None]).mean()
    assert after > before + 0.2


@pytest.mark.parametrize(
    ("descriptions", "message"),
    [
        ({**DESCRIPTIONS, "Thanks": ["x"]}, "unknown: \\['Thanks'\\]"),
        ({"Thank": ["x"]}, "missing: \\['Joke', 'Taunt'\\]"),
        ({**DESCRIPTIONS, "UNK": ["x"]}, "unknown: \\['UNK'\\]"),
        ({**DESCRIPTIONS, "Joke": []}, "\\['Joke'\\]"),
        ({**DESCRIPTIONS, "Joke": "to joke"}, "\\['Joke'\\]"),
    ],
)
def test_descriptions_that_do_not_fit_the_labels_are_refused(descriptions, message):
    model = tiny_model()
    with pytest.raises(ValueError, match=message):
        model.set_label_descriptions(descriptions, embeddings=torch.zeros(4, 3, 32))


def test_description_embeddings_of_another_size_are_refused():
    model = tiny_model()

    class Wrong:
        def encode(self, texts):
            return torch.zeros(len(texts), 7)

    with pytest.raises(ValueError, match="description_size is 32"):
        model.set_label_descriptions(DESCRIPTIONS, encoder=Wrong())
    with pytest.raises(ValueError, match=r"need \(4, 2, 32\)"):
        model.set_label_descriptions(DESCRIPTIONS, embeddings=torch.zeros(4, 3, 32))
    with pytest.raises(ValueError, match="exactly one"):
        model.set_label_descriptions(DESCRIPTIONS)


def test_the_template_is_what_gets_embedded():
    seen = []

    class Recorder:
        def encode(self, texts):
            seen.extend(texts)
            return torch.ones(len(texts), 32)

    tiny_model(description_template="{label} means: {description}").set_label_descriptions(
        DESCRIPTIONS, encoder=Recorder()
    )
    assert seen[0] == "Thank means: To express gratitude." and len(seen) == 5
