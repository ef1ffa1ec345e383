# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""The streams of a clip on their way from packets to what is kept: sampled frames and one waveform."""

import math

import numpy as np

from .media_limits_amess import MediaLimits, UnreadableMediaError, check_duration, check_pixels, too_much


try:
    import av
    from av.video.reformatter import Interpolation, VideoReformatter

    # Accurate rounding gives the same picture on every processor.
    _INTERPOLATION = Interpolation.BICUBIC | Interpolation.ACCURATE_RND
except ImportError:  # decode_clip says what is missing
    av = None

# Containers round time stamps, WebM to a millisecond: a frame this little before a tick is the frame of the tick.
_TIME_ROUNDING = 0.001
# A pause of the time stamps longer than this is a hole in the sound, not rounding.
_SHORTEST_GAP = 0.1
# Bytes by which the memory for kept frames grows.
_FRAME_ROOM = 2**25
# Frame rate of a stream that neither names one nor has time stamps.
_FALLBACK_FRAME_RATE = 25.0


class Track:
    """One stream on its way through the decoder: its clock and the limits of time."""

    def __init__(self, stream, start: float | None, name: str, limits: MediaLimits):
        self.stream = stream
        self.name = name
        self.limits = limits
        self.start = start
        self.duration = 0.0
        self.complete = False

    def seconds(self, unit) -> float | None:
        """Time of a packet or frame from the start of the clip; `None` where it has no time stamp."""
        pts = unit.pts
        if pts is None or unit.time_base is None:
            return None
        time = float(pts * unit.time_base)
        if self.start is None:
            self.start = time
        return time - self.start

    def check_packet(self, packet) -> None:
        """Decoding what comes too late would be for nothing, so that the packet's own time stamp is checked first."""
        time = self.seconds(packet)
        if time is not None:
            self.check_duration(time)

    def check_duration(self, duration: float) -> None:
        check_duration(duration, f"of {self.stream.type}", self.limits, self.name)


class VideoTrack(Track):
    """Keeps `frame_rate` frames a second, at most `max_frames`, in the one size of them all."""

    def __init__(self, stream, start, name, limits, *, frame_rate, image_size, max_frames):
        super().__init__(stream, start, name, limits)
        self.frame_rate = frame_rate
        self.image_size = image_size
        self.max_frames = max_frames
        rate = stream.average_rate or stream.guessed_rate
        self.frame_duration = 1 / float(rate) if rate else 1 / _FALLBACK_FRAME_RATE
        self.reformatter = VideoReformatter()
        self.orientation: tuple[bool, bool, bool] | None = None
        self.decoded = 0
        self.previous_time = None
        self.next_tick = 0
        self.frames: np.ndarray | None = None  # with room for some more than there are times
        self.times: list[float] = []

    def add(self, frame) -> None:
        self.decoded += 1
        if self.decoded > self.limits.max_decoded_frames:
            raise too_much("max_decoded_frames", f"more than {self.decoded - 1} video frames", self.limits, self.name)
        check_pixels(frame.width, frame.height, self.limits, self.name)
        time = self.seconds(frame)
        if self.previous_time is None:
            time = max(0.0, time or 0.0)
        elif time is None or time <= self.previous_time:
            time = self.previous_time + self.frame_duration
        self.previous_time = time
        shown = float(frame.duration * frame.time_base) if frame.duration and frame.time_base else self.frame_duration
        self.duration = time + shown
        self.check_duration(self.duration)
        # Ticks are counted, not added up, so that no rounding builds up.
        tick = math.floor((time + _TIME_ROUNDING) * self.frame_rate)
        if tick < self.next_tick:
            return
        self.next_tick = tick + 1
        self.keep(self.picture(frame))
        self.times.append(time)
        self.complete = len(self.times) == self.max_frames

    def keep(self, picture: np.ndarray) -> None:
        kept = len(self.times)
        if (kept + 1) * picture.nbytes > self.limits.max_kept_bytes:
            raise too_much("max_kept_bytes", f"{(kept + 1) * picture.nbytes} bytes of frames", self.limits, self.name)
        if self.frames is None:
            self.frames = np.empty((0, *picture.shape), dtype=np.uint8)
        if kept == len(self.frames):
            # Grown in place: a list of frames, stacked at the end, would need the memory twice.
            room = max(1, _FRAME_ROOM // picture.nbytes)
            self.frames.resize((kept + room, *picture.shape), refcheck=False)
        self.frames[kept] = picture

    def picture(self, frame) -> np.ndarray:
        """The frame upright in RGB, resized: `(height, width, 3)` uint8."""
        if self.orientation is None:
            # Once for the track: a frame that has been asked for its side data is freed by the garbage collector only.
            self.orientation = _orientation(frame)
        transposed, flipped_rows, flipped_columns = self.orientation
        if self.image_size is None:
            self.image_size = (frame.width, frame.height) if transposed else (frame.height, frame.width)
        height, width = self.image_size[::-1] if transposed else self.image_size
        resized = self.reformatter.reformat(
            frame, width=width, height=height, format="rgb24", interpolation=_INTERPOLATION, threads=1
        )
        array = resized.to_ndarray()
        if transposed:
            array = array.transpose(1, 0, 2)
        return array[:: -1 if flipped_rows else 1, :: -1 if flipped_columns else 1]

    def result(self) -> tuple[np.ndarray | None, np.ndarray | None]:
        if self.frames is None:
            return None, None
        times = np.asarray(self.times, dtype=np.float64)
        self.frames.resize((len(times), *self.frames.shape[1:]), refcheck=False)
        return self.frames, times


class AudioTrack(Track):
    """Keeps the mean over the channels at `sampling_rate`, with silence where the time stamps leave a hole."""

    def __init__(self, stream, start, name, limits, *, sampling_rate):
        super().__init__(stream, start, name, limits)
        self.sampling_rate = sampling_rate
        self.resampler = None
        self.source_format = None
        self.next_time = 0.0
        self.chunks: list[np.ndarray] = []
        self.samples = 0

    def add(self, frame) -> None:
        if frame.sample_rate > self.limits.max_sampling_rate:
            raise too_much("max_sampling_rate", f"{frame.sample_rate} Hz", self.limits, self.name)
        time = self.seconds(frame)
        gap = 0.0 if time is None else time - self.next_time
        source_format = (frame.format.name, frame.layout.name, frame.sample_rate)
        late = gap > (_SHORTEST_GAP if self.samples else _TIME_ROUNDING)
        if late or source_format != self.source_format:
            self.flush()
            self.source_format = source_format
            # The channels stay apart: the resampler's own mono is louder than their mean. They stay interleaved
            # because PyAV gives access to no more than 8 separate planes.
            self.resampler = av.AudioResampler(format="flt", layout=frame.layout, rate=self.sampling_rate)
        if late:
            self.check_duration(time)
            self.keep(np.zeros(max(0, round(time * self.sampling_rate) - self.samples), dtype=np.float32))
            self.next_time = time
        self.next_time += frame.samples / frame.sample_rate
        frame.pts = None  # the resampler would stretch the sound after the time stamps
        self.resample(frame)

    def resample(self, frame) -> None:
        for resampled in self.resampler.resample(frame):
            channels = resampled.to_ndarray().reshape(resampled.samples, -1)
            self.keep(channels.mean(axis=1))

    def keep(self, chunk: np.ndarray) -> None:
        self.samples += len(chunk)
        self.duration = self.samples / self.sampling_rate
        self.check_duration(self.duration)
        self.chunks.append(chunk)

    def flush(self) -> None:
        if self.resampler is not None:
            self.resample(None)
            self.resampler = None

    def result(self) -> np.ndarray | None:
        self.flush()
        if not self.samples:
            return None
        waveform = np.concatenate(self.chunks)
        if not np.isfinite(waveform).all():
            raise UnreadableMediaError("the sound holds NaN or infinite samples.", self.name)
        return waveform


def _orientation(frame) -> tuple[bool, bool, bool]:
    """How to make a frame upright: rows and columns exchanged, then rows in reverse, then columns in reverse."""
    matrix = frame.side_data.get("DISPLAYMATRIX")
    if matrix is None:
        return False, False, False
    # 3 x 3, row by row: a point (x, y), y downwards, is shown at (a x + c y, b x + d y). Quarter turns only.
    a, b, _, c, d = (int(value) for value in np.frombuffer(bytes(matrix), dtype=np.int32)[:5])
    if abs(b) + abs(c) > abs(a) + abs(d):
        return True, b < 0, c < 0
    return False, d < 0, a < 0
