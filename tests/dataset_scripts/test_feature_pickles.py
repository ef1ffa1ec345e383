# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import builtins
import collections
import io
import json
import os
import pickle
import struct
import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dataset_scripts.feature_pickles import FeaturePickleError, UnsafePickleError, load_feature_pickle


SIZE = 6
FRAMES = np.random.default_rng(0).standard_normal((5, SIZE)).astype(np.float32)


def _object_array(items):
    array = np.empty(len(items), dtype=object)
    array[:] = items
    return array


class _Call:
    """Pickles as a call of `function`, which plain `pickle.load` would make."""

    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


FULL = {
    "(T, D)": FRAMES,
    "(T, 1, D)": FRAMES[:, None],
    "(1, T, D)": FRAMES[None],
    "list of (1, D)": [frame[None] for frame in FRAMES],
    "list of (D,)": list(FRAMES),
    "object array of (1, D)": _object_array([frame[None] for frame in FRAMES]),
    "column order": np.asfortranarray(FRAMES),
    "big endian": FRAMES.astype(">f4"),
    "float64": FRAMES.astype(np.float64),
    "tensor": torch.tensor(FRAMES),
    "tensor (1, T, D)": torch.tensor(FRAMES)[None],
    "tensor view": torch.tensor(np.stack([FRAMES, -FRAMES], axis=1))[:, 0],
    "tensor with gradient": torch.tensor(FRAMES, requires_grad=True),
    "list of tensors": [torch.tensor(frame[None]) for frame in FRAMES],
}
EMPTY = {
    "[]": [],
    "(0,)": np.zeros((0,)),
    "(0, D)": np.zeros((0, SIZE)),
    "(0, 1, D)": np.zeros((0, 1, SIZE), np.float32),
    "(1, 0, D)": np.zeros((1, 0, SIZE), np.float32),
    "tensor (0, D)": torch.zeros(0, SIZE),
}


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("container", [dict, collections.OrderedDict])
def test_every_shape_and_type_gives_the_same_frames(write_pickle, protocol, container):
    features = load_feature_pickle(write_pickle(container({**EMPTY, **FULL}), protocol=protocol), SIZE)
    assert list(features) == [*EMPTY, *FULL]
    for name, array in features.items():
        assert array.dtype == np.float32, name
        np.testing.assert_array_equal(array, FRAMES if name in FULL else np.zeros((0, SIZE)), err_msg=name)


def test_half_precision_is_widened(write_pickle):
    content = {"half": FRAMES.astype(np.float16), "bfloat16": torch.tensor(FRAMES).bfloat16()}
    features = load_feature_pickle(write_pickle(content))
    np.testing.assert_array_equal(features["half"], FRAMES.astype(np.float16).astype(np.float32))
    np.testing.assert_allclose(features["bfloat16"], FRAMES, rtol=2**-8)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickles_of_numpy_1_are_read(write_pickle, protocol):
    path = write_pickle({"a": FRAMES}, protocol=protocol)
    new = path.read_bytes()
    # What numpy 1 writes: its private package was called numpy.core. Framed protocols give the length of the name.
    names = (b"numpy._core.multiarray", b"numpy._core.numeric")
    old = new
    for name in names:
        shorter = name.replace(b"._core", b".core")
        old = old.replace(bytes([len(name)]) + name, bytes([len(shorter)]) + shorter).replace(name, shorter)
    if protocol >= 4:  # the frame's own length
        old = old.replace(old[3:11], (int.from_bytes(old[3:11], "little") - 1).to_bytes(8, "little"))
    assert old != new
    path.write_bytes(old)
    np.testing.assert_array_equal(load_feature_pickle(path)["a"], FRAMES)


def test_torch_is_not_imported_for_arrays_alone(write_pickle, project):
    path = write_pickle({"a": FRAMES})
    code = (
        "import sys; from dataset_scripts.feature_pickles import load_feature_pickle; "
        f"print(load_feature_pickle({str(path)!r})['a'].shape, 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=project, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "(5, 6) False"


@pytest.mark.parametrize("wrap", ["value", "object array", "list", "key", "top", "torch storage"])
@pytest.mark.parametrize(
    ("function", "name"),
    [(os.system, rf"{os.name}\.system"), (builtins.eval, r"builtins\.eval"), (builtins.getattr, r"builtins\.getattr")],
)
def test_a_call_in_the_stream_is_refused_by_name_and_never_made(write_pickle, tmp_path, wrap, function, name):
    marker = tmp_path / "it-ran"
    argument = f"touch {marker}" if function is os.system else f"open({str(marker)!r}, 'w').close()"
    evil = _Call(function, argument)
    content = {
        "value": {"a": FRAMES, "b": evil},
        "object array": {"a": _object_array([FRAMES[:1], evil])},
        "list": {"a": [FRAMES[:1], evil]},
        "key": {"a": FRAMES, _Call(function, argument): FRAMES},
        "top": evil,
        "torch storage": {"a": _Call(torch.storage._load_from_bytes, pickle.dumps(evil, protocol=2))},
    }[wrap]
    path = write_pickle(content)
    with pytest.raises(UnsafePickleError, match="Refused.*" + ("" if wrap == "torch storage" else name)) as error:
        load_feature_pickle(path)
    assert str(path) in str(error.value)
    assert not marker.exists()


def test_the_payload_of_these_tests_does_run_in_plain_pickle(tmp_path):
    marker = tmp_path / "it-ran"
    pickle.loads(pickle.dumps(_Call(os.system, f"touch {marker}")))
    assert marker.exists()


@pytest.mark.parametrize(
    ("stream", "name"),
    [
        (b"cnumpy\nload\n.", r"numpy\.load"),
        (b"cnumpy\nmemmap\n.", r"numpy\.memmap"),
        (b"\x80\x04\x8c\x05numpy\x8c\x0endarray.tofile\x93.", r"numpy\.ndarray\.tofile"),
        (b"ctorch\nload\n.", r"torch\.load"),
        (b"ccollections\nCounter\n.", r"collections\.Counter"),
        (b"cpathlib\nPosixPath\n(S'/'\ntR.", r"pathlib\.PosixPath"),
        (b"(ios\nsystem\n.", r"os\.system"),
    ],
)
def test_other_names_of_the_same_packages_are_refused(tmp_path, stream, name):
    path = tmp_path / "features.pkl"
    path.write_bytes(stream)
    with pytest.raises(UnsafePickleError, match=name):
        load_feature_pickle(path)


def test_persistent_ids_are_refused(tmp_path):
    class Pickler(pickle.Pickler):
        def persistent_id(self, value):
            return ("storage", "x") if value == "here" else None

    path = tmp_path / "features.pkl"
    with open(path, "wb") as file:
        Pickler(file).dump({"a": "here"})
    with pytest.raises(UnsafePickleError, match="persistent id"):
        load_feature_pickle(path)


def test_attributes_of_allowed_names_cannot_be_set(tmp_path):
    # BUILD with a (None, {"__class__": ...}) state on the callable that stands for numpy's _reconstruct.
    path = tmp_path / "features.pkl"
    path.write_bytes(b"cnumpy.core.multiarray\n_reconstruct\n(N}S'__defaults__'\n(I1\ntstb.")
    with pytest.raises(FeaturePickleError, match="AttributeError"):
        load_feature_pickle(path)


def test_a_forged_dtype_cannot_turn_bytes_into_objects(tmp_path):
    # dtype("O8") with the flags of plain data: numpy's own __setstate__ would take the bytes for object pointers.
    path = tmp_path / "features.pkl"
    array = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntS'b'\ntR"
    dtype = b"cnumpy\ndtype\n(S'O8'\nI0\nI1\ntR(I3\nS'|'\nNNNI8\nI8\nI0\ntb"
    state = b"(I1\n(I1\nt" + dtype + b"I00\nc_codecs\nencode\n(VAAAAAAAA\nVlatin1\ntRtb"
    path.write_bytes(b"(dS'a'\n" + array + state + b"s.")
    with pytest.raises(FeaturePickleError, match="object array lacks its list"):
        load_feature_pickle(path)


def test_a_tensor_cannot_reach_beyond_its_storage(write_pickle):
    storage = torch.storage.TypedStorage(
        wrap_storage=torch.zeros(4).untyped_storage(), dtype=torch.float32, _internal=True
    )
    tensor = _Call(torch._utils._rebuild_tensor_v2, storage, 0, (100, SIZE), (SIZE, 1), False, None)
    with pytest.raises(FeaturePickleError, match="out of bounds"):
        load_feature_pickle(write_pickle({"a": tensor}))


def test_every_truncation_is_a_clear_error(tmp_path):
    whole = pickle.dumps({"a": FRAMES, "b": [FRAMES[:1]] * 3, "c": torch.tensor(FRAMES)})
    path = tmp_path / "features.pkl"
    for length in range(0, len(whole) - 1, 7):
        path.write_bytes(whole[:length])
        with pytest.raises(FeaturePickleError, match="Truncated or not a pickle"):
            load_feature_pickle(path)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_damaged_stream_gives_features_or_our_error_and_nothing_else(tmp_path, data):
    damaged = bytearray(pickle.dumps({"a": FRAMES[:2], "b": [FRAMES[:1]]}, protocol=data.draw(st.integers(0, 5))))
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path / "features.pkl"
    path.write_bytes(damaged)
    try:
        features = load_feature_pickle(path)
    except FeaturePickleError as error:
        assert str(path) in str(error)
    else:
        assert all(array.dtype == np.float32 and array.ndim == 2 for array in features.values())


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([FRAMES], "a list, not a dict"),
        ({1: FRAMES}, "id 1: .*strings, not int"),
        ({"a": "text"}, "id 'a': .*list of arrays, not str"),
        ({"a": None}, "id 'a': .*list of arrays, not NoneType"),
        ({"a": [1.0, 2.0]}, "id 'a': .*list of arrays, .* float"),
        ({"a": FRAMES[0]}, r"id 'a': Shape \(6,\), expected \(T, D\)"),
        ({"a": np.zeros((2, 3, SIZE), np.float32)}, r"id 'a': Shape \(2, 3, 6\)"),
        ({"a": [FRAMES[:1], FRAMES[:1, :4]]}, "id 'a': .*differ in shape"),
        ({"a": np.zeros((2, SIZE), np.int64)}, "id 'a': Features of type int64, expected floating-point"),
        ({"a": np.array(["x"])}, "numpy dtype is 'U1'"),
        ({"a": torch.zeros(2, SIZE, dtype=torch.long)}, "torch tensor is of torch.int64"),
        ({"a": FRAMES, "b": np.array([[0.0] * 5 + [np.nan]])}, "id 'b': .*not finite in frame 0"),
        ({"b": np.full((2, SIZE), 1e300)}, "id 'b': .*not finite in frame 0"),
        ({"a": FRAMES, "b": FRAMES[:, :4]}, "Features of size (4, expected 6|6, expected 4)"),
    ],
)
def test_wrong_content_is_refused_with_its_id(write_pickle, content, message):
    with pytest.raises(FeaturePickleError, match=message):
        load_feature_pickle(write_pickle(content))


def test_a_wrong_feature_size_names_both_sizes_and_the_id(write_pickle):
    with pytest.raises(FeaturePickleError, match="id 'a': Features of size 6, expected 256"):
        load_feature_pickle(write_pickle({"a": FRAMES}), 256)


def test_a_file_of_torch_save_says_what_it_is(tmp_path):
    torch.save({"a": torch.zeros(2, SIZE)}, tmp_path / "features.pkl")
    with pytest.raises(FeaturePickleError, match="zip archive"):
        load_feature_pickle(tmp_path / "features.pkl")


# Few bytes that claim much may take memory and time of their own size only. The instructions of pickle are by hand.


def _text(content: str) -> bytes:
    return b"X" + struct.pack("<I", len(content)) + content.encode()


def _get(place: int) -> bytes:
    return b"j" + struct.pack("<I", place)


def _doubled(first: bytes, both: bytes, levels: int = 40) -> bytes:
    """An object that holds another twice, which holds another twice, and so on; it is left on the stack.

    `both` puts an object around BOTH, two references to the one before, or around ONE and ONE.
    """
    stream = first + b"q\x00"
    for level in range(levels):
        stream += b"0" + both.replace(b"BOTH", b"ONEONE").replace(b"ONE", _get(level)) + b"q" + bytes([level + 1])
    return stream


def _array(shape: tuple[int, ...], code: str, content: bytes) -> bytes:
    lengths = b"(" + b"".join(b"\x8a\x09" + length.to_bytes(9, "little") for length in shape) + b"t"
    return _array_of(lengths, _text(code), content)


def _array_of(lengths: bytes, code: bytes, content: bytes) -> bytes:
    dtype = b"cnumpy\ndtype\n(" + code + b"tR"
    return b"cnumpy.core.multiarray\n_reconstruct\n)R(K\x01" + lengths + dtype + b"\x89" + content + b"tb"


def _bytes8(content: bytes) -> bytes:
    return b"\x8e" + struct.pack("<Q", len(content)) + content


def _tensor(shape: str, stride: str) -> bytes:
    """A tensor over a storage of 2 MB that is in place 1 of the memo."""
    sizes = b"(" + b"".join(b"I%d\n" % int(n) for n in shape.split()) + b"t"
    strides = b"(" + b"".join(b"I%d\n" % int(n) for n in stride.split()) + b"t"
    return b"ctorch._utils\n_rebuild_tensor_v2\n(h\x01K\x00" + sizes + strides + b"\x89NtR"


def _storage() -> bytes:
    file = io.BytesIO()
    half = torch.zeros(1_000_000, dtype=torch.float16).untyped_storage()
    typed = torch.storage.TypedStorage(wrap_storage=half, dtype=torch.float16, _internal=True)
    torch.save(typed, file, _use_new_zipfile_serialization=False)
    return b"ctorch.storage\n_load_from_bytes\n(" + _bytes8(file.getvalue()) + b"q\x02tRq\x01"


def _ids(value: bytes, before: bytes = b"", count: int = 3000) -> bytes:
    """A dict in which so many ids have the value, after `before`, which leaves one object."""
    pairs = b"".join(_text(f"i{index}") + value for index in range(count))
    return b"\x80\x04" + (before + b"0" if before else b"") + b"}(" + pairs + b"u."


def _one(value: bytes) -> bytes:
    return b"\x80\x04}" + _text("a") + value + b"s."


_HALF = _array((1, 1_000_000), "f2", _bytes8(bytes(2_000_000))) + b"q\x01"
_CONTENT = {
    "lists within lists": _one(_doubled(b"]", b"](BOTHe")),
    "dicts within dicts": _one(_doubled(b"}", b"}(" + _text("x") + b"ONE" + _text("y") + b"ONEu")),
    "tuples within tuples": _one(_doubled(b")", b"(BOTHt")),
    "object arrays within object arrays": _one(_doubled(b"]", _array((2,), "O8", b"](BOTHe"))),
    "tuples as a key": b"\x80\x04}" + _doubled(b")", b"(BOTHt") + b"Ns.",
    "tuples as keys of an OrderedDict": _one(
        b"ccollections\nOrderedDict\n(](" + b"(" + _doubled(b")", b"(BOTHt") + b"Nt" + b"etR"
    ),
    "tuples as keys of an old dict": b"(" + _doubled(b")", b"(BOTHt") + b"Nd.",
    "tuples in a set": _one(b"(" + _doubled(b")", b"(BOTHt") + b"\x91"),
    "tuples as a dtype": _one(_array_of(b")", _doubled(b")", b"(BOTHt"), b"N")),
    "tuples as a shape": _one(_array_of(_doubled(b")", b"(BOTHt"), _text("f4"), b"N")),
    "a far place in the memo": b"\x80\x05Nr" + struct.pack("<I", 2**28) + b"abc.",
    "a far place in the memo, as text": b"Np268435456\n.",
    "a long byte string": b"\x80\x05\x8e" + struct.pack("<Q", 2**36) + b"abc.",
    "a long bytearray": b"\x80\x05\x96" + struct.pack("<Q", 2**33) + b"abc.",
    "a long text": b"\x80\x05\x8d" + struct.pack("<Q", 2**33) + b"abc.",
    "a long frame": b"\x80\x05\x95" + struct.pack("<Q", 2**33) + b"abc.",
    "a stride of 0": _one(_storage() + b"0" + _tensor("1000000000 1", "0 0")),
    "an overlap": _one(_storage() + b"0" + _tensor("499000 1000", "1 1")),
    "an object array beyond 64 bits": _one(_array((2**32, 2**32), "O8", b"]")),
    "an array under many ids": _ids(b"h\x01", _HALF),
    "an array many times in a list": _one(_HALF + b"0](" + b"h\x01" * 3000 + b"e"),
    "an empty array many times in many lists": _ids(
        b"h\x02", _array((0, 4), "f4", _bytes8(b"")) + b"q\x01" + b"0](" + b"h\x01" * 9000 + b"eq\x02", 9000
    ),
    "a tensor under many ids": _ids(_tensor("1000000 1", "1 1"), _storage()),
    "a storage read many times": _ids(b"ctorch.storage\n_load_from_bytes\n(h\x02tR", _storage()),
    "a text encoded many times": _ids(
        b"c_codecs\nencode\n(h\x01" + _text("latin1") + b"tR", _text("x" * 2_000_000) + b"q\x01"
    ),
    "a list made a dict many times": _ids(
        b"ccollections\nOrderedDict\n(h\x01tR", b"](" + b"(K\x01Nt" * 20_000 + b"eq\x01"
    ),
}
_TRIAL = """
import json, os, resource, sys, time
import torch
from dataset_scripts.feature_pickles import FeaturePickleError, load_feature_pickle
for path in sys.argv[1:]:
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        pages = int(open("/proc/self/statm").read().split()[0])
        allowed = pages * resource.getpagesize() + 2**29
        resource.setrlimit(resource.RLIMIT_AS, (allowed, allowed))
        resource.setrlimit(resource.RLIMIT_CPU, (20, 20))
        before = resource.getrusage(resource.RUSAGE_SELF)
        try:
            outcome = f"read {len(load_feature_pickle(path))} ids"
        except FeaturePickleError as error:
            outcome = f"refused: {str(error)[:300]}"
        except BaseException as error:
            outcome = f"{type(error).__name__}: {str(error)[:300]}"
        after = resource.getrusage(resource.RUSAGE_SELF)
        megabytes = (after.ru_maxrss - before.ru_maxrss) / 1024
        os.write(writer, json.dumps([outcome, after.ru_utime - before.ru_utime, megabytes]).encode())
        os._exit(0)
    os.close(writer)
    _, status = os.waitpid(child, 0)
    print(os.read(reader, 4096).decode() or json.dumps([f"killed: {status}", 0, 0]), flush=True)
    os.close(reader)
"""


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory, project):
    """The outcome of each claim in words, seconds and megabytes, in a process that gets 512 MB more."""
    folder = tmp_path_factory.mktemp("claims")
    paths = []
    for name, content in _CONTENT.items():
        paths.append(folder / f"{name}.pkl")
        paths[-1].write_bytes(content)
    done = subprocess.run(
        [sys.executable, "-c", _TRIAL, *map(str, paths)], cwd=project, capture_output=True, text=True, check=True
    )
    return dict(zip(_CONTENT, map(json.loads, done.stdout.splitlines()), strict=True))


@pytest.mark.skipif(sys.platform != "linux", reason="limits of memory as Linux has them")
@pytest.mark.parametrize("name", _CONTENT)
def test_a_claim_beyond_the_file_is_refused_in_time_and_memory_of_the_file(outcomes, name):
    outcome, seconds, megabytes = outcomes[name]
    assert outcome.startswith("refused: ") and f"{name}.pkl" in outcome, outcome
    assert seconds < 5, seconds
    assert megabytes < 110 + 8 * len(_CONTENT[name]) / 2**20, megabytes


def test_ids_that_share_a_small_array_are_read(write_pickle):
    placeholder = np.zeros((1, 256), np.float32)
    features = load_feature_pickle(write_pickle({**{f"i{n}": placeholder for n in range(3000)}, "a": placeholder + 1}))
    assert len(features) == 3001 and features["i7"].shape == (1, 256) and features["a"].all()
