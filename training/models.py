# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""The models that a run can train: one entry per model, from which every list of models is derived.

This module imports a model's classes only when they are used, so that `--help` needs neither torch nor transformers.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias, cast


if TYPE_CHECKING:
    from modeling_amess import AmessForIntentClassification

    from .baselines.base import BaselinePreTrainedModel

    # The contract between models and trainer, which mypy checks for both: a batch of `AmessProcessor` in, `loss` and
    # `logits` out; `from_text_pretrained`, `new_parameter_names`; and `classifier`, the last linear layer.
    TrainableClassifier: TypeAlias = AmessForIntentClassification | BaselinePreTrainedModel


@dataclass(frozen=True)
class TrainableModel:
    """What the project knows of a model that a run can train.

    Attributes:
        name: Value of `--model`.
        module: Module that defines the two classes, `<prefix>Config` and `<prefix>ForIntentClassification`.
        prefix: First part of the names of both classes.
        title: Name in the table of methods; `None` for a model that has no line there.
        preset: Preset in `training/configs/` with the settings published with the model, if there are any.
        in_pipeline: Whether the pipeline and the Hub take the model. Its config then holds the out-of-scope
            threshold, and its checkpoint may hold the media encoder and then takes clips.
    """

    name: str
    module: str
    prefix: str
    title: str | None = None
    preset: str | None = None
    in_pipeline: bool = False

    @property
    def config_class(self) -> type[Any]:
        """Configuration class, imported when it is first used."""
        return self._load("Config")

    @property
    def model_class(self) -> type[TrainableClassifier]:
        """Model class, imported when it is first used."""
        return self._load("ForIntentClassification")

    def _load(self, suffix: str) -> type[Any]:
        return cast("type[Any]", getattr(importlib.import_module(self.module), self.prefix + suffix))


_BASELINES = "training.baselines"
MODELS = {
    model.name: model
    for model in (
        TrainableModel("amess", "modeling_amess", "Amess", "A-MESS", in_pipeline=True),
        TrainableModel("text_only", f"{_BASELINES}.text_only", "TextOnly", "text-only"),
        TrainableModel("mean_fusion", f"{_BASELINES}.mean_fusion", "MeanFusion"),
        TrainableModel("mag_bert", f"{_BASELINES}.mag_bert", "MagBert", "MAG-BERT", "mintrec_mag_bert"),
        TrainableModel("mult", f"{_BASELINES}.mult", "Mult", "MulT", "mintrec_mult"),
        TrainableModel("tcl_map", f"{_BASELINES}.tcl_map", "TclMap", "TCL-MAP", "mintrec_tcl_map"),
        TrainableModel("cagc", f"{_BASELINES}.cagc", "Cagc", "CAGC (unofficial)", "mintrec_cagc"),
    )
}
BASELINES = tuple(name for name, model in MODELS.items() if not model.in_pipeline)
