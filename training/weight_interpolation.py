# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""
A model between what training started from and what it ended with (WiSE-FT, Wortsman et al., 2022, arXiv 2109.01903).

Fine-tuning moves the text encoder away from the descriptions' space in every direction that its labels do not hold; a
part of the way back keeps most of what was learned and much of what was known about other intents.
"""

from __future__ import annotations

from pathlib import Path

import torch
import yaml
from accelerate.utils import set_seed
from transformers import PreTrainedModel

from training.arguments import TrainingSettings
from training.baselines import MODELS
from training.feature_source import feature_source
from training.finished_run import read_run
from training.model_setup import create_model, quiet_transformers
from training.run_folder import MODEL_FOLDER, SETTINGS_FILE


def interpolated_model(folder: str | Path, share: float) -> PreTrainedModel:
    """
    The model of a finished run with every weight at `start + share * (end - start)`, in eval mode.

    Args:
        folder: the run folder; its settings and seed give the very weights that training started from.
        share: 0 is the start, 1 what was trained.

    Raises:
        UnfinishedRunError: the folder is not of a finished run.
        SettingsError, TextModelError: what training started from cannot be made again.
    """
    folder = Path(folder)
    read_run(folder)
    settings = TrainingSettings(**yaml.safe_load((folder / SETTINGS_FILE).read_text(encoding="utf-8")))
    with quiet_transformers():
        model = MODELS[settings.model][1].from_pretrained(folder / MODEL_FOLDER).eval()
    if share == 1:
        return model
    config = model.config
    sizes = {name: getattr(config, name, None) for name in ("video_feature_size", "audio_feature_size")}
    set_seed(settings.seed)  # as training does right before it makes the model
    names = [config.id2label[index] for index in range(config.num_labels)]
    start = create_model(settings, names, sizes, feature_source(settings)).state_dict()
    with torch.no_grad():
        for name, value in model.state_dict().items():
            # An attached media encoder was never trained, and is not part of the start.
            if name in start and value.is_floating_point():
                value.lerp_(start[name].to(value), 1 - share)
    return model
