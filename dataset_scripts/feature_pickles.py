# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""The released feature pickles, read without running anything that they contain.

A pickle is a program: `pickle.load` of a downloaded file runs whatever its author wrote. Here the stream may use a
handful of names only (those with which numpy writes arrays and torch CPU tensors, and OrderedDict), and each of them
resolves to an object of this module that notes the content and checks it. numpy's own `__setstate__` never sees the
stream either: a forged dtype state could make it read raw bytes as pointers. Every other name is refused.

A few bytes of a pickle can also claim all memory or all time: by a length, a place in the memo, one array under many
ids, lists within lists, tuples as keys. So lengths are compared with the file, everything that copies content counts
in a `Budget` in proportion to the file, and no nesting is followed that features do not have.
"""

from __future__ import annotations

import io
import math
import pickle
import reprlib
import struct
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, BinaryIO, ClassVar, Literal

import numpy as np

from .errors import UserError


class FeaturePickleError(UserError):
    """A feature pickle that is broken or holds something else. The message names file and id."""


class UnsafePickleError(FeaturePickleError):
    """A feature pickle that uses a name which is not allowed. The message gives the dotted name."""


class Budget:
    """Memory that the content of a file may take.

    Half precision doubles in size and old protocols copy their bytes once, so honest files stay below four times their
    size. The constant leaves room for small files whose ids share an array, such as a placeholder.

    Args:
        file_size: Size of the file in bytes.
    """

    def __init__(self, file_size: int):
        self.left = 4 * file_size + 2**26

    def take(self, size: int) -> None:
        """Count bytes that are about to be copied.

        Raises:
            FeaturePickleError: The file claims more than an honest file of its size.
        """
        self.left -= size
        if self.left < 0:
            raise FeaturePickleError("The content claims far more memory than the file has bytes.")


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
    budget = Budget(path.stat().st_size)
    content = _unpickle(path, budget)
    if not isinstance(content, dict):
        raise FeaturePickleError(f"{path}: The file holds a {_kind(content)}, not a dict of id -> features.")
    features: dict[str, np.ndarray] = {}
    expected = feature_size
    while content:
        clip_id, value = content.popitem()  # frees memory on the way
        where = f"{path}, id {clip_id!r}"
        if not isinstance(clip_id, str):
            raise FeaturePickleError(f"{where}: Ids must be strings, not {type(clip_id).__name__}.")
        try:
            array = _frames_by_size(_as_array(value, budget))
        except FeaturePickleError as error:
            raise type(error)(f"{where}: {error}") from error
        except Exception as error:  # shapes, strides and bytes that do not fit each other end in several of them
            raise FeaturePickleError(f"{where}: Broken features ({type(error).__name__}: {error}).") from error
        if array is not None and expected is None:
            expected = array.shape[1]
        if array is not None and array.shape[1] != expected:
            raise FeaturePickleError(
                f"{where}: Features of size {array.shape[1]}, expected {expected}. "
                f"If the whole file has size {array.shape[1]}, give that by "
                f"--dataset_options.video_feature_size or audio_feature_size."
            )
        features[clip_id] = array if array is not None else np.zeros((0, 0), dtype=np.float32)
    empty = np.zeros((0, expected or 0), dtype=np.float32)
    return {clip_id: array if len(array) else empty for clip_id, array in reversed(features.items())}


def _unpickle(path: Path, budget: Budget) -> Any:
    with open(path, "rb") as file:
        if file.read(4) == _ZIP:
            raise FeaturePickleError(
                f"{path}: The file is a zip archive, as torch.save writes it, not a pickle. "
                "Open it with torch.load(weights_only=True) and store its tensors as arrays with pickle.dump."
            )
        file.seek(0)
        try:
            return _FeatureUnpickler(_CheckedFile(file, path.stat().st_size), budget).load()
        except FeaturePickleError as error:
            raise type(error)(f"{path}: {error}") from error
        except MemoryError as error:
            raise FeaturePickleError(f"{path}: The file claims more data than memory holds.") from error
        except Exception as error:  # a broken stream can end in nearly any of them
            raise FeaturePickleError(
                f"{path}: Truncated or not a pickle ({type(error).__name__}: {error})."
            ) from error


_ZIP = b"PK\x03\x04"


class _CheckedFile:
    """A file that compares each length with the bytes that are left, before it makes room for them."""

    def __init__(self, file: BinaryIO, size: int):
        self.file, self.size = file, size
        self.readline = file.readline

    def read(self, length: int) -> bytes:
        if length > self.size - self.file.tell():
            raise EOFError("a length beyond the end of the file")
        return self.file.read(length)


def _checked_keys(keys: Iterable[Any]) -> None:
    """Refuse keys that hold others: the hash of tuples within tuples takes time without end."""
    for key in keys:
        if isinstance(key, tuple):
            raise FeaturePickleError("Ids must be strings, not tuples.")


# Python's own unpickler, not the one in C, which makes room for every place in the memo up to the one that the stream
# names, and hashes any key. Its methods are part of no type stubs.
_PythonUnpickler: Any = pickle._Unpickler
# Sets hash their members; extensions are names that another module has registered.
_LEFT_OUT = (pickle.EMPTY_SET, pickle.ADDITEMS, pickle.FROZENSET, pickle.EXT1, pickle.EXT2, pickle.EXT4)


class _FeatureUnpickler(_PythonUnpickler):
    dispatch: ClassVar[dict[int, Any]] = {
        code: load for code, load in _PythonUnpickler.dispatch.items() if bytes([code]) not in _LEFT_OUT
    }

    def __init__(self, file: _CheckedFile, budget: Budget):
        super().__init__(file)
        self.allowed = _allowed_names(budget)

    def find_class(self, module: str, name: str) -> Any:
        allowed = self.allowed.get(f"{module}.{name}")
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

    def load_setitem(self) -> None:
        _checked_keys(self.stack[-2:-1])
        super().load_setitem()

    def load_setitems(self) -> None:
        _checked_keys(self.stack[::2])
        super().load_setitems()

    def load_dict(self) -> None:
        _checked_keys(self.stack[::2])
        super().load_dict()

    def load_bytearray8(self) -> None:
        # The inherited method makes room before it reads.
        self.append(bytearray(self.read(*struct.unpack("<Q", self.read(8)))))

    dispatch |= {
        pickle.SETITEM[0]: load_setitem,
        pickle.SETITEMS[0]: load_setitems,
        pickle.DICT[0]: load_dict,
        pickle.BYTEARRAY8[0]: load_bytearray8,
    }


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
            raise FeaturePickleError(f"A numpy dtype is {reprlib.repr(code)}. Features must be floating-point.")
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
            raise FeaturePickleError(f"A numpy array has the shape {reprlib.repr(shape)}.")
        self.shape, self.dtype, self.order, self.content = shape, dtype, order, content

    @property
    def holds_objects(self) -> bool:
        """Whether the array holds other arrays."""
        if self.shape is None:
            raise FeaturePickleError("A numpy array lacks its data.")
        return self.dtype.code.startswith("O")

    def objects(self) -> Any:
        """Return the list of an object array, or the item of one without axes."""
        assert self.shape is not None
        if not isinstance(self.content, list):
            raise FeaturePickleError("An object array lacks its list.")
        if math.prod(self.shape) != len(self.content):
            raise FeaturePickleError("An object array has a list of another length.")
        # The axes beyond the first only nest the frames; (T, 1, D) of Python floats would be numbers, not objects.
        return self.content[0] if self.shape == () else self.content

    def resolve(self, budget: Budget) -> np.ndarray:
        """Return the real array of an array of numbers."""
        assert self.shape is not None
        if not isinstance(self.content, bytes | bytearray):
            raise FeaturePickleError("A numpy array lacks its bytes.")
        budget.take(4 * math.prod(self.shape))
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

    __slots__ = ("budget",)

    def __init__(self, budget: Budget):
        self.budget = budget

    def __call__(self, text: str, encoding: str = "latin1") -> bytes:
        if not isinstance(text, str) or encoding != "latin1":
            raise FeaturePickleError("Bytes have an unknown encoding.")
        self.budget.take(len(text))
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

    __slots__ = ("budget",)

    def __init__(self, budget: Budget):
        self.budget = budget

    def __call__(self, items: Any = ()) -> dict[Any, Any]:
        self.budget.take(100 * len(items))
        _checked_keys(key for key, _ in items)
        return dict(items)


class _MakeStorage:
    """torch's storage in a plain pickle: bytes, which torch would give to an unrestricted `torch.load`."""

    __slots__ = ("budget",)

    def __init__(self, budget: Budget):
        self.budget = budget

    def __call__(self, content: Any) -> _Storage:
        if not isinstance(content, bytes):
            raise FeaturePickleError("A torch storage lacks its bytes.")
        if content.startswith(_ZIP):
            raise FeaturePickleError("A torch storage is a zip archive, which torch does not write in a pickle.")
        self.budget.take(len(content))
        import torch  # only files that hold tensors need it

        try:
            storage = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
        except pickle.UnpicklingError as error:
            raise UnsafePickleError(f"Refused: a torch storage holds something else ({error}).") from error
        if not isinstance(storage, torch.storage.TypedStorage):
            raise FeaturePickleError("A torch tensor lacks its storage.")
        if not storage.dtype.is_floating_point:
            raise FeaturePickleError(f"A torch tensor is of {storage.dtype}. Features must be floating-point.")
        return _Storage(storage)


class _Storage:
    """A torch storage that the stream cannot change."""

    __slots__ = ("values",)

    def __init__(self, storage: Any):
        import torch  # loaded already

        # The private attribute, as in torch's own rebuilding code: the public way warns of a deprecation.
        self.values = torch.tensor([], dtype=storage.dtype).set_(storage._untyped_storage)

    def __setstate__(self, state: Any) -> None:
        raise FeaturePickleError("A torch storage has a state.")


class _Tensor:
    """The pickled form of a torch tensor."""

    __slots__ = ("offset", "shape", "storage", "stride")

    def __init__(self, storage: _Storage, offset: int, shape: tuple[int, ...], stride: tuple[int, ...]):
        self.storage, self.offset, self.shape, self.stride = storage, offset, shape, stride

    def __setstate__(self, state: Any) -> None:
        raise FeaturePickleError("A torch tensor has a state.")

    def resolve(self, budget: Budget) -> np.ndarray:
        """Return the tensor as an array."""
        import torch  # loaded already

        values = self.storage.values
        # A stride of 0 would make many values of one.
        if math.prod(self.shape) > len(values):
            raise FeaturePickleError(
                f"A torch tensor of shape {self.shape} is out of bounds of its storage of {len(values)} values."
            )
        budget.take(4 * math.prod(self.shape))
        tensor = torch.as_strided(values, self.shape, self.stride, self.offset)  # checks the bounds, too
        return tensor.to(torch.float32).contiguous().numpy()


class _MakeTensor:
    """`torch._utils._rebuild_tensor_v2(storage, offset, size, stride, ...)`."""

    __slots__ = ()

    def __call__(self, storage: Any, offset: Any, shape: Any, stride: Any, *_: Any) -> _Tensor:
        if not isinstance(storage, _Storage):
            raise FeaturePickleError("A torch tensor lacks its storage.")
        if not all(isinstance(numbers, tuple) for numbers in (shape, stride)):
            raise FeaturePickleError("A torch tensor lacks its shape.")
        if not all(isinstance(number, int) and number >= 0 for number in (offset, *shape, *stride)):
            raise FeaturePickleError("The shape, strides or offset of a torch tensor are no numbers from 0.")
        return _Tensor(storage, offset, shape, stride)


class _Marker:
    """`numpy.ndarray`, which the stream passes to `_reconstruct` and must not call."""

    __slots__ = ()


def _allowed_names(budget: Budget) -> dict[str, Callable[..., Any] | _Marker]:
    names: dict[str, Callable[..., Any] | _Marker] = {
        "_codecs.encode": _EncodeLatin1(budget),
        "builtins.bytearray": _MakeBytes(),
        "builtins.bytes": _MakeBytes(),
        "__builtin__.bytes": _MakeBytes(),
        "__builtin__.bytearray": _MakeBytes(),
        "collections.OrderedDict": _MakeDict(budget),
        "numpy.dtype": _MakeDtype(),
        "numpy.ndarray": _Marker(),
        "torch._utils._rebuild_tensor_v2": _MakeTensor(),
        "torch.storage._load_from_bytes": _MakeStorage(budget),
    }
    for core in ("numpy.core", "numpy._core"):  # numpy 1 and numpy 2
        names[f"{core}.multiarray._reconstruct"] = _MakeArray()
        names[f"{core}.numeric._frombuffer"] = _MakeArrayFromBuffer()
    return names


# Object arrays without axes within each other, of which features have at most one.
_MOST_WRAPPERS = 4
# Bytes of an array's own objects: a list may name one empty frame a million times.
_OBJECT_SIZE = 128


def _unwrapped(value: Any) -> Any:
    """The list of an object array; other values as they are."""
    for _ in range(_MOST_WRAPPERS):
        if not isinstance(value, _Array) or not value.holds_objects:
            return value
        value = value.objects()
    raise FeaturePickleError("Object arrays within each other.")


def _kind(value: Any) -> str:
    return "array" if isinstance(value, _Array | _Tensor) else type(value).__name__


def _as_array(value: Any, budget: Budget) -> np.ndarray:
    value = _unwrapped(value)
    if isinstance(value, _Array | _Tensor):
        array = value.resolve(budget)
    elif isinstance(value, list | tuple):
        frames: list[np.ndarray] = []
        for item in value:
            frame = _unwrapped(item)
            budget.take(_OBJECT_SIZE)
            if not isinstance(frame, _Array | _Tensor):
                raise FeaturePickleError(f"Expected a list of arrays, but it holds a {_kind(frame)}.")
            frames.append(frame.resolve(budget))
        shapes = {frame.shape for frame in frames}
        if len(shapes) > 1:
            raise FeaturePickleError(f"The frames differ in shape: {reprlib.repr(sorted(shapes))}.")
        array = np.stack(frames) if frames else np.zeros((0,), dtype=np.float32)
    else:
        raise FeaturePickleError(f"Expected an array, tensor or list of arrays, not {_kind(value)}.")
    if array.dtype.kind != "f":
        raise FeaturePickleError(f"Features of type {array.dtype}, expected floating-point.")
    with np.errstate(over="ignore"):
        return array.astype(np.float32, copy=False)


def _frames_by_size(array: np.ndarray) -> np.ndarray | None:
    """The array as (T, D), or None without frames."""
    shape = array.shape
    if array.size == 0 and 0 in (*shape[:-1], shape[0]):
        return None
    if array.ndim == 3 and shape[1] == 1:
        array = array[:, 0]
    elif array.ndim == 3 and shape[0] == 1:
        array = array[0]
    if array.ndim != 2 or array.shape[1] == 0:
        raise FeaturePickleError(f"Shape {shape}, expected (T, D), (T, 1, D) or (1, T, D).")
    bad = ~np.isfinite(array).all(axis=1)
    if bad.any():
        raise FeaturePickleError(f"A value that is not finite in frame {int(bad.argmax())}.")
    return np.ascontiguousarray(array)
