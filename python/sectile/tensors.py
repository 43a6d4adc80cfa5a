# This file is part of the Sectile project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Tensors of other libraries as arguments, and results of types that numpy lacks: DLPack both ways."""

from __future__ import annotations

import ctypes
from ctypes import (
    POINTER,
    c_char_p,
    c_int32,
    c_int64,
    c_uint8,
    c_uint16,
    c_uint32,
    c_uint64,
    c_void_p,
)
from typing import Any, NamedTuple, Optional, Tuple

import numpy as np

from .dtypes import BY_DLPACK, DTYPES, Array, dtype_code, storage_dtype, widen
from .errors import RunError, SectileError

# Devices whose memory the CPU reads as its own: CPU, CUDA's and ROCm's pinned host memory.
_HOST_DEVICES = (1, 3, 11)


class _DLTensor(ctypes.Structure):
    _fields_ = [
        ("data", c_void_p), ("device_type", c_int32), ("device_id", c_int32), ("ndim", c_int32),
        ("code", c_uint8), ("bits", c_uint8), ("lanes", c_uint16), ("shape", POINTER(c_int64)),
        ("strides", POINTER(c_int64)), ("byte_offset", c_uint64),
    ]  # fmt: skip


class _Versioned(ctypes.Structure):
    """The beginning of DLManagedTensorVersioned; DLManagedTensor begins with its DLTensor."""

    _fields_ = [
        ("major", c_uint32), ("minor", c_uint32), ("manager", c_void_p), ("deleter", c_void_p),
        ("flags", c_uint64), ("tensor", _DLTensor),
    ]  # fmt: skip


_is_valid = ctypes.pythonapi.PyCapsule_IsValid
_is_valid.argtypes = [ctypes.py_object, c_char_p]
_get_pointer = ctypes.pythonapi.PyCapsule_GetPointer
_get_pointer.argtypes = [ctypes.py_object, c_char_p]
_get_pointer.restype = c_void_p


def _look_inside(capsule: Any) -> _DLTensor:
    """The tensor that a capsule describes. The capsule stays its owner: it is not marked as consumed,
    and must be kept as long as the memory is used."""
    if _is_valid(capsule, b"dltensor_versioned"):
        versioned = _Versioned.from_address(_get_pointer(capsule, b"dltensor_versioned"))
        if versioned.major != 1:
            raise RunError(f"expects DLPack 1, but got version {versioned.major}.{versioned.minor}")
        tensor: _DLTensor = versioned.tensor
        return tensor
    if _is_valid(capsule, b"dltensor"):
        return _DLTensor.from_address(_get_pointer(capsule, b"dltensor"))
    raise RunError("expects __dlpack__ to return a capsule that nobody has used")


class Argument(NamedTuple):
    """Contiguous memory to read an input from."""

    address: int
    bytes: int
    dtype: int
    shape: Tuple[int, ...]
    owner: object  # keeps the memory


def read_argument(name: str, value: Any) -> Argument:
    """Input `name`'s memory: that of a numpy array or of a DLPack tensor on the host, without a copy
    where it is row-major, contiguous and aligned, else a contiguous copy."""
    if isinstance(value, np.ma.MaskedArray):
        raise RunError(f"input '{name}': expects no masked array, whose mask would be lost")
    if isinstance(value, (np.ndarray, np.generic)):
        array = np.require(value, requirements=["C", "A"])
        try:
            code = dtype_code(array.dtype)
        except SectileError as error:
            raise RunError(f"input '{name}': {error}") from None
        return Argument(array.ctypes.data, array.nbytes, code, array.shape, array)
    if isinstance(value, Tensor):
        return Argument(value.bits.ctypes.data, value.bits.nbytes, value.code, value.shape, value)
    if not hasattr(value, "__dlpack__"):
        raise RunError(
            f"input '{name}': expects a numpy array or a tensor with __dlpack__, "
            f"but got {type(value).__name__}"
        )
    try:
        return _read_dlpack(value)
    except Exception as error:  # whatever the other library raises
        raise RunError(f"input '{name}': {error}") from error


def _read_dlpack(value: Any) -> Argument:
    device = int(value.__dlpack_device__()[0])
    if device not in _HOST_DEVICES:
        raise RunError(f"expects memory of the host, but got DLPack's device type {device}")
    try:
        capsule = value.__dlpack__(max_version=(1, 0))
    except TypeError:  # a library that knows DLPack before version 1
        capsule = value.__dlpack__()
    tensor = _look_inside(capsule)
    code = BY_DLPACK.get((tensor.code, tensor.bits))
    if code is None or tensor.lanes != 1:
        raise RunError(
            f"no element type for DLPack's ({tensor.code}, {tensor.bits}, {tensor.lanes})"
        )
    shape = tuple(tensor.shape[i] for i in range(tensor.ndim))
    size = DTYPES[code].size
    count = int(np.prod(shape, dtype=np.int64))
    address = (tensor.data or 0) + tensor.byte_offset
    if count == 0 or (_is_contiguous(tensor, shape) and address % size == 0):
        return Argument(address, count * size, code, shape, capsule)
    strides = tuple(tensor.strides[i] * size for i in range(tensor.ndim))
    extent = sum((n - 1) * stride for n, stride in zip(shape, strides)) + size
    memory = (ctypes.c_char * extent).from_address(address)
    strided: Array = np.ndarray(shape, storage_dtype(code), memory, 0, strides)
    # A copy even where numpy would see none: rows of one element may have any stride.
    copy = np.array(strided, order="C")
    return Argument(copy.ctypes.data, copy.nbytes, code, shape, copy)


def _is_contiguous(tensor: _DLTensor, shape: Tuple[int, ...]) -> bool:
    if not tensor.strides:
        return True
    expected = 1
    for i in reversed(range(len(shape))):
        if shape[i] != 1 and tensor.strides[i] != expected:
            return False
        expected *= shape[i]
    return True


class Tensor:
    """A result of a type that numpy lacks (bfloat16, 8-bit floats). Libraries with DLPack take it as it
    is: ``torch.from_dlpack(tensor)``."""

    def __init__(self, bits: Array, code: int) -> None:
        self.bits = bits
        self.code = code

    @property
    def dtype(self) -> str:
        """Name of the element type, e.g. "bf16"."""
        return DTYPES[self.code].name

    @property
    def shape(self) -> Tuple[int, ...]:
        """Extents."""
        return self.bits.shape

    def float32(self) -> Array:
        """The values, each of which float32 holds."""
        return widen(self.code, self.bits).reshape(self.bits.shape)

    def numpy(self) -> Array:
        """The tensor as an array of ml_dtypes' type, without a copy. Needs ml_dtypes."""
        import ml_dtypes

        return self.bits.view(np.dtype(getattr(ml_dtypes, str(DTYPES[self.code].ml_dtypes))))

    def __dlpack_device__(self) -> Tuple[int, int]:
        return (1, 0)

    def __dlpack__(
        self,
        *,
        stream: Optional[int] = None,
        max_version: Optional[Tuple[int, int]] = None,
        dl_device: Optional[Tuple[int, int]] = None,
        copy: Optional[bool] = None,
    ) -> Any:
        if stream is not None or (dl_device is not None and tuple(dl_device) != (1, 0)):
            raise BufferError("expects no stream and no other device: the tensor is on the CPU")
        bits: Array = self.bits.copy() if copy else self.bits
        # numpy exports the bits, and owns them; what they mean is ours to say.
        try:
            capsule = bits.__dlpack__(max_version=max_version)  # type: ignore[call-arg,unused-ignore]
        except TypeError:  # before numpy 2.1
            capsule = bits.__dlpack__()
        tensor = _look_inside(capsule)
        tensor.code, tensor.bits = DTYPES[self.code].dlpack
        return capsule

    def __repr__(self) -> str:
        return f"sectile.Tensor({self.float32()!r}, dtype={self.dtype})"
