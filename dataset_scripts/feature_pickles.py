# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""The released feature pickles, read without running anything that they contain.

A pickle is a program: `pickle.load` of a downloaded file runs whatever its author wrote. Here the stream may name a
handful of things only (how numpy writes arrays, how torch writes CPU tensors, OrderedDict), and each of these names
stands for an object of this module that notes what was written and checks it. numpy's own `__setstate__` never sees
the stream either: a forged dtype state could make it read raw bytes as pointers. Every other name is refused.
"""

from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import Any

import numpy as np


class FeaturePickleError(ValueError):
    """A feature pickle that is broken or holds something other than features; the message names file and id."""


class UnsafePickleError(FeaturePickleError):
    """A feature pickle that names something which is not allowed; the message gives the dotted name."""


def load_feature_pickle(path: str | Path, feature_size: int | None = None) -> dict[str, np.ndarray]:
    """Read a released feature pickle: a dict of id -> features of one clip.

    Each value may be an array, a CPU tensor or a list of arrays, of shape (T, D), (T, 1, D), (1, T, D), or T times
    (1, D) or (D,), in float16, bfloat16, float32 or float64; T may be 0. The whole file is held in memory while it is
    read, as pickle has it.

    Args:
        path: the file.
        feature_size: D; None takes that of the first clip that has frames.

    Returns:
        id -> float32 `(T, D)`; a clip without frames is `(0, D)`.

    Raises:
        FileNotFoundError: no such file.
        UnsafePickleError: the stream names something that is not allowed.
        FeaturePickleError: truncated, not a pickle, not a dict by id, or a clip of wrong type, shape, size, or with
            values that are not finite.
    """
    path = Path(path)
    content = _unpickle(path)
    if not isinstance(content, dict):
        raise FeaturePickleError(f"{path}: holds a {type(content).__name__}, not a dict of id -> features")
    features: dict[str, np.ndarray] = {}
    expected = feature_size
    while content:
        clip_id, value = content.popitem()  # gives back memory as it goes
        where = f"{path}, id {clip_id!r}"
        if not isinstance(clip_id, str):
            raise FeaturePickleError(f"{where}: ids are strings, not {type(clip_id).__name__}")
        array = _frames_by_size(_as_array(value, where), where)
        if array is not None and expected is None:
            expected = array.shape[1]
        if array is not None and array.shape[1] != expected:
            raise FeaturePickleError(
                f"{where}: features of size {array.shape[1]}, expected {expected}; "
                f"if the whole file has size {array.shape[1]}, set the feature size to that"
            )
        features[clip_id] = array if array is not None else np.zeros((0, 0), dtype=np.float32)
    empty = np.zeros((0, expected or 0), dtype=np.float32)
    return {clip_id: array if len(array) else empty for clip_id, array in reversed(features.items())}


def _unpickle(path: Path) -> Any:
    with open(path, "rb") as file:
        if file.read(4) == b"PK\x03\x04":
            raise FeaturePickleError(
                f"{path}: a zip archive, as torch.save writes it, not a pickle; "
                "open it with torch.load(weights_only=True) and store its tensors as arrays with pickle.dump"
            )
        file.seek(0)
        try:
            return _resolve(_FeatureUnpickler(file).load())
        except FeaturePickleError as error:
            raise type(error)(f"{path}: {error}") from error
        except MemoryError as error:
            raise FeaturePickleError(f"{path}: claims more data than memory holds") from error
        except Exception as error:  # a broken stream can end in nearly any of them
            raise FeaturePickleError(f"{path}: truncated or not a pickle ({type(error).__name__}: {error})") from error


class _FeatureUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        allowed = _ALLOWED.get(f"{module}.{name}")
        if allowed is None:
            raise UnsafePickleError(
                f"refused: the pickle names {module}.{name}, which is no part of arrays or tensors. Nothing was run; "
                "do not load this file by other means unless you trust whoever made it"
            )
        return allowed

    def persistent_load(self, pid: Any) -> Any:
        raise UnsafePickleError(
            "refused: the pickle holds a persistent id, which only torch.save writes; nothing was run"
        )


# The classes below stand in for numpy's and torch's. They have __slots__ so that the stream's BUILD instruction,
# which sets attributes, finds nothing to set.


class _Dtype:
    """What numpy.dtype("f4") was pickled as: a kind, a size, a byte order."""

    __slots__ = ("code", "order")

    def __init__(self, code: str):
        self.code = code
        self.order = "<"

    def __setstate__(self, state: tuple) -> None:
        # (version, byte order, subdtype, names, fields, itemsize, alignment, flags); plain types use the first two.
        if state[1] not in ("<", ">", "|", "=") or any(part is not None for part in state[2:5]):
            raise FeaturePickleError("a numpy dtype with fields or of unknown byte order")
        self.order = state[1]

    def resolve(self) -> np.dtype:
        """The real dtype; None for object arrays, which have no raw bytes."""
        return np.dtype(self.code).newbyteorder(self.order)


class _MakeDtype:
    __slots__ = ()

    def __call__(self, code: Any, *_: Any) -> _Dtype:
        if code not in ("f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "b1", "O8", "O4", "O"):
            raise FeaturePickleError(f"a numpy dtype {code!r}; features are floating-point")
        return _Dtype(code)


class _Array:
    """What a numpy array was pickled as."""

    __slots__ = ("content", "dtype", "order", "shape")

    def __init__(self) -> None:
        self.shape = None

    def __setstate__(self, state: tuple) -> None:
        _, shape, dtype, is_fortran, content = state
        self.fill(shape, dtype, "F" if is_fortran else "C", content)

    def fill(self, shape: Any, dtype: Any, order: str, content: Any) -> None:
        """Note the parts, after checking their types."""
        if not isinstance(dtype, _Dtype) or not isinstance(shape, tuple):
            raise FeaturePickleError("a numpy array whose shape or dtype is not one")
        if not all(isinstance(length, int) and length >= 0 for length in shape):
            raise FeaturePickleError(f"a numpy array of shape {shape!r}")
        self.shape, self.dtype, self.order, self.content = shape, dtype, order, content

    def resolve(self) -> Any:
        """The real array, or a (nested) list for an object array."""
        if self.shape is None:
            raise FeaturePickleError("a numpy array without its data")
        if self.dtype.code.startswith("O"):
            if not isinstance(self.content, list):
                raise FeaturePickleError("an object array without its list")
            return _object_array(self.shape, [_resolve(item) for item in self.content])
        if not isinstance(self.content, bytes | bytearray):
            raise FeaturePickleError("a numpy array without its bytes")
        return np.frombuffer(self.content, dtype=self.dtype.resolve()).reshape(self.shape, order=self.order)


class _MakeArray:
    """numpy's `_reconstruct(ndarray, (0,), b"b")`; the content follows by BUILD."""

    __slots__ = ()

    def __call__(self, *_: Any) -> _Array:
        return _Array()


class _MakeArrayFromBuffer:
    """numpy's `_frombuffer(buffer, dtype, shape, order)`, of pickle protocol 5."""

    __slots__ = ()

    def __call__(self, content: Any, dtype: Any, shape: Any, order: str = "C", *_: Any) -> _Array:
        array = _Array()
        array.fill(shape, dtype, "F" if order == "F" else "C", content)
        return array


class _EncodeLatin1:
    """`_codecs.encode(text, "latin1")`, the form that bytes take in protocols 0 to 2."""

    __slots__ = ()

    def __call__(self, text: str, encoding: str = "latin1") -> bytes:
        if not isinstance(text, str) or encoding != "latin1":
            raise FeaturePickleError("bytes in an unknown encoding")
        return text.encode("latin1")


class _MakeBytes:
    """`builtins.bytearray(bytes)` and the empty `bytes()`; a length in place of the content is refused."""

    __slots__ = ()

    def __call__(self, content: Any = b"", *_: Any) -> bytes:
        if not isinstance(content, bytes):
            raise FeaturePickleError("a byte string without its bytes")
        return content


class _MakeDict:
    """`collections.OrderedDict()`; as a plain dict it has no attributes that the stream could set."""

    __slots__ = ()

    def __call__(self, items: Any = ()) -> dict:
        return dict(items)


class _MakeStorage:
    """torch's storage in a plain pickle: bytes, which torch would hand to an unrestricted `torch.load`."""

    __slots__ = ()

    def __call__(self, content: Any) -> Any:
        if not isinstance(content, bytes):
            raise FeaturePickleError("a torch storage without its bytes")
        import torch  # only needed by files that hold tensors

        try:
            return torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
        except pickle.UnpicklingError as error:
            raise UnsafePickleError(f"refused: a torch storage holds something else ({error})") from error


class _MakeTensor:
    """`torch._utils._rebuild_tensor_v2(storage, offset, size, stride, requires_grad, hooks)` as a numpy array."""

    __slots__ = ()

    def __call__(self, storage: Any, offset: int, size: tuple, stride: tuple, *_: Any) -> np.ndarray:
        import torch

        if not isinstance(storage, torch.storage.TypedStorage):
            raise FeaturePickleError("a torch tensor without its storage")
        if not storage.dtype.is_floating_point:
            raise FeaturePickleError(f"a torch tensor of {storage.dtype}; features are floating-point")
        # The attribute, as in torch's own rebuilding code: the public way to it warns of a deprecation.
        flat = torch.tensor([], dtype=storage.dtype).set_(storage._untyped_storage)
        tensor = torch.as_strided(flat, size, stride, offset)  # checks that it stays within the storage
        return tensor.to(torch.float32).contiguous().numpy()


class _Marker:
    """`numpy.ndarray`, which the stream passes to `_reconstruct` and must not be able to call."""

    __slots__ = ()


_ALLOWED: dict[str, Any] = {
    "_codecs.encode": _EncodeLatin1(),
    "builtins.bytearray": _MakeBytes(),
    "builtins.bytes": _MakeBytes(),
    "__builtin__.bytes": _MakeBytes(),
    "__builtin__.bytearray": _MakeBytes(),
    "collections.OrderedDict": _MakeDict(),
    "numpy.dtype": _MakeDtype(),
    "numpy.ndarray": _Marker(),
    "torch._utils._rebuild_tensor_v2": _MakeTensor(),
    "torch.storage._load_from_bytes": _MakeStorage(),
}
for _core in ("numpy.core", "numpy._core"):  # numpy 1 and numpy 2
    _ALLOWED[f"{_core}.multiarray._reconstruct"] = _MakeArray()
    _ALLOWED[f"{_core}.numeric._frombuffer"] = _MakeArrayFromBuffer()


def _resolve(value: Any) -> Any:
    if isinstance(value, _Array):
        return value.resolve()
    if isinstance(value, dict):
        for key in value:  # in place, so that a large file is not in memory twice
            value[key] = _resolve(value[key])
        return value
    if isinstance(value, list | tuple):
        return [_resolve(item) for item in value]
    return value


def _object_array(shape: tuple[int, ...], items: list) -> Any:
    if int(np.prod(shape)) != len(items):
        raise FeaturePickleError("an object array whose list has another length")
    # The axes beyond the first only nest the frames; (T, 1, D) of Python floats would have to be numbers, not objects.
    return items[0] if shape == () else items


def _as_array(value: Any, where: str) -> np.ndarray:
    if isinstance(value, np.ndarray):
        array = value
    elif isinstance(value, list):
        if not all(isinstance(frame, np.ndarray) for frame in value):
            found = next(type(frame).__name__ for frame in value if not isinstance(frame, np.ndarray))
            raise FeaturePickleError(f"{where}: a list of arrays is expected, but it holds a {found}")
        shapes = {frame.shape for frame in value}
        if len(shapes) > 1:
            raise FeaturePickleError(f"{where}: the frames differ in shape: {sorted(shapes)}")
        array = np.stack(value) if value else np.zeros((0,), dtype=np.float32)
    else:
        raise FeaturePickleError(
            f"{where}: an array, tensor or list of arrays is expected, not {type(value).__name__}"
        )
    if array.dtype.kind != "f":
        raise FeaturePickleError(f"{where}: features of type {array.dtype}, expected floating-point")
    with np.errstate(over="ignore"):
        return array.astype(np.float32, copy=False)


def _frames_by_size(array: np.ndarray, where: str) -> np.ndarray | None:
    """The array as (T, D), or None where there are no frames."""
    shape = array.shape
    if array.size == 0 and 0 in shape[:-1] + (shape[0],):
        return None
    if array.ndim == 3 and shape[1] == 1:
        array = array[:, 0]
    elif array.ndim == 3 and shape[0] == 1:
        array = array[0]
    if array.ndim != 2 or array.shape[1] == 0:
        raise FeaturePickleError(f"{where}: shape {shape}; expected (T, D), (T, 1, D) or (1, T, D)")
    bad = ~np.isfinite(array).all(axis=1)
    if bad.any():
        raise FeaturePickleError(f"{where}: a value that is not finite in frame {int(bad.argmax())}")
    return np.ascontiguousarray(array)
