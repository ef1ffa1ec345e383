# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Parts of a tiny pipeline: an A-MESS with its media encoder, and the processor for it."""

from modeling_amess import AmessForIntentClassification, AmessProcessor

from .tiny import tiny_clip_model, tiny_media_encoder, tiny_tokenizer


FRAME_RATE = 5.0
AUDIO_STEP_SECONDS = 80 / 16000


def recognizer_model(**fields) -> AmessForIntentClassification:
    """Model for clips at 5 frames per second, in evaluation mode; `fields` are fields of its config."""
    model = tiny_clip_model(**fields)
    model.attach_media_encoder(tiny_media_encoder(frame_rate=FRAME_RATE))
    return model.eval()


def recognizer_processor() -> AmessProcessor:
    """Processor that keeps 20 frames and 600 audio steps, which are 4 and 3 seconds."""
    return AmessProcessor(
        tiny_tokenizer(),
        video_feature_size=16,
        audio_feature_size=12,
        max_text_length=12,
        max_video_length=20,
        max_audio_length=600,
        **tiny_media_encoder(frame_rate=FRAME_RATE).record["preprocessing"],
    )
