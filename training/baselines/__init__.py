# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""The baselines that A-MESS is compared with, one file per model.

Importing this package registers the baselines, so that `AutoModelForSequenceClassification` loads their run folders.
"""

from transformers import AutoConfig, AutoModelForSequenceClassification

from ..models import BASELINES, MODELS


for _name in BASELINES:
    _config_class, _model_class = MODELS[_name].config_class, MODELS[_name].model_class
    AutoConfig.register(_config_class.model_type, _config_class, exist_ok=True)
    AutoModelForSequenceClassification.register(_config_class, _model_class, exist_ok=True)

__all__ = ["BASELINES", "MODELS"]
