#!/usr/bin/python3
# This file is part of the Sectile project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Runs one small model for each thing the memory plan decides, as native code, at several sizes.

    test/models/run_plan.py --sectile=build/bin/sectile

Each model is compared with the float64 reference. Models with aliases are compiled with them.
The last line is "N passed, N failed, N skipped" (runs).
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from typing import Callable, Dict, List, Sequence

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from run_models import COMPILE_SECONDS, ROOT, Tally, call, run_case

Nodes = List[onnx.NodeProto]
Constants = Dict[str, np.ndarray]

RANDOM = np.random.default_rng(7)


def node(operator: str, inputs: Sequence[str], output: str, **attributes: object) -> onnx.NodeProto:
    """A node of one output, which names it."""
    return helper.make_node(operator, list(inputs), [output], name=output, **attributes)


def model(inputs: Dict[str, List], outputs: Dict[str, List], nodes: Nodes, constants: Constants
          ) -> onnx.ModelProto:  # fmt: skip
    """A model of f32 tensors; shapes may hold symbols."""

    def describe(ports: Dict[str, List]) -> List[onnx.ValueInfoProto]:
        return [
            helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in ports.items()
        ]

    weights = [numpy_helper.from_array(a, n) for n, a in constants.items()]
    graph = helper.make_graph(nodes, "plan", describe(inputs), describe(outputs), weights)
    return helper.make_model(
        graph, ir_version=8, opset_imports=[helper.make_opsetid("", 17)]
    )


def weight(*shape: int) -> np.ndarray:
    """Random values whose products keep their scale."""
    return (RANDOM.standard_normal(shape) / np.sqrt(shape[0])).astype(np.float32)


def overwrite() -> onnx.ModelProto:
    """Residual sums, each over an operand that dies."""
    nodes = [node("MatMul", ["x", "w"], "a"), node("Exp", ["a"], "b"),
             node("MatMul", ["b", "w"], "c"), node("Add", ["c", "b"], "d"),
             node("Softmax", ["d"], "e", axis=-1), node("Add", ["e", "d"], "f"),
             node("MatMul", ["f", "w"], "g"), node("Add", ["f", "g"], "y")]  # fmt: skip
    return model({"x": ["n", 19]}, {"y": ["n", 19]}, nodes, {"w": weight(19, 19)})


def concat() -> onnx.ModelProto:
    """Concatenations of products, of one product twice, of a product and an input."""
    nodes = [node("MatMul", ["x", "w"], "a"), node("MatMul", ["x", "v"], "b"),
             node("Concat", ["a", "b", "a"], "rows", axis=0),
             node("Concat", ["x", "b"], "columns", axis=1),
             node("MatMul", ["columns", "u"], "y")]  # fmt: skip
    return model(
        {"x": ["n", 5]}, {"rows": ["3*n", 7], "columns": ["n", 12], "y": ["n", 3]}, nodes,
        {"w": weight(5, 7), "v": weight(5, 7), "u": weight(12, 3)},
    )  # fmt: skip


def slices() -> onnx.ModelProto:
    """Parts of a product that several kernels read: rows of it, and pieces of each row."""
    numbers = {"zero": 0, "one": 1, "two": 2, "four": 4, "nine": 9}
    constants: Constants = {k: np.array([v], np.int64) for k, v in numbers.items()}
    nodes = [node("MatMul", ["w", "x"], "p"),
             node("Slice", ["p", "one", "four", "zero"], "rows"),
             node("Slice", ["p", "two", "nine", "one"], "pieces"),
             node("Softmax", ["rows"], "a", axis=-1), node("ReduceSum", ["rows", "zero"], "b"),
             node("Softmax", ["pieces"], "c", axis=0), node("ReduceSum", ["pieces", "zero"], "d"),
             ]  # fmt: skip
    return model(
        {"x": [6, 11]}, {"a": [3, 11], "b": [1, 11], "c": [4, 7], "d": [1, 7]}, nodes,
        {**constants, "w": weight(4, 6)},
    )  # fmt: skip


def outputs() -> onnx.ModelProto:
    """An input, the same reshaped, a constant, one result twice."""
    nodes = [node("Identity", ["x"], "input"), node("Reshape", ["x", "flat"], "reshaped"),
             node("Identity", ["c"], "constant"), node("Exp", ["x"], "y"),
             node("Identity", ["y"], "again")]  # fmt: skip
    return model(
        {"x": ["n", 5]},
        {"input": ["n", 5], "reshaped": ["5*n"], "constant": [3, 2], "y": ["n", 5],
         "again": ["n", 5]},
        nodes, {"c": weight(3, 2), "flat": np.array([-1], np.int64)},
    )  # fmt: skip


def workspace() -> onnx.ModelProto:
    """A kernel with private memory: exponentials that are summed and then divided."""
    nodes = [node("Softmax", ["x"], "y", axis=-1)]
    return model({"x": ["n", 1001]}, {"y": ["n", 1001]}, nodes, {})


def append() -> onnx.ModelProto:
    """A cache of capacity 40 and a state that are updated in place."""
    nodes = [node("MatMul", ["x", "w"], "new"),
             node("Concat", ["past", "new"], "present", axis=1),
             node("ReduceSum", ["present", "axis"], "sum"),
             node("Mul", ["state", "state"], "next")]  # fmt: skip
    return model(
        {"past": ["n", "past", 7], "x": ["n", 3, 5], "state": ["n", 6]},
        {"present": ["n", "past+3", 7], "sum": ["n", 1, 7], "next": ["n", 6]},
        nodes, {"w": weight(5, 7), "axis": np.array([1], np.int64)},
    )  # fmt: skip


ALIASES = {"append": ["past:present,past=40", "state:next"]}
CASES: Sequence[Callable[[], onnx.ModelProto]] = (
    overwrite, concat, slices, outputs, workspace, append,
)  # fmt: skip
SIZES = [
    {"n": 0, "past": 4}, {"n": 1, "past": 0}, {"n": 2, "past": 37}, {"n": 33, "past": 1}
]  # fmt: skip


def main() -> int:
    """The command; returns its exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sectile", default=os.path.join(ROOT, "build/bin/sectile"))
    parser.add_argument("--only", default="", help="comma-separated names")
    arguments = parser.parse_args()
    only = [name for name in arguments.only.split(",") if name]
    tally = Tally()
    with tempfile.TemporaryDirectory() as folder:
        for case in CASES:
            name = case.__name__
            if only and name not in only:
                continue
            proto = case()
            onnx.checker.check_model(proto)
            path, package = (os.path.join(folder, name + end) for end in (".onnx", ".stpk"))
            onnx.save(proto, path)
            command = [arguments.sectile, "compile", path, "-o", package]
            command += [f"--alias={alias}" for alias in ALIASES.get(name, [])]
            problem, _, _ = call(command, COMPILE_SECONDS)
            if problem:
                tally.note(False, f"{name}: compile: {problem}")
                continue
            symbols = {
                d.dim_param for v in proto.graph.input for d in v.type.tensor_type.shape.dim
            }
            for seed, sizes in enumerate(SIZES):
                dims = {k: v for k, v in sizes.items() if k in symbols}
                label = f"{name} seed {seed} " + ",".join(f"{k}={v}" for k, v in dims.items())
                run_case(
                    [arguments.sectile, "run", "--quiet"], package, path, proto, seed, dims, None,
                    tally, label.strip(),
                )  # fmt: skip
    print(f"{tally.passed} passed, {tally.failed} failed, {tally.skipped} skipped")
    return 1 if tally.failed else 0


if __name__ == "__main__":
    sys.exit(main())
