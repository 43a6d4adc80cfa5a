# This file is part of the Sectile project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The structures and functions of sectile.h that running a package needs."""

from __future__ import annotations

import ctypes
import functools
import os
from ctypes import (
    POINTER,
    byref,
    c_char_p,
    c_int32,
    c_int64,
    c_size_t,
    c_uint32,
    c_uint64,
    c_void_p,
)
from typing import Dict, List, Mapping, Optional, Sequence, Union

import numpy as np

_API_VERSION = 1
_MESSAGE_BYTES = 4096

_DTYPES = {
    1: np.float32, 2: np.float64, 3: np.float16, 5: np.int8, 6: np.int16, 7: np.int32,
    8: np.int64, 9: np.uint8, 10: np.uint16, 11: np.uint32, 12: np.uint64, 13: np.bool_,
}  # fmt: skip
_CODES = {np.dtype(dtype): code for code, dtype in _DTYPES.items()}
_BFLOAT16 = 4
# Exponent bits, bias, and whether the type is without negative zero and infinities.
_SMALL_FLOATS = {14: (4, 7, False), 15: (4, 8, True), 16: (5, 15, False), 17: (5, 16, True)}
# Types that numpy knows where ml_dtypes is installed.
_NAMES = {
    "bfloat16": 4, "float8_e4m3fn": 14, "float8_e4m3fnuz": 15, "float8_e5m2": 16, "float8_e5m2fnuz": 17,
}  # fmt: skip


class SectileError(Exception):
    """A call of the library failed; the text is the library's message."""


def _dtype_code(dtype: np.dtype) -> int:
    """The library's number for an element type."""
    code = _CODES.get(dtype, _NAMES.get(dtype.name))
    if code is None:
        raise SectileError(f"no element type for {dtype}")
    return code


def _widen(code: int, array: np.ndarray) -> np.ndarray:
    """The values of narrow floats' bits as float32; other types as they are."""
    if code == _BFLOAT16:
        return (array.astype(np.uint32) << 16).view(np.float32)
    if code not in _SMALL_FLOATS:
        return array
    exponent_bits, bias, is_fnuz = _SMALL_FLOATS[code]
    mantissa_bits = 7 - exponent_bits
    codes = np.arange(256)
    exponent, mantissa = (codes >> mantissa_bits) & (2**exponent_bits - 1), codes & (2**mantissa_bits - 1)
    value = np.ldexp(mantissa + np.where(exponent > 0, 2.0**mantissa_bits, 0),
                     np.maximum(exponent, 1) - bias - mantissa_bits)
    if is_fnuz:
        value[0x80] = np.nan
    elif exponent_bits == 5:
        value[exponent == 31] = np.where(mantissa[exponent == 31] == 0, np.inf, np.nan)
    else:
        value[codes & 0x7F == 0x7F] = np.nan
    return np.where(codes & 0x80, -value, value).astype(np.float32)[array]


class _PackageOptions(ctypes.Structure):
    _fields_ = [
        ("size", c_size_t), ("cpu_level", c_char_p), ("threads", c_uint32),
        ("reserved", c_uint32), ("parallel_for", c_void_p), ("parallel_for_user", c_void_p),
        ("allocate", c_void_p), ("deallocate", c_void_p), ("allocator_user", c_void_p),
        ("log", c_void_p), ("log_user", c_void_p),
    ]  # fmt: skip


class _PackageInfo(ctypes.Structure):
    _fields_ = [
        ("size", c_size_t), ("compiler_version", c_char_p), ("model_name", c_char_p),
        ("compile_options", c_char_p), ("target", c_char_p), ("num_inputs", c_uint32),
        ("num_outputs", c_uint32), ("num_symbols", c_uint32), ("num_aliases", c_uint32),
        ("num_targets", c_uint32), ("num_kernels", c_uint32), ("num_levels", c_uint32),
        ("level", c_uint32), ("threads", c_uint32), ("reserved", c_uint32),
    ]  # fmt: skip


class _TensorInfo(ctypes.Structure):
    _fields_ = [
        ("size", c_size_t), ("name", c_char_p), ("dtype", c_int32), ("rank", c_int32),
        ("dims", POINTER(c_int64)), ("dim_exprs", POINTER(c_char_p)), ("alias", c_int32),
        ("reserved", c_int32),
    ]  # fmt: skip


class _ContextOptions(ctypes.Structure):
    _fields_ = [
        ("size", c_size_t), ("threads", c_uint32), ("reserved", c_uint32),
        ("kernel_hook", c_void_p), ("kernel_hook_user", c_void_p),
    ]  # fmt: skip


class _Tensor(ctypes.Structure):
    _fields_ = [
        ("data", c_void_p), ("bytes", c_uint64), ("dtype", c_int32), ("rank", c_int32),
        ("dims", POINTER(c_int64)), ("reserved", c_uint64),
    ]  # fmt: skip


@functools.lru_cache(maxsize=None)
def library() -> ctypes.CDLL:
    """The loaded runtime library, its interface version checked."""
    root = os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "..")
    built = os.path.join(root, "build", "lib", "libsectile.so")
    path = os.environ.get("SECTILE_LIBRARY") or (
        built if os.path.exists(built) else "libsectile.so"
    )
    lib = ctypes.CDLL(path)
    lib.sectile_api_version.restype = c_uint32
    if lib.sectile_api_version() != _API_VERSION:
        raise SectileError(
            f"{path}: expects interface version {_API_VERSION}, but got {lib.sectile_api_version()}"
        )
    lib.sectile_package_load.argtypes = [
        c_char_p, POINTER(_PackageOptions), POINTER(c_void_p), c_char_p, c_size_t,
    ]  # fmt: skip
    lib.sectile_package_release.argtypes = [c_void_p]
    lib.sectile_package_get_info.argtypes = [c_void_p, POINTER(_PackageInfo)]
    for name in ("sectile_package_get_input", "sectile_package_get_output"):
        getattr(lib, name).argtypes = [c_void_p, c_uint32, POINTER(_TensorInfo)]
    lib.sectile_context_create.argtypes = [
        c_void_p, POINTER(_ContextOptions), POINTER(c_void_p), c_char_p, c_size_t,
    ]  # fmt: skip
    lib.sectile_context_destroy.argtypes = [c_void_p]
    lib.sectile_context_message.argtypes = [c_void_p]
    lib.sectile_context_message.restype = c_char_p
    lib.sectile_context_run.argtypes = [
        c_void_p, POINTER(_Tensor), c_size_t, POINTER(_Tensor), c_size_t,
    ]  # fmt: skip
    return lib


class Package:
    """A loaded package. Loading one runs its code: load only what you trust.

    `threads` is the number of threads that share a kernel's work, `cpu_level` an instruction-set
    level; the defaults are the library's.
    """

    def __init__(
        self, path: Union[str, os.PathLike], threads: int = 0, cpu_level: Optional[str] = None
    ) -> None:
        self._library = library()
        self._handle = c_void_p()
        options = _PackageOptions(size=ctypes.sizeof(_PackageOptions), threads=threads)
        if cpu_level is not None:
            options.cpu_level = cpu_level.encode()
        message = ctypes.create_string_buffer(_MESSAGE_BYTES)
        status = self._library.sectile_package_load(
            os.fsencode(path), byref(options), byref(self._handle), message, _MESSAGE_BYTES
        )
        if status:
            raise SectileError(message.value.decode(errors="replace"))
        info = _PackageInfo(size=ctypes.sizeof(_PackageInfo))
        self._library.sectile_package_get_info(self._handle, byref(info))
        self.inputs = self._names(self._library.sectile_package_get_input, info.num_inputs)
        self.outputs = self._names(self._library.sectile_package_get_output, info.num_outputs)

    def _names(self, query: ctypes._CFuncPtr, count: int) -> List[str]:
        names = []
        for i in range(count):
            info = _TensorInfo(size=ctypes.sizeof(_TensorInfo))
            query(self._handle, i, byref(info))
            names.append(info.name.decode(errors="replace"))
        return names

    def __del__(self) -> None:
        if getattr(self, "_handle", None):
            self._library.sectile_package_release(self._handle)
            self._handle = None


class Context:
    """What one inference at a time needs; contexts of one package share its weights."""

    def __init__(self, package: Package, threads: int = 0) -> None:
        self.package = package
        self._library = package._library
        self._handle = c_void_p()
        options = _ContextOptions(size=ctypes.sizeof(_ContextOptions), threads=threads)
        message = ctypes.create_string_buffer(_MESSAGE_BYTES)
        status = self._library.sectile_context_create(
            package._handle, byref(options), byref(self._handle), message, _MESSAGE_BYTES
        )
        if status:
            raise SectileError(message.value.decode(errors="replace"))

    def __del__(self) -> None:
        if getattr(self, "_handle", None):
            self._library.sectile_context_destroy(self._handle)
            self._handle = None

    def prepare(self, inputs: Mapping[str, np.ndarray]) -> "Call":
        """Arguments for repeated runs on the same arrays."""
        missing = [name for name in self.package.inputs if name not in inputs]
        if missing:
            raise SectileError(f"expects inputs {missing}")
        return Call(self, [inputs[name] for name in self.package.inputs])

    def run(self, inputs: Mapping[str, np.ndarray]) -> Dict[str, np.ndarray]:
        """Runs the model once; returns copies of its outputs."""
        call = self.prepare(inputs)
        call.run()
        return call.outputs()


class Call:
    """Inputs bound to a context; `run` does nothing but call the library."""

    def __init__(self, context: Context, arrays: Sequence[np.ndarray]) -> None:
        self._context = context
        self._arrays = [np.asarray(array, order="C") for array in arrays]
        self._dims = [(c_int64 * a.ndim)(*a.shape) for a in self._arrays]
        self._inputs = (_Tensor * max(len(self._arrays), 1))()
        for slot, array, dims in zip(self._inputs, self._arrays, self._dims):
            slot.data, slot.bytes = array.ctypes.data, array.nbytes
            slot.dtype, slot.rank, slot.dims = _dtype_code(array.dtype), array.ndim, dims
        self._outputs = (_Tensor * max(len(context.package.outputs), 1))()
        self._counts = (len(self._arrays), len(context.package.outputs))

    def run(self) -> None:
        """Runs the model; outputs stay in the context's memory."""
        for slot in self._outputs:
            slot.data = None
        library, handle = self._context._library, self._context._handle
        inputs, outputs = self._counts
        if library.sectile_context_run(handle, self._inputs, inputs, self._outputs, outputs):
            message = library.sectile_context_message(handle)
            raise SectileError(message.decode(errors="replace"))

    def outputs(self) -> Dict[str, np.ndarray]:
        """Copies of the last run's outputs."""
        result = {}
        for name, slot in zip(self._context.package.outputs, self._outputs):
            shape = tuple(slot.dims[i] for i in range(slot.rank))
            narrow = np.uint8 if slot.dtype in _SMALL_FLOATS else np.uint16
            dtype = np.dtype(_DTYPES.get(slot.dtype, narrow))
            count = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
            raw = ctypes.string_at(slot.data, count) if count else b""
            array = np.frombuffer(raw, dtype)
            result[name] = _widen(slot.dtype, array).reshape(shape).copy()
        return result
