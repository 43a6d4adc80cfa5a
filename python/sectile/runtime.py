# This file is part of the Sectile project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Packages and contexts as sectile.h has them; sectile.Model is the convenient way to run one."""

from __future__ import annotations

import ctypes
import os
from ctypes import byref, c_int64, c_void_p
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Union

import numpy as np

from . import library as api
from .dtypes import Array, dtype_code, storage_dtype, widen
from .errors import LoadError, RunError
from .library import library

PathLike = Union[str, "os.PathLike[str]"]


class Package:
    """A loaded package. Loading one runs its code: load only what you trust.

    `threads` is the number of threads that share a kernel's work, `cpu_level` an instruction-set
    level, `device` a GPU ("cuda", "hip", "cuda:1"); the defaults are the library's, and the CPU.
    """

    def __init__(
        self,
        path: PathLike,
        threads: int = 0,
        cpu_level: Optional[str] = None,
        device: Optional[str] = None,
    ) -> None:
        self._library = library()
        self._handle: Optional[c_void_p] = c_void_p()
        options = api.PackageOptions(size=ctypes.sizeof(api.PackageOptions), threads=threads)
        if cpu_level is not None:
            options.cpu_level = cpu_level.encode()
        if device is not None and device != "cpu":
            options.device_name = device.encode()
        message = ctypes.create_string_buffer(api.MESSAGE_BYTES)
        status = self._library.sectile_package_load(
            os.fsencode(path), byref(options), byref(self._handle), message, api.MESSAGE_BYTES
        )
        if status:
            raise LoadError(message.value.decode(errors="replace"))
        info = self.info()
        self.inputs = self._names(self._library.sectile_package_get_input, info.num_inputs)
        self.outputs = self._names(self._library.sectile_package_get_output, info.num_outputs)

    def info(self) -> api.PackageInfo:
        """Facts about the package as a whole."""
        return api.query(api.PackageInfo, self._library.sectile_package_get_info, self._handle)

    def _names(self, get: Callable[..., int], count: int) -> List[str]:
        return [
            api.text(api.query(api.TensorInfo, get, self._handle, i).name) for i in range(count)
        ]

    def __del__(self) -> None:
        if getattr(self, "_handle", None):
            self._library.sectile_package_release(self._handle)
            self._handle = None


class Context:
    """What one inference at a time needs; contexts of one package share its weights."""

    def __init__(self, package: Package, threads: int = 0) -> None:
        self.package = package
        self._library = package._library
        self._handle: Optional[c_void_p] = c_void_p()
        options = api.ContextOptions(size=ctypes.sizeof(api.ContextOptions), threads=threads)
        message = ctypes.create_string_buffer(api.MESSAGE_BYTES)
        status = self._library.sectile_context_create(
            package._handle, byref(options), byref(self._handle), message, api.MESSAGE_BYTES
        )
        if status:
            raise LoadError(message.value.decode(errors="replace"))

    def __del__(self) -> None:
        if getattr(self, "_handle", None):
            self._library.sectile_context_destroy(self._handle)
            self._handle = None

    def call(self, function: str, inputs: Any, outputs: Any) -> None:
        """Calls sectile_context_FUNCTION on arrays of api.Tensor; raises RunError with its message."""
        call = getattr(self._library, f"sectile_context_{function}")
        counts = len(self.package.inputs), len(self.package.outputs)
        if call(self._handle, inputs, counts[0], outputs, counts[1]):
            raise RunError(api.text(self._library.sectile_context_message(self._handle)))

    def prepare(self, inputs: Mapping[str, Array]) -> "Call":
        """Arguments for repeated runs on the same arrays."""
        missing = [name for name in self.package.inputs if name not in inputs]
        if missing:
            raise RunError(f"expects inputs {missing}")
        return Call(self, [inputs[name] for name in self.package.inputs])

    def run(self, inputs: Mapping[str, Array]) -> Dict[str, Array]:
        """Runs the model once; returns copies of its outputs."""
        call = self.prepare(inputs)
        call.run()
        return call.outputs()


class Call:
    """Inputs bound to a context; `run` does nothing but call the library."""

    def __init__(self, context: Context, arrays: Sequence[Array]) -> None:
        self._context = context
        self._arrays = [np.asarray(array, order="C") for array in arrays]
        self._dims = [(c_int64 * a.ndim)(*a.shape) for a in self._arrays]
        self._inputs = (api.Tensor * max(len(self._arrays), 1))()
        for slot, array, dims in zip(self._inputs, self._arrays, self._dims):
            slot.data, slot.bytes = array.ctypes.data, array.nbytes
            slot.dtype, slot.rank, slot.dims = dtype_code(array.dtype), array.ndim, dims
        self._outputs = (api.Tensor * max(len(context.package.outputs), 1))()

    def run(self) -> None:
        """Runs the model; outputs stay in the context's memory."""
        for slot in self._outputs:
            slot.data = None
        self._context.call("run", self._inputs, self._outputs)

    def outputs(self) -> Dict[str, Array]:
        """Copies of the last run's outputs."""
        result = {}
        for name, slot in zip(self._context.package.outputs, self._outputs):
            shape = tuple(slot.dims[i] for i in range(slot.rank))
            dtype = storage_dtype(slot.dtype)
            count = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
            raw = ctypes.string_at(slot.data, count) if count else b""
            array: Array = np.frombuffer(raw, dtype)
            result[name] = widen(slot.dtype, array).reshape(shape).copy()
        return result
