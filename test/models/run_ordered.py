#!/usr/bin/python3
# This file is part of the Sectile project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Runs random graphs of scans, scatters and selections between elementwise ops, products and views.

    test/models/run_ordered.py --sectile=build/bin/sectile [--first N] [--count N]

All values are small integers, which floats hold exactly: outputs must equal the reference's, on every
level that the machine has and with one thread or several. The last line is "N passed, N failed,
N skipped" (runs).
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
from typing import Any, Dict, List, Sequence, Tuple

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from run_models import COMPILE_SECONDS, ROOT, RUN_SECONDS, Tally, call
from sectile_models.inputs import file_name
from sectile_reference import run as evaluate
from sectile_reference.compare import load_outputs

LEVELS = ("sse4", "avx2", "avx512")
SHAPES = ((5, 37), (1, 64), (33, 130), (7, 9), (300, 3))
LARGEST = 2.0**22
"""Larger integers may not be exact in sums of many."""


class Graph:
    """A random model on tensors of one shape, the first extent of which may be a symbol."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.numbers = np.random.default_rng(seed)
        self.rows, self.columns = self.random.choice(SHAPES)
        self.is_dynamic = self.random.random() < 0.4
        self.nodes: List[onnx.NodeProto] = []
        self.constants: List[onnx.TensorProto] = []
        self.values = ["x", "w"]
        self.outputs: List[str] = []
        self.updates = self.random.choice((1, 20, self.columns))

    def constant(self, values: Any) -> str:
        """The name of a new constant."""
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(values), name))
        return name

    def add(self, operator: str, *inputs: str, outputs: int = 1, **attributes: Any) -> List[str]:
        """A new node; returns its outputs."""
        names = [f"t{len(self.nodes)}.{i}" for i in range(outputs)]
        self.nodes.append(helper.make_node(operator, inputs, names, name=names[0], **attributes))
        return names

    def flag(self) -> int:
        """0 or 1."""
        return self.random.randrange(2)

    def scan(self, value: str) -> str:
        """A cumulative sum."""
        axis = self.constant(self.random.choice((0, 1, -1)))
        return self.add("CumSum", value, axis, reverse=self.flag(), exclusive=self.flag())[0]

    def turned_scan(self, value: str) -> str:
        """The same of a transposed tensor."""
        turned = self.scan(self.add("Transpose", value, perm=[1, 0])[0])
        return self.add("Transpose", turned, perm=[1, 0])[0]

    def scatter_elements(self, value: str) -> str:
        """Updates of single elements in each row."""
        reduction = self.random.choice(("none", "add", "max", "min", "mul"))
        # Which of several updates wins is ours to say, but not the reference's.
        places, updates = ("unique", "u1") if reduction == "none" else ("elements", "u")
        return self.add("ScatterElements", value, places, updates, axis=1, reduction=reduction)[0]

    def scatter_rows(self, value: str) -> str:
        """Updates of whole rows."""
        reduction = self.random.choice(("add", "max", "min"))
        return self.add("ScatterND", value, "rows", "v", reduction=reduction)[0]

    def zeros(self, value: str) -> str:
        """Updates of a tensor of zeros."""
        shape = self.add("Shape", value)[0]
        return self.scatter_rows(self.add("ConstantOfShape", shape)[0])

    def select(self, value: str, other: str) -> str:
        """The first k of each row, beside columns of another tensor."""
        k = self.random.choice((1, self.columns // 2, self.columns))
        values, indices = self.add("TopK", value, self.constant([k]), outputs=2, largest=self.flag())
        self.outputs.append(indices)
        if k == self.columns:
            return values
        bounds = [self.constant([bound]) for bound in (k, self.columns, 1)]
        return self.add("Concat", values, self.add("Slice", other, *bounds)[0], axis=1)[0]

    def reduce(self, value: str, other: str) -> str:
        """Something of a row or column subtracted from each of its elements."""
        axes = self.constant([self.flag()])
        return self.add("Sub", value, self.add("ReduceMax", other, axes)[0])[0]

    def halves(self, value: str, other: str) -> str:
        """Columns of two tensors side by side."""
        cut = [self.constant([bound]) for bound in (0, self.columns // 2, self.columns, 1)]
        parts = (self.add("Slice", value, cut[1], cut[2], cut[3])[0],
                 self.add("Slice", other, cut[0], cut[1], cut[3])[0])  # fmt: skip
        return self.add("Concat", *parts, axis=1)[0]

    def product(self, value: str) -> str:
        """A product with a constant, kept small."""
        weight = self.numbers.integers(-1, 2, (self.columns, self.columns)).astype(np.float32)
        bounds = [self.constant(np.float32(bound)) for bound in (-9, 9)]
        return self.add("Clip", self.add("MatMul", value, self.constant(weight))[0], *bounds)[0]

    def step(self) -> None:
        """Computes one more value."""
        a, b = self.random.choices(self.values, k=2)
        makers = (
            lambda: self.scan(a), lambda: self.turned_scan(a), lambda: self.scatter_elements(a),
            lambda: self.scatter_rows(a), lambda: self.zeros(a), lambda: self.select(a, b),
            lambda: self.reduce(a, b), lambda: self.halves(a, b), lambda: self.product(a),
            lambda: self.add("Add", a, b)[0], lambda: self.add("Relu", a)[0],
        )  # fmt: skip
        self.values.append(self.random.choice(makers)())

    def inputs(self, rows: int) -> Dict[str, np.ndarray]:
        """Values of the inputs for a number of rows."""
        columns = self.columns

        def integers(*shape: int) -> np.ndarray:
            return self.numbers.integers(-3, 4, shape).astype(np.float32)

        once = [self.numbers.permutation(columns)[: min(self.updates, columns)] for _ in range(rows)]
        unique = np.array(once, np.int64).reshape(rows, -1 if rows else min(self.updates, columns))
        return {
            "x": integers(rows, columns), "w": integers(rows, columns),
            "elements": self.numbers.integers(-columns, columns, (rows, self.updates)),
            "u": integers(rows, self.updates), "unique": unique, "u1": integers(*unique.shape),
            "rows": self.numbers.integers(-rows, rows, (4 if rows else 0, 1)),
            "v": integers(4 if rows else 0, columns),
        }  # fmt: skip

    def finish(self) -> onnx.ModelProto:
        """The model. Its last value is an output, and some others are."""
        outputs = self.outputs + self.values[-1:]
        outputs += [v for v in self.values[2:-1] if self.random.random() < 0.4]
        symbols = {"rows": "updates", "v": "updates"}

        def describe(name: str, array: np.ndarray) -> onnx.ValueInfoProto:
            shape: Sequence[Any] = array.shape
            if self.is_dynamic:
                shape = (symbols.get(name, "n"),) + array.shape[1:]
            kind = TensorProto.INT64 if array.dtype == np.int64 else TensorProto.FLOAT
            return helper.make_tensor_value_info(name, kind, shape)

        inputs = [describe(name, array) for name, array in self.inputs(self.rows).items()]
        results = [
            helper.make_tensor_value_info(
                name, TensorProto.INT64 if name in self.outputs else TensorProto.FLOAT, [None, None])
            for name in dict.fromkeys(outputs)
        ]  # fmt: skip
        graph = helper.make_graph(self.nodes, "ordered", inputs, results, self.constants)
        return helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 18)])


def is_exact(expected: Dict[str, Any]) -> bool:
    """Whether all values are small enough."""
    arrays = (np.asarray(tensor.array, np.float64) for tensor in expected.values())
    return all(np.abs(array).max(initial=0) < LARGEST for array in arrays)


def check(sectile: str, seed: int, folder: str, tally: Tally) -> None:
    """Compiles one graph and runs it."""
    graph = Graph(seed)
    for _ in range(graph.random.randint(2, 7)):
        graph.step()
    proto = graph.finish()
    path, package = os.path.join(folder, "ordered.onnx"), os.path.join(folder, "ordered.stpk")
    onnx.save(proto, path)
    problem, _, _ = call([sectile, "compile", path, "-o", package, "--quiet"], COMPILE_SECONDS)
    if problem:
        tally.note(False, f"seed {seed}: compile: {problem}")
        return
    runs: List[Tuple[int, str]] = [(graph.rows, level) for level in LEVELS]
    if graph.is_dynamic:
        runs += [(rows, graph.random.choice(LEVELS)) for rows in (0, 1, 18)]
    for rows, level in runs:
        values = graph.inputs(rows)
        expected = evaluate(proto, values)
        if not is_exact(expected):
            tally.skipped += 1
            continue
        run = [sectile, "run", package, "--quiet", f"--output-dir={folder}",
               f"--threads={graph.random.choice((1, 2, 3))}"]  # fmt: skip
        for name, array in values.items():
            np.save(os.path.join(folder, "in_" + file_name(name)), array)
            run.append(f"--input={name}={folder}/in_{file_name(name)}")
        problem, _, _ = call(["env", f"SECTILE_CPU_LEVEL={level}"] + run, RUN_SECONDS)
        wrong: List[str] = []
        if not problem:
            found = load_outputs(proto, folder)
            wrong = [n for n, t in expected.items() if not np.array_equal(found[n], t.array)]
        elif "this CPU lacks" in problem:
            tally.skipped += 1
            continue
        tally.note(not problem and not wrong, f"seed {seed} n={rows} {level}: {problem or wrong}")


def main() -> int:
    """The command; returns its exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sectile", default=os.path.join(ROOT, "build/bin/sectile"))
    parser.add_argument("--first", type=int, default=0, help="first seed")
    parser.add_argument("--count", type=int, default=24, help="number of graphs")
    arguments = parser.parse_args()
    tally = Tally()
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(arguments.first, arguments.first + arguments.count):
            check(arguments.sectile, seed, folder, tally)
    print(f"{tally.passed} passed, {tally.failed} failed, {tally.skipped} skipped")
    return 1 if tally.failed else 0


if __name__ == "__main__":
    sys.exit(main())
