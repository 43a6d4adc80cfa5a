# This file is part of the Sectile project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Seeded inputs for any ONNX model, as one .npy file for each graph input.

    python3 -m sectile_models.inputs MODEL.onnx OUTDIR --seed 1 --dims batch=2,seq=7

Integers that select rows of a constant table (token ids) stay within the table, other integers are
0 or 1 with a prefix of ones (padding masks), floats are normal.
"""

from __future__ import annotations

import argparse
import os
import sys
from typing import Dict, Optional, Set

import numpy as np
import onnx
from onnx import TensorProto

_FORWARDS = {"Cast", "Identity", "Reshape", "Squeeze", "Unsqueeze", "Transpose", "Flatten"}
"""Operators that hand the values of their first input on."""

_TYPES = {
    TensorProto.FLOAT: np.float32, TensorProto.DOUBLE: np.float64, TensorProto.FLOAT16: np.float16,
    TensorProto.INT8: np.int8, TensorProto.INT16: np.int16, TensorProto.INT32: np.int32,
    TensorProto.INT64: np.int64, TensorProto.UINT8: np.uint8, TensorProto.UINT16: np.uint16,
    TensorProto.UINT32: np.uint32, TensorProto.UINT64: np.uint64, TensorProto.BOOL: np.bool_,
}  # fmt: skip


def file_name(tensor: str) -> str:
    """The file that holds a tensor: its name with `/` as `_`, as `sectile run` writes it."""
    return tensor.replace("/", "_") + ".npy"


def parse_dims(text: str) -> Dict[str, int]:
    """`batch=2,seq=7` as a dictionary."""
    pairs = (item.split("=", 1) for item in text.split(",") if item)
    return {name.strip(): int(size) for name, size in pairs}


def _table_rows(graph: onnx.GraphProto, name: str) -> Optional[int]:
    """The number of rows of the smallest constant table that `name` indexes, if it does."""
    sizes = {t.name: list(t.dims) for t in graph.initializer}
    aliases: Set[str] = {name}
    rows = []
    for node in graph.node:  # in topological order
        if node.op_type in _FORWARDS and node.input[0] in aliases:
            aliases.update(node.output)
        elif node.op_type == "Gather" and node.input[1] in aliases and node.input[0] in sizes:
            axis = next((a.i for a in node.attribute if a.name == "axis"), 0)
            rows.append(sizes[node.input[0]][axis])
    return min(rows) if rows else None


def make_inputs(
    model: onnx.ModelProto, seed: int = 0, dims: Optional[Dict[str, int]] = None
) -> Dict[str, np.ndarray]:
    """Values for all inputs of `model` that no initialiser gives; `dims` sets its symbols."""
    dims = dims or {}
    known = {t.name for t in model.graph.initializer}
    rng = np.random.Generator(np.random.PCG64(seed))
    result = {}
    for value in model.graph.input:
        if value.name in known:
            continue
        kind = value.type.tensor_type
        shape = []
        for dim in kind.shape.dim:
            if dim.HasField("dim_value"):
                shape.append(dim.dim_value)
            elif dim.dim_param in dims:
                shape.append(dims[dim.dim_param])
            else:
                raise ValueError(f"input '{value.name}': no size is given for '{dim.dim_param}'")
        if kind.elem_type not in _TYPES:
            raise ValueError(f"input '{value.name}': no values for element type {kind.elem_type}")
        dtype = np.dtype(_TYPES[kind.elem_type])
        if dtype.kind == "f":
            array = rng.standard_normal(shape, np.float32).astype(dtype)
        elif dtype == np.bool_:
            array = rng.random(shape) < 0.5
        elif (rows := _table_rows(model.graph, value.name)) is not None:
            array = rng.integers(0, rows, shape).astype(dtype)
        elif dtype.itemsize == 1:
            limits = np.iinfo(dtype)
            array = rng.integers(limits.min, limits.max + 1, shape).astype(dtype)
        else:
            last = shape[-1] if shape else 1
            lengths = rng.integers(min(1, last), last + 1, shape[:-1] + [1] if shape else [])
            array = (np.arange(last) < lengths).astype(dtype).reshape(shape)
        result[value.name] = array
    return result


def main() -> int:
    """The command; returns its exit status."""
    parser = argparse.ArgumentParser(prog="sectile_models.inputs", description=__doc__)
    parser.add_argument("model")
    parser.add_argument("outdir")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--dims", default="", help="sizes of symbols, as batch=2,seq=7")
    arguments = parser.parse_args()
    os.makedirs(arguments.outdir, exist_ok=True)
    model = onnx.load(arguments.model)
    try:
        inputs = make_inputs(model, arguments.seed, parse_dims(arguments.dims))
    except ValueError as error:
        print(f"{arguments.model}: {error}", file=sys.stderr)
        return 1
    for name, array in inputs.items():
        np.save(os.path.join(arguments.outdir, file_name(name)), array)
    return 0


if __name__ == "__main__":
    sys.exit(main())
