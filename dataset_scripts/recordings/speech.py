# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Utterances found by their sound: voice activity, then Whisper's sentences, window by window."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from modeling_amess.clip_amess import (
    SPEECH_RATE,
    MediaLimits,
    NoMediaStreamError,
    SpeechRecognizer,
    Transcript,
    UnreadableMediaError,
    Waveform,
    Word,
)
from modeling_amess.media_amess import decode_clip

from .segments import RecordingError, Segment, Turn, speaker_between


# Seconds of sound that are in memory at a time.
_WINDOW = 60.0
# Speech that ends this close to the end of a window may go on in the next one.
_UNSURE_END = 1.0
# Seconds of silence between two utterances.
_PAUSE = 0.5
# Whisper hears no more at a time; an utterance is cut at a silence before.
_LONGEST = 28.0
# The ends of sentences, those of Chinese and Japanese too.
_SENTENCE_ENDS = (".", "?", "!", "\u2026", "\u3002", "\uff1f", "\uff01")


@dataclass(frozen=True)
class SpeechWindow:
    """What was found in one window of a recording.

    Attributes:
        segments: Utterances, in order.
        position: Seconds at which the next window begins; `None` after the last one.
    """

    segments: list[Segment]
    position: float | None


def speech_windows(
    recording: str | Path,
    recognizer: SpeechRecognizer,
    limits: MediaLimits,
    turns: Sequence[Turn] = (),
    position: float | None = 0.0,
    duration: float | None = None,
) -> Iterator[SpeechWindow]:
    """Find the utterances of a recording by its sound.

    The memory does not depend on the recording's length, and the windows after a position depend on nothing before.

    Args:
        recording: File with sound.
        recognizer: Speech recogniser.
        limits: Limits on what an utterance may cost; none is longer than `max_duration`.
        turns: Times of speakers, which part utterances too.
        position: Seconds at which to begin, from an earlier window.
        duration: Seconds of the recording, if they are known.

    Raises:
        RecordingError: The recording has no sound.
        MediaError: It cannot be decoded.
    """
    whole = replace(limits, max_duration=_WINDOW)
    longest = min(_LONGEST, limits.max_duration)
    while position is not None:
        samples = _sound(recording, position, whole)
        goes_on = len(samples) >= (_WINDOW - 0.5) * SPEECH_RATE or (duration or 0.0) > position + _WINDOW
        spans = recognizer.speech(samples, longest=longest, pause=_PAUSE)
        next_position = position + _WINDOW - _UNSURE_END if goes_on else None
        if goes_on:
            cut = [start for start, end in spans if end > _WINDOW - _UNSURE_END and start > 0]
            if cut:
                next_position = position + cut[0]
                spans = [(start, end) for start, end in spans if start < cut[0]]
        segments = []
        for start, end in spans:
            heard = recognizer.transcribe(samples[round(start * SPEECH_RATE) : round(end * SPEECH_RATE)])
            segments += _utterances(heard, position + start, position + end, turns, longest)
        yield SpeechWindow(segments, next_position)
        position = next_position


def speech_segments(
    recording: str | Path, recognizer: SpeechRecognizer, limits: MediaLimits, turns: Sequence[Turn] = ()
) -> list[Segment]:
    """All utterances of a recording, as `speech_windows` finds them."""
    return [one for window in speech_windows(recording, recognizer, limits, turns) for one in window.segments]


def _sound(recording: str | Path, position: float, limits: MediaLimits) -> Waveform:
    """Sound `(samples,)` of one window, shorter or empty at the end of the recording."""
    import numpy as np  # here, because commands show their help without it

    span = (position, position + _WINDOW)
    try:
        clip = decode_clip(recording, video=False, sampling_rate=SPEECH_RATE, limits=limits, span=span)
    except NoMediaStreamError as error:
        raise RecordingError(
            f"{recording} has no sound in which to find speech. Give a transcript with times."
        ) from error
    except UnreadableMediaError:
        if not position:
            raise
        return np.zeros(0, dtype=np.float32)  # the recording ended with the window before, or pauses
    return np.zeros(0, dtype=np.float32) if clip.waveform is None else clip.waveform


def _utterances(heard: Transcript, start: float, end: float, turns: Sequence[Turn], longest: float) -> list[Segment]:
    """Part a stretch of speech into utterances: at Whisper's sentences, and where another speaker begins.

    Args:
        heard: What Whisper heard in it.
        start: Seconds of the recording at which the stretch begins.
        end: Seconds at which it ends.
        turns: Times of speakers.
        longest: Seconds of an utterance.
    """
    groups: list[tuple[str | None, list[Word]]] = []
    for phrase in heard.phrases:
        begins = True
        for word in phrase:
            speaker = speaker_between(start + word.start, start + word.end, turns)
            if speaker is None and groups:  # between two turns
                speaker = groups[-1][0]
            last = groups[-1] if groups else None
            is_new = (
                last is None
                or last[0] != speaker
                or (begins and last[1][-1].text.endswith(_SENTENCE_ENDS))
                or word.end - last[1][0].start > longest
            )
            if is_new or last is None:
                groups.append((speaker, [word]))
            else:
                last[1].append(word)
            begins = False
    segments = []
    for index, (speaker, words) in enumerate(groups):
        # Between two utterances the middle of the pause; at both ends what the voice activity says.
        first = start if index == 0 else start + (groups[index - 1][1][-1].end + words[0].start) / 2
        last_time = end if index == len(groups) - 1 else start + (words[-1].end + groups[index + 1][1][0].start) / 2
        if round(last_time, 3) > round(first, 3):
            text = " ".join(word.text for word in words)
            segments.append(Segment(round(first, 3), round(last_time, 3), text, speaker))
    return segments
