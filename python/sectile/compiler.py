# This file is part of the Sectile project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compiling and checking models."""

from __future__ import annotations

import os
import tempfile
import warnings
import weakref
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Iterator, List, Mapping, Optional, Sequence, Tuple, Union

from .errors import CompileError, CompileWarning
from .model import Model
from .program import messages, run_program
from .runtime import PathLike

ModelSource = Union[str, "os.PathLike[str]", bytes, Any]
"""A path of an .onnx or .mlir file, the bytes of an ONNX model, or an onnx.ModelProto."""


@dataclass(frozen=True)
class Gap:
    """Something in a model that cannot be compiled."""

    message: str  # names the node, its operator, types and shapes, and the reason
    help: str  # what to do about it; may be empty

    def __str__(self) -> str:
        return self.message + (f" ({self.help})" if self.help else "")


@contextmanager
def _as_file(model: ModelSource) -> Iterator[Tuple[str, str]]:
    """The path of a file that holds the model, and what messages should call it."""
    if isinstance(model, (str, os.PathLike)):
        path = os.path.abspath(os.fsdecode(model))
        yield path, path
        return
    if isinstance(model, (bytes, bytearray, memoryview)):
        data, name = bytes(model), "<bytes>"
    elif hasattr(model, "SerializeToString"):
        name = f"<{type(model).__name__}>"
        try:
            data = model.SerializeToString()
        except Exception as error:  # protobuf's own, e.g. beyond 2 GB
            raise CompileError(
                f"{name} cannot be serialized: {error}; save it with external data and compile the file"
            ) from error
    else:
        raise TypeError(
            f"expects a path, bytes or an onnx.ModelProto, but got {type(model).__name__}"
        )
    with tempfile.TemporaryDirectory(prefix="sectile-") as folder:
        path = os.path.join(folder, "model.onnx")
        with open(path, "wb") as file:
            file.write(data)
        yield path, name


def dims_option(dims: Optional[Mapping[str, int]]) -> List[str]:
    """The option of the command line for sizes by name."""
    for name, size in (dims or {}).items():
        if isinstance(size, bool) or not hasattr(size, "__index__") or int(size) < 0:
            raise CompileError(
                f"expects dims[{name!r}] to be an integer from 0 on, but got {size!r}", 2
            )
        if not name or "," in name or "=" in name:
            raise CompileError(
                f"expects names of dimensions without ',' and '=', but got {name!r}", 2
            )
    return (
        [f"--dims={','.join(f'{name}={int(size)}' for name, size in dims.items())}"] if dims else []
    )


def _fail(stderr: str, status: int, path: str, name: str) -> CompileError:
    text = "\n".join(messages(stderr, "error")) or stderr.strip()
    text = text or f"the compiler ended with status {status}"
    return CompileError(text.replace(path, name), status)


def compile(  # noqa: A001  the name that re, torch and others use
    model: ModelSource,
    *,
    dims: Optional[Mapping[str, int]] = None,
    target: str = "cpu",
    output: Optional[PathLike] = None,
    cpu_levels: Optional[Sequence[str]] = None,
    aliases: Sequence[str] = (),
    fp: str = "default",
    explain: bool = False,
    dump_dir: Optional[PathLike] = None,
    weights: str = "inside",
    time_budget: Optional[float] = None,
    measure_dims: Optional[Mapping[str, int]] = None,
    threads: int = 0,
    cpu_level: Optional[str] = None,
) -> Model:
    """Compiles a model and loads it.

    `model` is the path of an .onnx or .mlir file, the bytes of an ONNX model, or an onnx.ModelProto.

    * `dims`: sizes for symbolic dimensions; others stay dynamic, and one package serves all sizes.
    * `output`: where to keep the package; without it, it lasts as long as the result.
    * `cpu_levels`: instruction-set levels to compile for (default: sse4, avx2, avx512).
    * `aliases`: "IN:OUT[,DIM=CAPACITY]" for each output that lives in the buffer of an input.
    * `fp`: "default", "strict" or "fast".
    * `explain`: leaves in the result's `explanation` what each kernel holds, and why.
    * `dump_dir`: where to write the IR of every stage.
    * `weights`: "inside" the package, or "external": in files beside it, which "external:NAME" lets
      several packages of a folder share.
    * `time_budget`: seconds after which the package should be there; until then other schedules of
      the kernels than the cost model's are measured on this machine, at the sizes `measure_dims`
      of dimensions that stay dynamic.
    * `threads`, `cpu_level`: as in `load`.

    Raises CompileError with the compiler's messages. The compiler runs as a process of its own: the
    interpreter goes on meanwhile, and a crash is a CompilerCrash.

    >>> import numpy as np, onnx.parser, sectile
    >>> proto = onnx.parser.parse_model('''
    ...     <ir_version: 8, opset_import: ["" : 17]>
    ...     example (float[batch, 3] x, float[3] b) => (float[batch, 3] y) {
    ...         s = Add (x, b)
    ...         y = Relu (s)
    ...     }''')
    >>> model = sectile.compile(proto)
    >>> model(np.array([[1, -2, 3]], np.float32), np.ones(3, np.float32))
    array([[2., 0., 4.]], dtype=float32)
    >>> model.inputs[0].shape
    ('batch', 3)
    >>> [kernel.nodes for kernel in model.kernels]
    [('Add_0', 'Relu_1')]
    >>> model(np.zeros((2, 4), np.float32), np.ones(3, np.float32))
    Traceback (most recent call last):
    sectile.errors.RunError: input 'x' expects 3 in dimension 1, but got 4
    """
    arguments = [f"--target={target}", f"--fp={fp}", "--quiet", *dims_option(dims)]
    if weights != "inside":
        arguments.append(f"--weights={weights}")
    if time_budget is not None:
        arguments.append(f"--time-budget={float(time_budget)}")
    arguments += [
        option.replace("--dims", "--measure-dims", 1) for option in dims_option(measure_dims)
    ]
    if cpu_levels is not None:
        levels = cpu_levels if isinstance(cpu_levels, str) else ",".join(cpu_levels)
        arguments.append(f"--cpu-levels={levels}")
    arguments += [
        f"--alias={alias}" for alias in ([aliases] if isinstance(aliases, str) else aliases)
    ]
    if explain:
        arguments.append("--explain")
    if dump_dir is not None:
        arguments.append(f"--dump-dir={os.path.abspath(os.fsdecode(dump_dir))}")
    folder: Optional[tempfile.TemporaryDirectory[str]] = None
    if output is not None:
        package = os.path.abspath(os.fsdecode(output))
    else:
        folder = tempfile.TemporaryDirectory(prefix="sectile-")
        package = os.path.join(folder.name, "model.stp")
    try:
        with _as_file(model) as (path, name):
            done = run_program(["compile", path, "-o", package, *arguments])
            if done.returncode:
                raise _fail(done.stderr, done.returncode, path, name)
            for text in messages(done.stderr, "warning"):
                warnings.warn(text.replace(path, name), CompileWarning, stacklevel=2)
        result = Model(package, threads, cpu_level)
    except BaseException:
        if folder is not None:
            folder.cleanup()
        raise
    result.explanation = done.stdout if explain else ""
    if folder is not None:
        weakref.finalize(result, folder.cleanup)
    return result


def check(
    model: ModelSource, *, dims: Optional[Mapping[str, int]] = None, target: str = "cpu"
) -> List[Gap]:
    """Everything in a model that cannot be compiled, and why; nothing if all of it can.

    Raises CompileError where the model cannot be read at all.

    >>> import onnx.parser, sectile
    >>> proto = onnx.parser.parse_model('''
    ...     <ir_version: 8, opset_import: ["" : 17]>
    ...     example (float[4] x) => (float[4] y) { y = Unheard (x) }''')
    >>> for gap in sectile.check(proto):
    ...     print(gap.message)  # doctest: +ELLIPSIS
    node ...: Unheard (opset 17) on ...
    """
    with _as_file(model) as (path, name):
        done = run_program(["check", path, f"--target={target}", "--quiet", *dims_option(dims)])
        gaps: List[Gap] = []
        for line in done.stdout.splitlines():
            if line.startswith("error: "):
                gaps.append(Gap(line[len("error: ") :], ""))
            elif line.startswith("  help: ") and gaps:
                gaps[-1] = Gap(gaps[-1].message, line[len("  help: ") :])
        if done.returncode and not gaps:
            raise _fail(done.stderr, done.returncode, path, name)
        return gaps
