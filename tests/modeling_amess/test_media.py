# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""decode_clip gives the frames and the sound that were put into a clip, at the times at which they were put there."""

import io
import subprocess
import sys
import wave

import av
import numpy as np
import pytest

import modeling_amess
from modeling_amess.clip_amess import MediaLimitError, MediaLimits, NoMediaStreamError, UnreadableMediaError
from modeling_amess.media_amess import decode_clip

from .clips import AUDIO_CODECS, COLOURS, VIDEO_CODECS, colour_at, tone, upright_picture, write_clip


def assert_colours(frames: np.ndarray, times: np.ndarray) -> None:
    """Every frame has the one colour of its time, up to what the codec and the colour space lose."""
    expected = np.array([colour_at(time) for time in times])[:, None, None]
    assert np.abs(frames.astype(int) - expected).max() <= 8


def sine_amplitude(waveform: np.ndarray, sampling_rate: int, frequency: float = 440.0) -> float:
    """Amplitude of one frequency, without the first and the last eighth, where codecs ring."""
    edge = len(waveform) // 8
    part = waveform[edge : len(waveform) - edge]
    time = np.arange(len(part)) / sampling_rate
    window = np.hanning(len(part))
    return float(2 * abs(np.sum(part * window * np.exp(-2j * np.pi * frequency * time))) / window.sum())


@pytest.mark.parametrize("suffix", sorted(VIDEO_CODECS))
def test_frames_and_sound_of_any_container(tmp_path, suffix):
    # The tone is 0.5 loud on the left and 0.25 on the right.
    clip = decode_clip(write_clip(tmp_path / f"clip{suffix}"))
    assert clip.frames.dtype == np.uint8 and clip.frames.shape[1:] == (48, 64, 3)
    assert len(clip.frames) in (12, 13)
    assert np.abs(clip.frame_times[:12] - np.arange(12) / 6).max() <= 0.035
    assert_colours(clip.frames, clip.frame_times)
    assert clip.waveform.dtype == np.float32 and clip.waveform.ndim == 1 and clip.sampling_rate == 16000
    assert sine_amplitude(clip.waveform, 16000) == pytest.approx(0.375, abs=0.02)
    assert sine_amplitude(clip.waveform, 16000, 880.0) < 0.01
    assert clip.duration == pytest.approx(2.0, abs=0.05)
    assert clip.duration >= len(clip.waveform) / 16000


@pytest.mark.parametrize("suffix", sorted(set(AUDIO_CODECS) - set(VIDEO_CODECS)))
def test_sound_files_are_clips_without_frames(tmp_path, suffix):
    clip = decode_clip(write_clip(tmp_path / f"clip{suffix}", video=False))
    assert clip.frames is None and clip.frame_times is None
    assert sine_amplitude(clip.waveform, 16000) == pytest.approx(0.375, abs=0.02)
    assert clip.duration == len(clip.waveform) / 16000 == pytest.approx(2.0, abs=0.05)


def test_a_clip_without_sound_and_a_clip_without_picture(tmp_path):
    silent = decode_clip(write_clip(tmp_path / "silent.mp4", audio=False))
    assert len(silent.frames) == 12 and silent.waveform is None and silent.duration == pytest.approx(2.0)
    unseen = decode_clip(write_clip(tmp_path / "unseen.mp4", video=False))
    assert unseen.frames is None and len(unseen.waveform) == pytest.approx(32000, abs=800)


def test_path_bytes_and_file_object_are_the_same_clip(tmp_path):
    path = write_clip(tmp_path / "clip.mp4")
    clip = decode_clip(path)
    with open(path, "rb") as file:
        file.seek(100)  # wherever it stands: the clip is the whole file
        sources = [
            str(path),
            path.read_bytes(),
            memoryview(path.read_bytes()),
            file,
            io.BytesIO(path.read_bytes()),
            file,
        ]
        for source in sources:
            other = decode_clip(source)
            np.testing.assert_array_equal(other.frames, clip.frames)
            np.testing.assert_array_equal(other.waveform, clip.waveform)
        assert not file.closed


def test_the_name_of_a_file_does_not_matter(tmp_path):
    path = write_clip(tmp_path / "clip.webm", seconds=0.5)
    renamed = path.rename(tmp_path / "clip.mp3")
    assert len(decode_clip(renamed).frames) == 3


@pytest.mark.parametrize("frame_rate", [1, 2.5, 6, 7, 10, 30, 1000])
@pytest.mark.parametrize("suffix", [".mp4", ".webm"])
def test_the_frame_kept_is_the_first_at_or_after_each_tick(tmp_path, frame_rate, suffix):
    clip = decode_clip(write_clip(tmp_path / f"clip{suffix}", audio=False), frame_rate=frame_rate)
    # WebM rounds its time stamps to a millisecond.
    shown = np.arange(60) / 30
    ticks = np.arange(np.ceil(2.0 * frame_rate)) / frame_rate
    expected = sorted({int(np.argmax(shown >= tick - 1e-3)) for tick in ticks if tick <= shown[-1] + 1e-3})
    np.testing.assert_allclose(clip.frame_times, shown[expected], atol=0.0006)
    assert_colours(clip.frames, clip.frame_times + 0.001)


@pytest.mark.parametrize("suffix", [".mp4", ".webm", ".mkv"])
def test_variable_frame_rate_is_sampled_by_time(tmp_path, suffix):
    times = [0, 0.02, 0.04, 0.55, 0.6, 0.7, 1.9]
    clip = decode_clip(write_clip(tmp_path / f"clip{suffix}", frame_times=times))
    # Of a pause of 1.2 seconds there is one frame, not seven copies.
    np.testing.assert_allclose(clip.frame_times, [0, 0.55, 0.7, 1.9], atol=0.001)
    assert_colours(clip.frames, clip.frame_times)


def test_frames_are_resized_while_they_are_decoded(tmp_path):
    path = write_clip(tmp_path / "clip.mp4", size=(240, 320), picture=upright_picture)
    whole = decode_clip(path, audio=False).frames
    for image_size, shape in ((32, (32, 32)), ((24, 40), (24, 40)), ((300, 500), (300, 500))):
        frames = decode_clip(path, audio=False, image_size=image_size).frames
        assert frames.shape == (12, *shape, 3)
        for row, column in ((0.25, 0.25), (0.25, 0.75), (0.75, 0.25), (0.75, 0.75)):
            small = frames[0, int(row * shape[0]), int(column * shape[1])].astype(int)
            assert np.abs(small - whole[0, int(row * 240), int(column * 320)]).max() <= 3


def test_max_frames_ends_the_frames_and_not_the_sound(tmp_path):
    clip = decode_clip(write_clip(tmp_path / "clip.mp4"), max_frames=3)
    np.testing.assert_allclose(clip.frame_times, [0, 1 / 6, 2 / 6], atol=1e-6)
    assert len(clip.waveform) == pytest.approx(32000, abs=800)


@pytest.mark.parametrize("rotation", [90, 180, 270])
@pytest.mark.parametrize("image_size", [None, (40, 20)])
def test_rotated_clips_come_upright(tmp_path, rotation, image_size):
    # What a phone does: the sensor's picture lies on its side, and a display matrix says how to turn it back.
    def lying(time, height, width):
        upright = upright_picture(time, *((height, width) if rotation == 180 else (width, height)))
        return np.ascontiguousarray(np.rot90(upright, -rotation // 90))

    path = write_clip(tmp_path / "clip.mp4", size=(48, 64), picture=lying, rotation=rotation, audio=False)
    frames = decode_clip(path, image_size=image_size).frames
    height, width = image_size or ((48, 64) if rotation == 180 else (64, 48))
    assert frames.shape[1:] == (height, width, 3)
    corners = frames[0][[[3], [-4]], [3, -4]].reshape(4, 3).astype(int)
    assert np.abs(corners - list(COLOURS.values())).max() <= 12


def test_a_mirrored_clip_comes_unmirrored(tmp_path):
    # PyAV writes no mirroring matrix; in the file it is 36 bytes of the track's header, first the factor of x.
    path = write_clip(
        tmp_path / "clip.mp4",
        picture=lambda *where: upright_picture(*where)[:, ::-1].copy(),
        audio=False,
        rotation=180,
    )
    header = bytearray(path.read_bytes())
    turned_about = b"\xff\xff\x00\x00" + bytes(12) + b"\xff\xff\x00\x00"
    assert header.count(turned_about) == 1
    where = header.index(turned_about)
    header[where + 16 : where + 20] = b"\x00\x01\x00\x00"  # y as it is: only x is mirrored
    corners = decode_clip(bytes(header)).frames[0][[[3], [-4]], [3, -4]].reshape(4, 3).astype(int)
    assert np.abs(corners - list(COLOURS.values())).max() <= 12


@pytest.mark.parametrize("layout, amplitude", [("mono", 0.5), ("stereo", 0.375), ("5.1", (0.5 + 5 * 0.25) / 6)])
@pytest.mark.parametrize("sampling_rate", [8000, 16000, 44100, 48000])
def test_sound_is_the_mean_over_the_channels_at_the_rate_asked_for(tmp_path, layout, amplitude, sampling_rate):
    path = write_clip(tmp_path / "clip.wav", video=False, layout=layout, sampling_rate=sampling_rate, seconds=1.0)
    for asked in (16000, 22050):
        clip = decode_clip(path, sampling_rate=asked)
        assert clip.sampling_rate == asked
        assert abs(len(clip.waveform) - asked) <= 1
        assert sine_amplitude(clip.waveform, asked) == pytest.approx(amplitude, abs=0.002)


def test_sound_at_its_own_rate_comes_back_exactly(tmp_path):
    sound = np.random.default_rng(0).uniform(-0.9, 0.9, (2, 16000)).astype(np.float32)
    path = write_clip(tmp_path / "clip.wav", video=False, sampling_rate=16000, sound=sound)
    np.testing.assert_allclose(decode_clip(path).waveform, sound.mean(axis=0), atol=1e-4)


def test_more_channels_than_any_loudspeaker_layout(tmp_path):
    samples = np.tile(np.arange(12, dtype="<i2") * 1000, (16000, 1))
    with wave.open(str(tmp_path / "clip.wav"), "wb") as file:
        file.setnchannels(12)
        file.setsampwidth(2)
        file.setframerate(16000)
        file.writeframes(samples.tobytes())
    np.testing.assert_allclose(decode_clip(tmp_path / "clip.wav").waveform, 5500 / 32768, atol=1e-4)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts"])
def test_time_counts_from_the_start_of_the_clip(tmp_path, suffix):
    # All time stamps are 100 seconds late, and the sound starts half a second after the picture.
    clip = decode_clip(write_clip(tmp_path / f"clip{suffix}", start=100.0, audio_start=0.5))
    np.testing.assert_allclose(clip.frame_times, np.arange(12) / 6, atol=0.002)
    assert_colours(clip.frames, clip.frame_times)
    assert np.abs(clip.waveform[:7000]).max() == 0
    assert sine_amplitude(clip.waveform[8000:], 16000) == pytest.approx(0.375, abs=0.02)
    assert clip.duration == pytest.approx(2.5, abs=0.05)
    # The clock is the same without the sound.
    np.testing.assert_array_equal(decode_clip(tmp_path / f"clip{suffix}", audio=False).frame_times, clip.frame_times)
    np.testing.assert_array_equal(decode_clip(tmp_path / f"clip{suffix}", video=False).waveform, clip.waveform)


def test_a_hole_in_the_sound_is_silence(tmp_path):
    path = tmp_path / "clip.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=16000, layout="mono")
        for start in (0, 24000):  # half a second of sound, one second of nothing, half a second of sound
            frame = av.AudioFrame.from_ndarray((tone(0.5, 16000, [0.5]) * 32767).astype(np.int16), "s16", "mono")
            frame.sample_rate, frame.pts = 16000, start
            container.mux(stream.encode(frame))
    waveform = decode_clip(path).waveform
    assert len(waveform) == 32000
    assert np.abs(waveform[8100:23900]).max() == 0
    for part in (waveform[:8000], waveform[24000:]):
        assert sine_amplitude(part, 16000) == pytest.approx(0.5, abs=0.01)


def test_video_without_time_stamps_is_timed_by_its_frame_rate(tmp_path):
    with av.open(str(tmp_path / "clip.h264"), "w") as container:  # the bare stream of the codec, no container
        stream = container.add_stream("libx264", rate=25)
        stream.height, stream.width, stream.pix_fmt = 48, 64, "yuv420p"
        for index in range(25):
            picture = np.full((48, 64, 3), colour_at(index / 25), dtype=np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    clip = decode_clip(tmp_path / "clip.h264", frame_rate=5)
    np.testing.assert_allclose(clip.frame_times, np.arange(5) / 5, atol=0.001)
    assert_colours(clip.frames, clip.frame_times)


def test_a_cover_picture_is_not_video(tmp_path):
    path = tmp_path / "song.mp3"
    with av.open(str(path), "w") as container:
        sound = container.add_stream("libmp3lame", rate=48000, layout="stereo")
        cover = container.add_stream("png", rate=1)
        cover.height, cover.width, cover.pix_fmt = 48, 64, "rgb24"
        cover.disposition = av.stream.Disposition.attached_pic
        container.mux(cover.encode(av.VideoFrame.from_ndarray(upright_picture(0, 48, 64), format="rgb24")))
        frame = av.AudioFrame.from_ndarray(tone(1.0, 48000, [0.5, 0.25]), format="fltp", layout="stereo")
        frame.sample_rate = 48000
        resampler = av.AudioResampler(format=sound.codec_context.format, layout="stereo", rate=48000, frame_size=1152)
        for part in [*resampler.resample(frame), None]:
            container.mux(sound.encode(part))
    clip = decode_clip(path)
    assert clip.frames is None
    assert sine_amplitude(clip.waveform, 16000) == pytest.approx(0.375, abs=0.02)
    with pytest.raises(NoMediaStreamError, match="no video stream"):
        decode_clip(path, audio=False)


def test_only_what_is_asked_for_is_decoded(tmp_path):
    path = write_clip(tmp_path / "clip.mp4", seconds=0.5)
    assert decode_clip(path, audio=False).waveform is None
    assert decode_clip(path, video=False).frames is None
    silent = write_clip(tmp_path / "silent.mp4", seconds=0.5, audio=False)
    with pytest.raises(NoMediaStreamError, match="no audio stream") as caught:
        decode_clip(silent, video=False)
    assert caught.value.source == str(silent)


@pytest.mark.parametrize("codec, pixel_format", [("mjpeg", "yuvj420p"), ("libx264", "yuv444p10le"), ("ffv1", "gray")])
def test_white_is_white_and_black_is_black_in_any_pixel_format(tmp_path, codec, pixel_format):
    path = tmp_path / "clip.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=2)
        stream.height, stream.width, stream.pix_fmt = 48, 64, pixel_format
        for value in (255, 0):
            picture = np.full((48, 64, 3), value, dtype=np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    white, black = decode_clip(path).frames
    assert white.min() >= 252 and black.max() <= 3


@pytest.mark.parametrize(
    "settings, complaint",
    [
        ({"frame_rate": 0}, "frame_rate=0"),
        ({"frame_rate": float("nan")}, "frame_rate=nan"),
        ({"sampling_rate": 0}, "sampling_rate=0"),
        ({"max_frames": 0}, "max_frames=0"),
        ({"image_size": 0}, "image_size=.0, 0."),
        ({"picture_size": 0}, "picture_size=0"),
        ({"video": False, "audio": False}, "nothing to decode"),
    ],
)
def test_settings_that_make_no_sense(tmp_path, settings, complaint):
    path = write_clip(tmp_path / "clip.mp4", seconds=0.5)
    with pytest.raises(ValueError, match=complaint):
        decode_clip(path, **settings)


def test_a_missing_file_a_folder_and_an_address(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"absent\.mp4"):
        decode_clip(tmp_path / "absent.mp4")
    with pytest.raises(UnreadableMediaError, match="not a file"):
        decode_clip(tmp_path)
    with pytest.raises(UnreadableMediaError, match="download the file"):
        decode_clip("https://example.org/clip.mp4")


def test_limits_hold_at_their_value(tmp_path):
    path = write_clip(tmp_path / "clip.mp4")
    exact = MediaLimits(
        max_bytes=path.stat().st_size, max_duration=2.0, max_pixels=48 * 64, max_decoded_frames=60, max_streams=2
    )
    assert len(decode_clip(path, limits=exact).frames) == 12


def test_without_pyav_the_module_says_what_to_install():
    script = (
        "import sys, types\n"
        "sys.modules['av'] = None\n"
        "package = sys.modules['modeling_amess'] = types.ModuleType('modeling_amess')\n"
        "package.__path__ = [sys.argv[1]]\n"
        "from modeling_amess.media_amess import decode_clip\n"
        "try: decode_clip(b'')\n"
        "except ImportError as error: print(error)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", script, *modeling_amess.__path__], capture_output=True, text=True, check=True
    )
    assert "pip install av" in ran.stdout


@pytest.mark.parametrize(
    ("rotation", "picture_size", "shape"),
    [(0, 32, (24, 32)), (90, 32, (32, 24)), (0, 64, (48, 64)), (0, 500, (48, 64)), (0, 1, (1, 1))],
)
def test_pictures_keep_the_shape_of_the_clip_beside_the_frames(tmp_path, rotation, picture_size, shape):
    path = write_clip(tmp_path / "clip.mp4", seconds=1.0, picture=upright_picture, rotation=rotation)
    clip = decode_clip(path, image_size=16, picture_size=picture_size)
    assert clip.frames.shape == (6, 16, 16, 3) and clip.pictures.shape == (6, *shape, 3)
    assert clip.pictures.dtype == np.uint8
    plain = decode_clip(path, image_size=16)
    assert plain.pictures is None
    np.testing.assert_array_equal(plain.frames, clip.frames)
    if picture_size > 1:
        np.testing.assert_array_equal(decode_clip(path, image_size=shape).frames, clip.pictures)


def test_pictures_count_as_kept_memory(tmp_path):
    path = write_clip(tmp_path / "clip.mp4", seconds=1.0)
    limits = MediaLimits(max_kept_bytes=6 * 16 * 16 * 3)
    assert len(decode_clip(path, image_size=16, limits=limits).frames) == 6
    with pytest.raises(MediaLimitError, match="max_kept_bytes"):
        decode_clip(path, image_size=16, picture_size=8, limits=limits)
