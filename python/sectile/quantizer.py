# This file is part of the Sectile project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Weights of a model in fewer bits, and from other files."""

from __future__ import annotations

import json
import os
import tempfile
import zipfile
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Dict, Iterator, List, Mapping, Sequence, Union

import numpy as np

from .compiler import ModelSource, _as_file, _fail
from .program import run_program
from .runtime import PathLike

Samples = Union[PathLike, Mapping[str, Any]]
"""Inputs of a model: the path of an .npz file, or arrays by the inputs' names."""


@dataclass(frozen=True)
class QuantizedWeight:
    """What became of the weight of a MatMul or Gemm."""

    node: str
    weight: str
    stays: str = ""  # why it stays as it is; empty for quantized ones
    depth: int = 0
    columns: int = 0
    relative_error: float = 0.0  # root of the squared errors over root of the squares
    largest_error: float = 0.0
    bytes_before: int = 0
    bytes_after: int = 0
    operator: str = ""  # that makes numbers of the codes
    source: str = ""  # the type of its blocks in the file that its codes are from
    # With samples: relative errors of products with what was seen, and of weights, by method: the
    # one that was asked for and the simpler ones.
    output_errors: Dict[str, float] = field(default_factory=dict)
    relative_errors: Dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class TakenWeight:
    """What became of a tensor of a file of weights."""

    tensor: str  # of the model; empty if nothing in it has the name
    name: str  # in the file
    type: str  # there: "F32", "Q4_K"
    transposed: bool
    note: str  # what became of blocks


class QuantizedWeights(List[QuantizedWeight]):
    """A list of QuantizedWeight, in the order of the nodes.

    `taken` says what became of files' tensors, `kept` names those of the model that no file has.
    """

    taken: List[TakenWeight]
    kept: List[str]


@contextmanager
def _as_archives(samples: Union[None, Samples, Sequence[Samples]]) -> Iterator[List[str]]:
    """Paths of .npz files that hold the samples."""
    if samples is None:
        samples = []
    elif isinstance(samples, (str, bytes, os.PathLike, Mapping)):
        samples = [samples]
    with tempfile.TemporaryDirectory(prefix="sectile-") as folder:
        paths = []
        for number, part in enumerate(samples):
            if not isinstance(part, Mapping):
                paths.append(os.path.abspath(os.fsdecode(part)))
                continue
            paths.append(os.path.join(folder, f"samples{number}.npz"))
            # Not numpy.savez, for which an input may not be called "file".
            with zipfile.ZipFile(paths[-1], "w") as archive:
                for name, array in part.items():
                    with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                        np.lib.format.write_array(
                            member, np.ascontiguousarray(array), allow_pickle=False
                        )
        yield paths


def quantize(
    model: ModelSource,
    output: PathLike,
    *,
    format: str = "",  # noqa: A002  as the command line has it
    method: str = "rtn",
    calibrate: Union[None, Samples, Sequence[Samples]] = None,
    skip: str = "",
    weights: Union[None, PathLike, Sequence[PathLike]] = None,
    rename: Sequence[str] = (),
    transpose: str = "",
) -> QuantizedWeights:
    """Rounds the constant weights of a model's MatMul and Gemm nodes to a number format, or takes them from files, or
    both; writes the model to `output`, whole or not at all, and returns what became of each weight.

    * `format`: "FORMAT[,group=N][,zero]", such as "int4,group=128"; docs/quantize.md describes it. Without one,
      `weights` go into the model as they are.
    * `method`: "rtn" (the largest weight of a group keeps its place), "mse" (least squared error), or
      "gptq[,order][,sequential][,damp=D]" (what products with the samples give is kept).
    * `calibrate`: samples of the model's inputs: arrays by name, or .npz files of them, or several of these. An array
      may have a first dimension more than the input, along which samples lie.
    * `skip`: a POSIX regular expression for names of nodes and weights that stay.
    * `weights`: safetensors and GGUF files. Their tensors replace those of the model that have the same names.
    * `rename`: "s/PATTERN/TEXT/" in order, which make names in the files from those in the model.
    * `transpose`: a regular expression for names of the model's matrices that lie in the files with their dimensions
      exchanged, as those of torch's linear layers do where the model has MatMul.

    Raises CompileError with what is wrong.

    >>> import numpy as np, onnx, sectile, tempfile, os
    >>> from onnx import helper
    >>> rng = np.random.default_rng(0)
    >>> weight = helper.make_tensor("w", 1, [64, 8], rng.normal(size=512).astype(np.float32))
    >>> graph = helper.make_graph(
    ...     [helper.make_node("MatMul", ["x", "w"], ["y"], name="product")], "example",
    ...     [helper.make_tensor_value_info("x", 1, [1, 64])],
    ...     [helper.make_tensor_value_info("y", 1, [1, 8])], [weight])
    >>> model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "quantized.onnx")
    ...     layers = sectile.quantize(model, path, format="int3,group=32", method="mse")
    ...     y = sectile.compile(path)(np.ones((1, 64), np.float32))
    >>> layers[0].weight, layers[0].operator, layers[0].bytes_after, layers[0].relative_error < 0.25
    ('w', 'ai.sectile.Dequantize', 256, True)
    >>> y.shape
    (1, 8)

    With samples, 200 of them here, products lose less:

    >>> samples = (rng.normal(size=(200, 4)) @ rng.normal(size=(4, 64))).astype(np.float32)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "quantized.onnx")
    ...     layers = sectile.quantize(model, path, format="int3,group=32", method="gptq",
    ...                               calibrate={"x": samples.reshape(200, 1, 64)})
    >>> errors = layers[0].output_errors
    >>> sorted(errors), errors["gptq"] < errors["mse"] / 2
    (['gptq', 'mse', 'rtn'], True)
    """
    if weights is None:
        weights = []
    elif isinstance(weights, (str, bytes, os.PathLike)):
        weights = [weights]
    arguments = [f"--weights={os.path.abspath(os.fsdecode(path))}" for path in weights]
    arguments += [f"--rename={rule}" for rule in rename]
    options = {"format": format, "method": method, "skip": skip, "transpose": transpose}
    if not format and method == "rtn":
        del options["method"]
    arguments += [f"--{name}={value}" for name, value in options.items() if value]
    with _as_file(model) as (path, name), _as_archives(calibrate) as archives:
        place = os.path.abspath(os.fsdecode(output))
        arguments += [f"--calibrate={archive}" for archive in archives]
        done = run_program(["quantize", *arguments, "--json", "-o", place, "--", path])
        if done.returncode != 0:
            raise _fail(done.stderr, done.returncode, path, name)
    report = json.loads(done.stdout)
    result = QuantizedWeights(QuantizedWeight(**layer) for layer in report["weights"])
    result.taken = [
        TakenWeight(**{**entry, "tensor": entry["tensor"] or ""})
        for entry in report.get("taken", [])
    ]
    result.kept = report.get("kept", [])
    return result
