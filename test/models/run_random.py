#!/usr/bin/python3
# This file is part of the Sectile project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Runs random graphs of views, concatenations, residual sums and products, with random aliases.

    test/models/run_random.py --sectile=build/bin/sectile [--first N] [--count N]

All values are small integers, which floats hold exactly: outputs must equal the reference's. An
alias that the graph makes impossible has to be refused for that reason; it is then left out.
The last line is "N passed, N failed, N skipped" (runs).
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
from typing import Dict, List, NamedTuple, Optional, Tuple

import numpy as np
import onnx

from run_models import COMPILE_SECONDS, ROOT, RUN_SECONDS, Tally, call
from run_plan import model, node
from sectile_models.inputs import file_name
from sectile_reference import run as evaluate
from sectile_reference.compare import load_outputs

SIZES = (0, 1, 3, 18)
"""Values of the symbol n."""

CAPACITY = 130
"""Of aliases that grow: beyond what any graph makes of the largest n."""


class Value(NamedTuple):
    """A tensor of a * n + b rows."""

    name: str
    rows: Tuple[int, int]
    columns: int

    def shape(self) -> List:
        """The shape, as a model states it."""
        a, b = self.rows
        return [(f"{a}*n+{b}" if (a, b) != (1, 0) else "n") if a else b, self.columns]


class Graph:
    """A random graph."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.numbers = np.random.default_rng(seed)
        self.nodes: List[onnx.NodeProto] = []
        self.constants: Dict[str, np.ndarray] = {}
        self.values: List[Value] = []
        for i in range(self.random.randint(1, 3)):
            rows = (1, 0) if self.random.random() < 0.7 else (0, self.random.randint(1, 5))
            self.values.append(Value(f"x{i}", rows, self.random.choice([1, 3, 4, 8, 17])))
        self.inputs = list(self.values)
        for _ in range(self.random.randint(4, 14)):
            self.grow(self.random.choice(self.values[-6:]))

    def integers(self, *shape: int) -> np.ndarray:
        """Random values of which sums and products stay exact."""
        return self.numbers.integers(-2, 3, shape).astype(np.float32)

    def constant(self, array: np.ndarray) -> str:
        """The name of a constant."""
        name = f"c{len(self.constants)}"
        self.constants[name] = array
        return name

    def add(self, operator: str, inputs: List[str], rows: Tuple[int, int], columns: int,
            **attributes: object) -> None:  # fmt: skip
        """Adds a node and its result."""
        name = f"t{len(self.nodes)}"
        self.nodes.append(node(operator, inputs, name, **attributes))
        self.values.append(Value(name, rows, columns))

    def concat(self, value: Value, axis: int) -> None:
        """Adds a concatenation with values that fit, possibly itself."""
        fits = [v for v in self.values if v.rows == value.rows or axis == 0]
        fits = [v for v in fits if v.columns == value.columns or axis == 1]
        parts = [value] + [self.random.choice(fits) for _ in range(self.random.randint(1, 2))]
        self.random.shuffle(parts)
        rows, columns = value.rows, value.columns
        if axis == 0:
            rows = (sum(p.rows[0] for p in parts), sum(p.rows[1] for p in parts))
        else:
            columns = sum(p.columns for p in parts)
        if rows[0] <= 6 and rows[1] <= 20 and columns <= 60:
            self.add("Concat", [p.name for p in parts], rows, columns, axis=axis)

    def slice(self, value: Value, axis: int) -> None:
        """Adds a part of a value along a dimension of known extent."""
        extent = value.columns if axis else value.rows[1]
        if extent < 2 or (axis == 0 and value.rows[0]):
            return
        begin = self.random.randrange(extent)
        end = self.random.randint(begin + 1, extent)
        bounds = [self.constant(np.array([i], np.int64)) for i in (begin, end, axis)]
        size = end - begin
        rows, columns = (value.rows, size) if axis else ((0, size), value.columns)
        self.add("Slice", [value.name] + bounds, rows, columns)

    def grow(self, value: Value) -> None:
        """Adds some op on a value."""
        name, rows, columns = value
        kind = self.random.choice(
            ["unary", "product", "sum", "sum", "rows", "columns", "top", "left", "halve", "turn",
             "constant"]
        )  # fmt: skip
        if kind == "unary":
            self.add(self.random.choice(["Neg", "Abs", "Relu", "Identity"]), [name], rows, columns)
        elif kind == "product":
            width = self.random.choice([1, 3, 4, 8])
            self.add("MatMul", [name, self.constant(self.integers(columns, width))], rows, width)
        elif kind == "sum":
            fits = [v.name for v in self.values if (v.rows, v.columns) == (rows, columns)]
            self.add("Add", [name, self.random.choice(fits)], rows, columns)
        elif kind in ("rows", "columns"):
            self.concat(value, 0 if kind == "rows" else 1)
        elif kind in ("top", "left"):
            self.slice(value, 0 if kind == "top" else 1)
        elif kind == "halve" and columns % 2 == 0 and rows[0] <= 3:
            shape = self.constant(np.array([-1, columns // 2], np.int64))
            self.add("Reshape", [name, shape], (rows[0] * 2, rows[1] * 2), columns // 2)
        elif kind == "turn" and rows[0] == 0 and 0 < rows[1] <= 17:
            self.add("Transpose", [name], (0, columns), rows[1], perm=[1, 0])
        elif kind == "constant":
            array = self.integers(self.random.randint(1, 4), columns)
            self.values.append(Value(self.constant(array), (0, array.shape[0]), columns))

    def finish(self) -> Optional[Tuple[onnx.ModelProto, List[Value]]]:
        """The model and its outputs: what nobody uses, and some of the rest."""
        used = {name for n in self.nodes for name in n.input}
        outputs = [
            v for v in self.values
            if v.name[0] == "t" and (v.name not in used or self.random.random() < 0.25)
        ]  # fmt: skip
        if not outputs:
            return None
        ports = [{v.name: v.shape() for v in values} for values in (self.inputs, outputs)]
        return model(ports[0], ports[1], self.nodes, self.constants), outputs

    def aliases(self, outputs: List[Value]) -> List[str]:
        """Aliases that the shapes allow; the graph may not."""
        result, taken = [], set()
        for value in outputs:
            for source in self.inputs:
                if source.name in taken or source.columns != value.columns:
                    continue
                grows = source.rows == (1, 0) and value.rows[0] > 0
                if source.rows == value.rows or grows:
                    end = "" if source.rows == value.rows else f",n={CAPACITY}"
                    result.append(f"{source.name}:{value.name}{end}")
                    taken.add(source.name)
                    break
        return result


def check(sectile: str, seed: int, folder: str, tally: Tally) -> None:
    """Compiles one graph, plain and with the aliases it allows, and runs both."""
    graph = Graph(seed)
    finished = graph.finish()
    if not finished:
        return
    proto, outputs = finished
    path, package = os.path.join(folder, "random.onnx"), os.path.join(folder, "random.stpk")
    onnx.save(proto, path)
    kept: List[str] = []
    for alias in [None] + graph.aliases(outputs):
        wanted = kept + ([alias] if alias else [])
        command = [sectile, "compile", path, "-o", package, "--cpu-levels=sse4", "--quiet"]
        problem, _, _ = call(command + [f"--alias={a}" for a in wanted], COMPILE_SECONDS)
        if problem and not (alias and "is impossible" in problem):
            tally.note(False, f"seed {seed}: compile {wanted}: {problem}")
            return
        if problem:
            continue
        kept = wanted
        for n in SIZES if any(v.rows[0] for v in graph.inputs) else (0,):
            values = {v.name: graph.integers(v.rows[0] * n + v.rows[1], v.columns)
                      for v in graph.inputs}  # fmt: skip
            run = [sectile, "run", package, "--quiet", f"--output-dir={folder}"]
            for name, array in values.items():
                np.save(os.path.join(folder, "in_" + file_name(name)), array)
                run.append(f"--input={name}={folder}/in_{file_name(name)}")
            problem, _, _ = call(run, RUN_SECONDS)
            wrong: List[str] = []
            if not problem:
                found, expected = load_outputs(proto, folder), evaluate(proto, values)
                wrong = [
                    v.name for v in outputs
                    if not np.array_equal(found[v.name], expected[v.name].array)
                ]  # fmt: skip
            tally.note(not problem and not wrong, f"seed {seed} n={n} {kept}: {problem or wrong}")


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
