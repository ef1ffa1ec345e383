# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""The models that a run can train: A-MESS and its baselines, under one forward contract (the batch of `AmessProcessor`
in, `loss` and `logits` out), two more methods, `from_text_pretrained` and `new_parameter_names`, and `classifier`, the
last linear layer, whose input is what out-of-scope scores compare.

Importing this package registers the baselines, so that `AutoModelForSequenceClassification` loads their run folders.
"""

from transformers import AutoConfig, AutoModelForSequenceClassification

from modeling_amess import AmessConfig, AmessForIntentClassification

from .cagc import CagcConfig, CagcForIntentClassification
from .mag_bert import MagBertConfig, MagBertForIntentClassification
from .mean_fusion import MeanFusionConfig, MeanFusionForIntentClassification
from .mult import MultConfig, MultForIntentClassification
from .tcl_map import TclMapConfig, TclMapForIntentClassification
from .text_only import TextOnlyConfig, TextOnlyForIntentClassification


# name of --model -> its config and model classes
MODELS = {
    "amess": (AmessConfig, AmessForIntentClassification),
    "text_only": (TextOnlyConfig, TextOnlyForIntentClassification),
    "mean_fusion": (MeanFusionConfig, MeanFusionForIntentClassification),
    "mag_bert": (MagBertConfig, MagBertForIntentClassification),
    "mult": (MultConfig, MultForIntentClassification),
    "tcl_map": (TclMapConfig, TclMapForIntentClassification),
    "cagc": (CagcConfig, CagcForIntentClassification),
}

for _name, (_config_class, _model_class) in MODELS.items():
    if _name == "amess":  # registered by its own package
        continue
    AutoConfig.register(_config_class.model_type, _config_class, exist_ok=True)
    AutoModelForSequenceClassification.register(_config_class, _model_class, exist_ok=True)

__all__ = [
    "MODELS",
    "CagcConfig",
    "CagcForIntentClassification",
    "MagBertConfig",
    "MagBertForIntentClassification",
    "MeanFusionConfig",
    "MeanFusionForIntentClassification",
    "MultConfig",
    "MultForIntentClassification",
    "TclMapConfig",
    "TclMapForIntentClassification",
    "TextOnlyConfig",
    "TextOnlyForIntentClassification",
]
