# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""What a model card says of calibration and of utterances out of scope."""

from __future__ import annotations

from typing import Any

from ..calibration import CALIBRATION_BINS
from ..finished_run import FinishedRun
from ..markdown import listed, percent, table
from .results import CLASS_DECISION, DOC_DECISION, PIPELINE_DECISION


# Figures of utterances out of scope, as papers call them.
_OPEN_INTENT = {"accuracy": "ACC", "f1_in_scope": "F1-IS", "f1_out_of_scope": "F1-OOS", "f1": "F1"}
_OOD_DETECTION = {
    "auroc": "AUROC",
    "aupr_in": "AUPR-in",
    "aupr_out": "AUPR-out",
    "fpr95": "FPR95",
    "eer": "EER",
    "der": "DER",
}
_DECISIONS = {
    CLASS_DECISION: "likeliest label",
    DOC_DECISION: "DOC",
    PIPELINE_DECISION: "pipeline (`out_of_scope_threshold`)",
}


# What training did with utterances out of scope, by the setting `out_of_scope`.
_TRAINING = {
    "class": "In training they are a label of their own",
    "outlier_exposure": "In training their logits are drawn towards the uniform distribution (weight {weight:g})",
    "none": "The model was trained without any such utterance",
}


def calibration_section(run: FinishedRun) -> dict[str, Any]:
    """What the template says of calibration, on the split that results are told of."""
    figures, threshold = run.metrics["calibration"], run.metrics["out_of_scope_threshold"]
    is_models = run.config.get("out_of_scope_threshold") == threshold["value"]
    return {
        "bins": CALIBRATION_BINS,
        "temperature": f"{figures['temperature']:.2f}",
        "scaled_error": percent(figures[run.split]["scaled"]["error"]),
        **{name: percent(figures[run.split][name]) for name in ("error", "confidence", "accuracy")},
        # A threshold that the settings gave was not chosen for anything.
        "threshold": percent(threshold["value"]) if is_models else "",
        "criterion": threshold["criterion"],
    }


def out_of_scope_section(run: FinishedRun) -> dict[str, Any]:
    """What the template says of utterances out of scope, on the split that results are told of."""
    figures, settings = run.metrics["out_of_scope"][run.split], run.settings
    decisions = [
        (_DECISIONS.get(name, f"{name.replace('_', ' ')}, threshold"), *(percent(row[key]) for key in _OPEN_INTENT))
        for name, row in sorted(figures["open_intent"].items(), key=lambda item: item[0] not in _DECISIONS)
    ]
    scores = [
        (name.replace("_", " "), *(percent(row[key]) for key in _OOD_DETECTION))
        for name, row in figures["ood_detection"].items()
    ]
    return {
        "count": figures["out_of_scope"],
        "others": figures["in_scope"],
        "training": _TRAINING[settings["out_of_scope"]].format(weight=settings["outlier_exposure_weight"]),
        "held_out": listed([f"`{name}`" for name in run.metrics["out_of_scope"]["held_out_intents"]] or [""]),
        "criterion": run.metrics["out_of_scope_threshold"]["criterion"],
        "decision_table": table(("decision", *_OPEN_INTENT.values()), decisions),
        "score_table": table(("score", *_OOD_DETECTION.values()), scores),
    }
