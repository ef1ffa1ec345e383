# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""The released feature pickles, read without running anything that they contain.

A pickle is a program: `pickle.load` of a downloaded file runs whatever its author wrote. Here the stream may use a
handful of names only (those with which numpy writes arrays and torch CPU tensors, and OrderedDict), and each of them
resolves to an object of this module that notes the content and checks it. numpy's own `__setstate__` never sees the
stream either: a forged dtype state could make it read raw bytes as pointers. Every other name is refused.
"""

from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import Any, Literal

import numpy as np

from .errors import UserError


class FeaturePickleError(UserError):
    """A feature pickle that is broken or holds something else. The message names file and id."""


class UnsafePickleError(FeaturePickleError):
    """A feature pickle that uses a name which is not allowed. The message gives the dotted name."""


def load_feature_pickle(path: str | Path, feature_size: int | None = None) -> dict[str, np.ndarray]:
    """Read a released feature pickle: a dict of id -> features of one clip.

    Each value may be an array, a CPU tensor or a list of arrays, of shape (T, D), (T, 1, D), (1, T, D), or T times
    (1, D) or (D,), in float16, bfloat16, float32 or float64; T may be 0. Like any pickle, the whole file is in memory
    while it is read.

    Args:
        path: Path of the pickle.
        feature_size: Size D; None takes that of the first clip that has frames.

    Returns:
        Features by id, float32 `(T, D)`. A clip without frames is `(0, D)`.

    Raises:
        FileNotFoundError: The file does not exist.
        UnsafePickleError: The stream uses a name that is not allowed.
        FeaturePickleError: The file is truncated, not a pickle, not a dict by id, or holds a clip of wrong type, shape
            or size, or with values that are not finite.
    """
    path = Path(path)
    content = _unpickle(path)
    if not isinstance(content, dict):
        raise FeaturePickleError(f"{path}: The file holds a {type(content).__name__}, not a dict of id -> features.")
    features: dict[str, np.ndarray] = {}
    expected = feature_size
    while content:
        clip_id, value = content.popitem()  # frees memory on the way
        where = f"{path}, id {clip_id!r}"
        if not isinstance(clip_id, str):
            raise FeaturePickleError(f"{where}: Ids must be strings, not {type(clip_id).__name__}.")
        array = _frames_by_size(_as_array(value, where), where)
        if array is not None and expected is None:
            expected = array.shape[1]
        if array is not None and array.shape[1] != expected:
            raise FeaturePickleError(
                f"{where}: Features of size {array.shape[1]}, expected {expected}. "
                f"If the whole file has size {array.shape[1]}, set the feature size to that."
            )
        features[clip_id] = array if array is not None else np.zeros((0, 0), dtype=np.float32)
    empty = np.zeros((0, expected or 0), dtype=np.float32)
    return {clip_id: array if len(array) else empty for clip_id, array in reversed(features.items())}


def _unpickle(path: Path) -> Any:
    with open(path, "rb") as file:
        if file.read(4) == b"PK\x03\x04":
            raise FeaturePickleError(
                f"{path}: The file is a zip archive, as torch.save writes it, not a pickle. "
                "Open it with torch.load(weights_only=True) and store its tensors as arrays with pickle.dump."
            )
        file.seek(0)
        try:
            return _resolve(_FeatureUnpickler(file).load())
        except FeaturePickleError as error:
            raise type(error)(f"{path}: {error}") from error
        except MemoryError as error:
            raise FeaturePickleError(f"{path}: The file claims more data than memory holds.") from error
        except Exception as error:  # a broken stream can end in nearly any of them
            raise FeaturePickleError(
                f"{path}: Truncated or not a pickle ({type(error).__name__}: {error})."
            ) from error


class _FeatureUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        allowed = _ALLOWED.get(f"{module}.{name}")
        if allowed is None:
            raise UnsafePickleError(
                f"Refused: the pickle names {module}.{name}, which is no part of arrays or tensors. Nothing was run. "
                "Do not load this file by other means unless you trust its author."
            )
        return allowed

    def persistent_load(self, pid: Any) -> Any:
        raise UnsafePickleError(
            "Refused: the pickle holds a persistent id, which only torch.save writes. Nothing was run."
        )


# The classes below replace numpy's and torch's. They have __slots__ so that the stream's BUILD instruction, which sets
# attributes, has nothing to set.


class _Dtype:
    """The pickled form of numpy.dtype("f4"): a kind, a size, a byte order."""

    __slots__ = ("code", "order")

    order: Literal["<", ">", "|", "="]

    def __init__(self, code: str):
        self.code = code
        self.order = "<"

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        # (version, byte order, subdtype, names, fields, itemsize, alignment, flags); plain types use the first two.
        if state[1] not in ("<", ">", "|", "=") or any(part is not None for part in state[2:5]):
            raise FeaturePickleError("A numpy dtype has fields or an unknown byte order.")
        self.order = state[1]

    def resolve(self) -> np.dtype[Any]:
        """Return the real dtype."""
        return np.dtype(self.code).newbyteorder(self.order)


class _MakeDtype:
    __slots__ = ()

    def __call__(self, code: Any, *_: Any) -> _Dtype:
        if code not in ("f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "b1", "O8", "O4", "O"):
            raise FeaturePickleError(f"A numpy dtype is {code!r}. Features must be floating-point.")
        return _Dtype(code)


class _Array:
    """The pickled form of a numpy array."""

    __slots__ = ("content", "dtype", "order", "shape")

    def __init__(self) -> None:
        self.shape: tuple[int, ...] | None = None
        self.order: Literal["C", "F"] = "C"

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, shape, dtype, is_fortran, content = state
        self.fill(shape, dtype, "F" if is_fortran else "C", content)

    def fill(self, shape: Any, dtype: Any, order: Literal["C", "F"], content: Any) -> None:
        """Note the parts, after checking their types."""
        if not isinstance(dtype, _Dtype) or not isinstance(shape, tuple):
            raise FeaturePickleError("A numpy array has something else as its shape or dtype.")
        if not all(isinstance(length, int) and length >= 0 for length in shape):
            raise FeaturePickleError(f"A numpy array has the shape {shape!r}.")
        self.shape, self.dtype, self.order, self.content = shape, dtype, order, content

    def resolve(self) -> Any:
        """Return the real array, or a (nested) list for an object array."""
        if self.shape is None:
            raise FeaturePickleError("A numpy array lacks its data.")
        if self.dtype.code.startswith("O"):
            if not isinstance(self.content, list):
                raise FeaturePickleError("An object array lacks its list.")
            return _object_array(self.shape, [_resolve(item) for item in self.content])
        if not isinstance(self.content, bytes | bytearray):
            raise FeaturePickleError("A numpy array lacks its bytes.")
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
    """`_codecs.encode(text, "latin1")`, the form of bytes in protocols 0 to 2."""

    __slots__ = ()

    def __call__(self, text: str, encoding: str = "latin1") -> bytes:
        if not isinstance(text, str) or encoding != "latin1":
            raise FeaturePickleError("Bytes have an unknown encoding.")
        return text.encode("latin1")


class _MakeBytes:
    """`builtins.bytearray(bytes)` and the empty `bytes()`. A length in place of the content is refused."""

    __slots__ = ()

    def __call__(self, content: Any = b"", *_: Any) -> bytes:
        if not isinstance(content, bytes):
            raise FeaturePickleError("A byte string lacks its bytes.")
        return content


class _MakeDict:
    """`collections.OrderedDict()`. As a plain dict it has no attributes that the stream could set."""

    __slots__ = ()

    def __call__(self, items: Any = ()) -> dict[Any, Any]:
        return dict(items)


class _MakeStorage:
    """torch's storage in a plain pickle: bytes, which torch would give to an unrestricted `torch.load`."""

    __slots__ = ()

    def __call__(self, content: Any) -> Any:
        if not isinstance(content, bytes):
            raise FeaturePickleError("A torch storage lacks its bytes.")
        import torch  # only files that hold tensors need it

        try:
            return torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
        except pickle.UnpicklingError as error:
            raise UnsafePickleError(f"Refused: a torch storage holds something else ({error}).") from error


class _MakeTensor:
    """`torch._utils._rebuild_tensor_v2(storage, offset, size, stride, ...)` as a numpy array."""

    __slots__ = ()

    def __call__(
        self, storage: Any, offset: int, size: tuple[int, ...], stride: tuple[int, ...], *_: Any
    ) -> np.ndarray:
        import torch  # only files that hold tensors need it

        if not isinstance(storage, torch.storage.TypedStorage):
            raise FeaturePickleError("A torch tensor lacks its storage.")
        if not storage.dtype.is_floating_point:
            raise FeaturePickleError(f"A torch tensor is of {storage.dtype}. Features must be floating-point.")
        # The private attribute, as in torch's own rebuilding code: the public way warns of a deprecation.
        flat = torch.tensor([], dtype=storage.dtype).set_(storage._untyped_storage)
        tensor = torch.as_strided(flat, size, stride, offset)  # checks that the tensor stays within the storage
        return tensor.to(torch.float32).contiguous().numpy()


class _Marker:
    """`numpy.ndarray`, which the stream passes to `_reconstruct` and must not call."""

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


def _object_array(shape: tuple[int, ...], items: list[Any]) -> Any:
    if int(np.prod(shape)) != len(items):
        raise FeaturePickleError("An object array has a list of another length.")
    # The axes beyond the first only nest the frames; (T, 1, D) of Python floats would have to be numbers, not objects.
    return items[0] if shape == () else items


def _as_array(value: Any, where: str) -> np.ndarray:
    if isinstance(value, np.ndarray):
        array = value
    elif isinstance(value, list):
        if not all(isinstance(frame, np.ndarray) for frame in value):
            other = next(type(frame).__name__ for frame in value if not isinstance(frame, np.ndarray))
            raise FeaturePickleError(f"{where}: Expected a list of arrays, but it holds a {other}.")
        shapes = {frame.shape for frame in value}
        if len(shapes) > 1:
            raise FeaturePickleError(f"{where}: The frames differ in shape: {sorted(shapes)}.")
        array = np.stack(value) if value else np.zeros((0,), dtype=np.float32)
    else:
        raise FeaturePickleError(f"{where}: Expected an array, tensor or list of arrays, not {type(value).__name__}.")
    if array.dtype.kind != "f":
        raise FeaturePickleError(f"{where}: Features of type {array.dtype}, expected floating-point.")
    with np.errstate(over="ignore"):
        return array.astype(np.float32, copy=False)


def _frames_by_size(array: np.ndarray, where: str) -> np.ndarray | None:
    """The array as (T, D), or None without frames."""
    shape = array.shape
    if array.size == 0 and 0 in (*shape[:-1], shape[0]):
        return None
    if array.ndim == 3 and shape[1] == 1:
        array = array[:, 0]
    elif array.ndim == 3 and shape[0] == 1:
        array = array[0]
    if array.ndim != 2 or array.shape[1] == 0:
        raise FeaturePickleError(f"{where}: Shape {shape}, expected (T, D), (T, 1, D) or (1, T, D).")
    bad = ~np.isfinite(array).all(axis=1)
    if bad.any():
        raise FeaturePickleError(f"{where}: A value that is not finite in frame {int(bad.argmax())}.")
    return np.ascontiguousarray(array)
