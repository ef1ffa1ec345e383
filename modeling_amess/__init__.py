# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""A-MESS for Hugging Face: recognise the intent behind an utterance from text, video and audio.

Importing this package registers its classes, so that `AutoModel.from_pretrained` and its siblings load A-MESS
checkpoints without `trust_remote_code`.
"""

from transformers import AutoConfig, AutoModel, AutoModelForSequenceClassification, AutoProcessor
from transformers.pipelines import PIPELINE_REGISTRY

from .configuration_amess import AmessConfig, AmessMediaEncoderConfig, __version__
from .media_encoder_amess import AmessMediaEncoder
from .modeling_amess import AmessForIntentClassification, AmessModel, AmessPreTrainedModel
from .pipeline_amess import IntentRecognitionPipeline
from .processing_amess import AmessProcessor


# `exist_ok`: a second import, such as a reload in a notebook, is harmless.
AutoConfig.register("amess", AmessConfig, exist_ok=True)
AutoConfig.register("amess_media_encoder", AmessMediaEncoderConfig, exist_ok=True)
AutoModel.register(AmessConfig, AmessModel, exist_ok=True)
AutoModel.register(AmessMediaEncoderConfig, AmessMediaEncoder, exist_ok=True)
AutoModelForSequenceClassification.register(AmessConfig, AmessForIntentClassification, exist_ok=True)
AutoProcessor.register(AmessConfig, AmessProcessor, exist_ok=True)
if "multimodal-intent-recognition" not in PIPELINE_REGISTRY.get_supported_tasks():
    PIPELINE_REGISTRY.register_pipeline(
        "multimodal-intent-recognition",
        pipeline_class=IntentRecognitionPipeline,
        pt_model=AutoModelForSequenceClassification,
        type="multimodal",
    )

__all__ = [
    "AmessConfig",
    "AmessForIntentClassification",
    "AmessMediaEncoder",
    "AmessMediaEncoderConfig",
    "AmessModel",
    "AmessPreTrainedModel",
    "AmessProcessor",
    "IntentRecognitionPipeline",
    "__version__",
]
