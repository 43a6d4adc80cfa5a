# This file is part of the Sectile project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Weights of a model in fewer bits."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import List

from .compiler import ModelSource, _as_file, _fail
from .program import run_program
from .runtime import PathLike


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


def quantize(
    model: ModelSource,
    output: PathLike,
    *,
    format: str,  # noqa: A002  as the command line has it
    method: str = "rtn",
    skip: str = "",
) -> List[QuantizedWeight]:
    """Rounds the constant weights of a model's MatMul and Gemm nodes to a number format; writes the model to
    `output`, whole or not at all, and returns what became of each weight.

    * `format`: "FORMAT[,group=N][,zero]", such as "int4,group=128"; docs/quantize.md describes it.
    * `method`: "rtn" (the largest weight of a group keeps its place) or "mse" (least squared error).
    * `skip`: a POSIX regular expression for names of nodes and weights that stay.

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
    """
    arguments = [f"--format={format}", f"--method={method}", "--json"]
    if skip:
        arguments.append(f"--skip={skip}")
    with _as_file(model) as (path, name):
        place = os.path.abspath(os.fsdecode(output))
        done = run_program(["quantize", *arguments, "-o", place, "--", path])
        if done.returncode != 0:
            raise _fail(done.stderr, done.returncode, path, name)
    return [QuantizedWeight(**layer) for layer in json.loads(done.stdout)["weights"]]
