# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import builtins
import collections
import os
import pickle
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
