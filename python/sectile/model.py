# This file is part of the Sectile project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compiled models as Python functions."""

from __future__ import annotations

import ctypes
import os
import shutil
import tempfile
import weakref
from ctypes import c_int64
from dataclasses import dataclass
from typing import Any, Dict, List, Mapping, Optional, Tuple, Union

import numpy as np

from . import library as api
from .aliases import bind_alias, view_alias
from .benchmark import Benchmark, measure
from .dtypes import DTYPES, Array, storage_dtype
from .errors import RunError
from .runtime import Context, Package, PathLike
from .tensors import Argument, Tensor, read_argument

Result = Union[Array, Tensor]


@dataclass(frozen=True)
class TensorInfo:
    """An input or output. Extents known only at run time are expressions over the model's symbols."""

    name: str
    dtype: str
    shape: Tuple[Union[int, str], ...]

    def __str__(self) -> str:
        return f"{self.name}: {self.dtype}[{', '.join(map(str, self.shape))}]"


@dataclass(frozen=True)
class Alias:
    """Output `output` lives in the buffer of input `input`, laid out for `capacity` elements along `dim`."""

    input: str
    output: str
    dim: int
    capacity: Optional[int]  # None where `dim` has one size only


@dataclass(frozen=True)
class Kernel:
    """A kernel: which of the model's nodes it computes, and how it was built."""

    name: str
    nodes: Tuple[str, ...]
    description: str
    schedule: str


class Model:
    """A compiled model: call it with its inputs, in order or by name.

    Made by `sectile.compile` and `sectile.load`. May be called by several threads at once: each call
    takes a context of its own, and the interpreter lock is released while the model runs.
    """

    def __init__(
        self,
        path: PathLike,
        threads: int = 0,
        cpu_level: Optional[str] = None,
        device: Optional[str] = None,
    ) -> None:
        self.path = os.path.abspath(os.fsdecode(path))
        self.explanation = ""
        self._package = Package(self.path, threads, cpu_level, device)
        # What was loaded, also when another file has taken its name since.
        self._file = open(self.path, "rb")  # noqa: SIM115
        weakref.finalize(self, self._file.close)
        self._contexts: List[Context] = []
        self._process = os.getpid()
        lib, handle = self._package._library, self._package._handle
        info = self._package.info()
        self.name = api.text(info.model_name)
        self.threads = int(info.threads)
        level = api.query(api.LevelInfo, lib.sectile_package_get_level, handle, info.level)
        self.cpu_level = api.text(level.name)
        # Files beside the package that it needs, relative to its folder.
        self._weights = [api.text(info.weights_file)] if info.weights_file else []
        if info.num_pieces:
            pieces = (
                api.query(api.PieceInfo, lib.sectile_package_get_piece, handle, i)
                for i in range(info.num_pieces)
            )
            self._weights = [os.path.join(self._weights[0], api.text(p.name)) for p in pieces]
        raw = [
            [api.query(api.TensorInfo, get, handle, i) for i in range(count)]
            for get, count in (
                (lib.sectile_package_get_input, info.num_inputs),
                (lib.sectile_package_get_output, info.num_outputs),
            )
        ]
        self.inputs: Tuple[TensorInfo, ...] = tuple(map(_describe, raw[0]))
        self.outputs: Tuple[TensorInfo, ...] = tuple(map(_describe, raw[1]))
        self._dtypes = [int(tensor.dtype) for tensor in raw[1]]
        aliases = [
            api.query(api.AliasInfo, lib.sectile_package_get_alias, handle, i)
            for i in range(info.num_aliases)
        ]
        self._by_input = {int(a.input): (int(a.dim), int(a.capacity)) for a in aliases}
        self._by_output = {int(a.output): int(a.input) for a in aliases}
        self.aliases: Tuple[Alias, ...] = tuple(
            Alias(self.inputs[a.input].name, self.outputs[a.output].name, a.dim,
                  a.capacity if a.capacity >= 0 else None)
            for a in aliases
        )  # fmt: skip
        kernels = [
            api.query(api.KernelInfo, lib.sectile_package_get_kernel, handle, i)
            for i in range(info.num_kernels)
        ]
        self.kernels: Tuple[Kernel, ...] = tuple(
            Kernel(api.text(k.name), tuple(api.text(k.nodes).split(",")), api.text(k.description),
                   api.text(k.schedule))
            for k in kernels
        )  # fmt: skip

    def __call__(self, *inputs: Any, **named: Any) -> Union[Result, Tuple[Result, ...]]:
        """Runs the model on numpy arrays or DLPack tensors in host memory. Returns its output, or a
        tuple of them if there are several: new numpy arrays that the model wrote itself, or `Tensor`
        where numpy lacks the type.

        Arguments are read where they lie if they are row-major and contiguous, and are copied if not.
        An input that an output shares the buffer of (see `aliases`) is never copied.
        """
        names = [tensor.name for tensor in self.inputs]
        if len(inputs) > len(names):
            raise RunError(f"expects {len(names)} inputs {names}, but got {len(inputs)}")
        given = dict(zip(names, inputs))
        for name, value in named.items():
            if name in given:
                raise RunError(f"input '{name}' is given twice")
            given[name] = value
        results = tuple(self.run(given).values())
        return results[0] if len(results) == 1 else results

    def run(self, inputs: Mapping[str, Any]) -> Dict[str, Result]:
        """Like a call, with inputs and outputs by name."""
        names = [tensor.name for tensor in self.inputs]
        missing = [name for name in names if name not in inputs]
        unknown = [name for name in inputs if name not in names]
        if missing or unknown:
            raise RunError(f"expects inputs {names}, but got {list(inputs)}")
        if self.threads > 1 and os.getpid() != self._process:
            raise RunError(
                "the model was loaded before this process was forked, and its threads are not here: "
                "load it here, or with threads=1"
            )
        arguments = [self._bind(i, inputs[name]) for i, name in enumerate(names)]
        context = self._contexts.pop() if self._contexts else Context(self._package)
        try:
            return self._run(context, arguments)
        finally:
            self._contexts.append(context)

    def _bind(self, index: int, value: Any) -> Argument:
        name = self.inputs[index].name
        if index in self._by_input:
            return bind_alias(name, value, *self._by_input[index])
        return read_argument(name, value)

    def _run(self, context: Context, arguments: List[Argument]) -> Dict[str, Result]:
        slots = (api.Tensor * max(len(arguments), 1))()
        dims = [(c_int64 * len(argument.shape))(*argument.shape) for argument in arguments]
        for slot, argument, extents in zip(slots, arguments, dims):
            slot.data, slot.bytes, slot.dtype = argument.address, argument.bytes, argument.dtype
            slot.rank, slot.dims = len(argument.shape), extents
        outputs = (api.Tensor * max(len(self.outputs), 1))()
        # Shapes first, then the model writes into arrays that are the caller's from the start.
        context.call("infer_shapes", slots, outputs)
        arrays: List[Optional[Array]] = []
        for i, slot in enumerate(outputs[: len(self.outputs)]):
            shape = tuple(slot.dims[d] for d in range(slot.rank))
            array = (
                None if i in self._by_output else _allocate(shape, storage_dtype(self._dtypes[i]))
            )
            arrays.append(array)
            if array is not None:
                slot.data, slot.bytes = array.ctypes.data, array.nbytes
        context.call("run", slots, outputs)
        results: Dict[str, Result] = {}
        for i, (info, slot) in enumerate(zip(self.outputs, outputs)):
            array = arrays[i]
            if array is None:
                shape = tuple(slot.dims[d] for d in range(slot.rank))
                source = self._by_output[i]
                array = view_alias(arguments[source], shape, *self._by_input[source])
            elif array.shape != tuple(slot.dims[d] for d in range(slot.rank)):
                # Data decided on less than there was room for: the elements lie at the beginning.
                shape = tuple(slot.dims[d] for d in range(slot.rank))
                array = array.reshape(-1)[: int(np.prod(shape, dtype=np.int64))].reshape(shape)
            is_known = DTYPES[self._dtypes[i]].numpy is not None
            results[info.name] = array if is_known else Tensor(array, self._dtypes[i])
        return results

    def benchmark(
        self,
        inputs: Optional[Mapping[str, Any]] = None,
        *,
        dims: Optional[Mapping[str, int]] = None,
        repeat: Optional[int] = None,
    ) -> Benchmark:
        """Measures the model kernel by kernel, in a process of its own, by `sectile bench`.

        Inputs not given are random; `dims` gives their extents that are known only at run time.
        `repeat` is a number of rounds, by default as many as fit into 2 seconds.
        """
        return measure(self, inputs or {}, dims or {}, repeat)

    def save(self, path: PathLike) -> None:
        """Writes the package to `path`, whole or not at all."""
        target = os.path.abspath(os.fsdecode(path))
        folder = os.path.dirname(target)
        if folder != os.path.dirname(self.path):
            for name in self._weights:
                _copy_weights(os.path.join(os.path.dirname(self.path), name), os.path.join(folder, name))
        descriptor, temporary = tempfile.mkstemp(dir=folder, prefix=".sectile-")
        try:
            with (
                os.fdopen(descriptor, "wb") as out,
                os.fdopen(os.dup(self._file.fileno()), "rb") as package,
            ):
                package.seek(0)
                shutil.copyfileobj(package, out)
                os.fchmod(out.fileno(), os.fstat(self._file.fileno()).st_mode & 0o777)
            os.replace(temporary, target)
        except BaseException:
            os.unlink(temporary)
            raise

    def __repr__(self) -> str:
        sides = [", ".join(map(str, side)) for side in (self.inputs, self.outputs)]
        return f"<sectile.Model '{self.name}': ({sides[0]}) -> ({sides[1]})>"


def _copy_weights(source: str, target: str) -> None:
    """Copies a file of constants, whole or not at all."""
    os.makedirs(os.path.dirname(target), exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=os.path.dirname(target), prefix=".sectile-")
    os.close(descriptor)
    try:
        shutil.copy(source, temporary)
        os.replace(temporary, target)
    except BaseException:
        os.unlink(temporary)
        raise


def _describe(info: api.TensorInfo) -> TensorInfo:
    shape = tuple(
        int(info.dims[d]) if info.dims[d] >= 0 else api.text(info.dim_exprs[d])
        for d in range(info.rank)
    )
    return TensorInfo(api.text(info.name), DTYPES[info.dtype].name, shape)


def _allocate(shape: Tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    """An array that begins at a cache line, where vectors are stored fastest."""
    count = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
    room = np.empty(count + 64, np.uint8)
    begin = -room.ctypes.data % 64
    return room[begin : begin + count].view(dtype).reshape(shape)


def load(
    path: PathLike,
    *,
    threads: int = 0,
    cpu_level: Optional[str] = None,
    device: Optional[str] = None,
) -> Model:
    """Loads a package that `Model.save` or `sectile compile` wrote.

    A package is native code, which loading and running execute: load only what you trust. `threads`
    share the work of a kernel (default: SECTILE_NUM_THREADS, else the CPUs this thread may use);
    `cpu_level` is one of the package's instruction-set levels (default: the best this CPU has).
    `device` is "cpu", or a GPU that the package has code for: "cuda", "hip", or one by number, "cuda:1".
    Arrays stay in memory of the host, and are copied.
    """
    return Model(path, threads, cpu_level, device)
