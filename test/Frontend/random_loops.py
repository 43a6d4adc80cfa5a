#!/usr/bin/python3
# This file is part of the Sectile project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Runs random models with Loop and Scan nodes; compares them with the reference and ONNX Runtime.

    test/Frontend/random_loops.py --sectile=build/bin/sectile --count=300 [--seed=0] [--keep=DIR]

All numbers stay small whole ones, so that every result is exact. ONNX Runtime is asked where
SECTILE_PEER_PYTHON has it. The last line is "N passed, N failed, N skipped" (models).
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from typing import List, Optional, Tuple

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from sectile_reference.cases import run
from sectile_reference.peer import find_python, run_peer

F32, I64, BOOL = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL
NUMPY = {F32: np.float32, I64: np.int64, BOOL: np.bool_}
Typed = Tuple[str, int]  # a value of shape [n, 2] and its type


class Generator:
    """Makes one model: values are all [n, 2], but for trips, flags and rows."""

    def __init__(self, seed: int) -> None:
        self.random = np.random.default_rng(seed)
        self.count = 0
        self.constants: list = []

    def name(self) -> str:
        self.count += 1
        return f"v{self.count}"

    def pick(self, values: list) -> object:
        return values[self.random.integers(len(values))]

    def constant(self, value: object, kind: int) -> str:
        name = self.name()
        self.constants.append(numpy_helper.from_array(np.array(value, NUMPY[kind]), name))
        return name

    def of(self, values: List[Typed], kind: int) -> str:
        return self.pick([name for name, other in values if other == kind])

    def clip(self, nodes: list, value: str, kind: int) -> str:
        low, high = self.name(), self.name()
        nodes.append(helper.make_node("Max", [value, self.constant(-50, kind)], [low]))
        nodes.append(helper.make_node("Min", [low, self.constant(50, kind)], [high]))
        return high

    def arithmetic(self, nodes: list, values: List[Typed]) -> None:
        """A node or two on values of the right types."""
        kind = self.pick([F32, F32, I64, BOOL])
        result = self.name()
        if kind == BOOL:
            op = self.pick(["Less", "Greater", "Equal", "Not"])
            other = self.pick([F32, I64])
            inputs = ([self.of(values, BOOL)] if op == "Not" else
                      [self.of(values, other), self.of(values, other)])
            nodes.append(helper.make_node(op, inputs, [result]))
            values.append((result, BOOL))
            return
        op = self.pick(["Add", "Sub", "Mul", "Neg", "Abs", "Where", "Cast", "Max"])
        if op in ("Neg", "Abs"):
            nodes.append(helper.make_node(op, [self.of(values, kind)], [result]))
        elif op == "Cast":
            nodes.append(helper.make_node(op, [self.of(values, I64 if kind == F32 else F32)],
                                          [result], to=kind))
        elif op == "Where":
            nodes.append(helper.make_node(op, [self.of(values, BOOL), self.of(values, kind),
                                               self.of(values, kind)], [result]))
        else:
            nodes.append(helper.make_node(op, [self.of(values, kind), self.of(values, kind)],
                                          [result]))
        values.append((self.clip(nodes, result, kind), kind))

    def number(self, nodes: list, iteration: str, values: List[Typed]) -> None:
        """The iteration as a value of the body."""
        total = self.name()
        nodes.append(helper.make_node("Add", [self.of(values, I64), iteration], [total]))
        values.append((self.clip(nodes, total, I64), I64))

    def condition(self, nodes: list, values: List[Typed]) -> str:
        """Whether the sum of a value is below a limit."""
        total, small = self.name(), self.name()
        nodes.append(helper.make_node("ReduceSum", [self.of(values, I64)], [total], keepdims=0))
        nodes.append(helper.make_node("Less", [total, self.constant(
            int(self.random.integers(-20, 40)), I64)], [small]))
        return small

    def loop(self, nodes: list, values: List[Typed], trips: str, depth: int) -> Optional[Typed]:
        """A Loop or Scan of `values`; returns its rows if it has some."""
        carried = [self.pick(values) for _ in range(self.random.integers(1, 4))]
        state = [(self.name(), kind) for _, kind in carried]
        iteration, goes, inner = self.name(), self.name(), []
        known = [*values, *state]
        is_scan = self.random.random() < 0.25
        parts: list = []
        if is_scan:
            parts = [(self.pick([n for n, k in values if k == F32]), self.name())]
        else:
            self.number(inner, iteration, known)
        for place in range(self.random.integers(1, 5)):
            self.arithmetic(inner, known)
            if depth < 2 and place == 0 and self.random.random() < 0.4:
                self.loop(inner, known, trips, depth + 1)
            if self.random.random() < 0.2:
                self.branch(inner, known)
        if parts:
            sums = self.name()
            inner.append(helper.make_node("Add", [self.of(known, F32), parts[0][1]], [sums]))
            known.append((self.clip(inner, sums, F32), F32))
        results = [self.of(known, kind) for _, kind in state]
        results = [self.copied(inner, result) for result in results]
        ends = not is_scan and self.random.random() < 0.5
        rows = [] if ends or self.random.random() < 0.5 else [self.copied(inner, self.of(known, F32))]
        outputs = [self.name() for _ in results + rows]
        # ONNX Runtime wants to know the ranks of what a Scan makes.
        info = lambda name, kind: helper.make_tensor_value_info(
            name, kind, ["d" + name, 2] if is_scan else None)
        kinds = [kind for _, kind in state] + [F32] * len(rows)
        out_infos = [info(*pair) for pair in zip(results + rows, kinds)]
        if is_scan:
            graph = helper.make_graph(inner, "scan", [
                *[info(*pair) for pair in state],
                helper.make_tensor_value_info(parts[0][1], F32, [2])], out_infos)
            nodes.append(helper.make_node(
                "Scan", [name for name, _ in carried] + [parts[0][0]], outputs, body=graph,
                num_scan_inputs=1, scan_input_axes=[0],
                scan_input_directions=[int(self.random.integers(2))],
                scan_output_directions=[int(self.random.integers(2)) for _ in rows]))
        else:
            condition = self.condition(inner, known) if ends else self.copied(inner, goes)
            graph = helper.make_graph(inner, "loop", [
                helper.make_tensor_value_info(iteration, I64, []),
                helper.make_tensor_value_info(goes, BOOL, []), *[info(*pair) for pair in state]],
                [info(condition, BOOL), *out_infos])
            count = self.pick([trips, self.constant(int(self.random.integers(0, 9)), I64)])
            start = self.condition(nodes, values) if ends and self.random.random() < 0.3 else ""
            nodes.append(helper.make_node(
                "Loop", [count, start, *[name for name, _ in carried]], outputs, body=graph))
        values.extend(zip(outputs, [kind for _, kind in state]))
        return (outputs[-1], F32) if rows else None

    def copied(self, nodes: list, value: str) -> str:
        """Bodies must define what they return."""
        name = self.name()
        nodes.append(helper.make_node("Identity", [value], [name]))
        return name

    def branch(self, nodes: list, values: List[Typed]) -> None:
        """An If that the data decides."""
        condition, graphs = self.condition(nodes, values), []
        for _ in range(2):
            inner, own = [], list(values)
            self.arithmetic(inner, own)
            last = self.copied(inner, self.of(own, F32))
            graphs.append(helper.make_graph(inner, "side", [], [
                helper.make_tensor_value_info(last, F32, None)]))
        result = self.name()
        nodes.append(helper.make_node("If", [condition], [result], then_branch=graphs[0],
                                      else_branch=graphs[1]))
        values.append((result, F32))

    def model(self) -> onnx.ModelProto:
        rows = self.pick(["n", 3])
        inputs = [helper.make_tensor_value_info("x", F32, [rows, 2]),
                  helper.make_tensor_value_info("k", I64, [rows, 2]),
                  helper.make_tensor_value_info("f", BOOL, [rows, 2]),
                  helper.make_tensor_value_info("trips", I64, [])]
        nodes: list = []
        values: List[Typed] = [("x", F32), ("k", I64), ("f", BOOL)]
        outputs = []
        for _ in range(self.random.integers(1, 3)):
            self.arithmetic(nodes, values)
            stacked = self.loop(nodes, values, "trips", 0)
            if stacked:
                outputs.append(helper.make_tensor_value_info(stacked[0], F32, ["r", "s", "t"][:2] +
                                                             ["u"]))
        self.arithmetic(nodes, values)
        made = {name for node in nodes for name in node.output}
        for name, kind in [pair for pair in values if pair[0] in made][-4:]:
            outputs.append(helper.make_tensor_value_info(name, kind, ["p" + name, 2]))
        for number, output in enumerate(outputs):
            if len(output.type.tensor_type.shape.dim) == 3:
                for dim in output.type.tensor_type.shape.dim:
                    dim.dim_param = f"r{number}_{dim.dim_param}"
        graph = helper.make_graph(nodes, "random", inputs, outputs, self.constants)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def compare(folder: str, outputs: List[str], other: str, what: str) -> str:
    for name in outputs:
        mine = np.load(os.path.join(folder, "out", f"{name}.npy"))
        theirs = np.load(os.path.join(other, f"{name}.npy"))
        # Of rows that were never made it knows no shape.
        if mine.size == theirs.size == 0:
            continue
        if mine.shape != theirs.shape or not np.array_equal(mine, theirs):
            return f"{name}: {what} has {theirs.tolist()}, but got {mine.tolist()}"
    return ""


def check(sectile: str, seed: int, folder: str, peer: Optional[str]) -> str:
    """What is wrong with the model of a seed, or nothing; "skipped: .." if it is refused."""
    path = os.path.join(folder, "model.onnx")
    model = Generator(seed).model()
    onnx.save(model, path)
    done = run([sectile, "compile", path, "-o", os.path.join(folder, "package")])
    if done.returncode == 1:
        return "skipped: " + done.stderr.strip()
    if done.returncode:
        return f"compile: status {done.returncode}: {done.stderr}"
    random = np.random.default_rng(seed)
    outputs = [output.name for output in model.graph.output]
    for trips in (3, 0, 7):
        rows = 3 if model.graph.input[0].type.tensor_type.shape.dim[0].dim_value else trips + 1
        arrays = {"x": random.integers(-5, 6, (rows, 2)).astype(np.float32),
                  "k": random.integers(-5, 6, (rows, 2)), "f": random.random((rows, 2)) < 0.5,
                  "trips": np.array(trips, np.int64)}
        inputs = os.path.join(folder, "in")
        os.makedirs(inputs, exist_ok=True)
        for name, array in arrays.items():
            np.save(os.path.join(inputs, f"{name}.npy"), array)
        used = {info.name for info in model.graph.input}
        done = run([sectile, "run", os.path.join(folder, "package"),
                    f"--output-dir={folder}/out",
                    *[f"--input={name}={inputs}/{name}.npy" for name in arrays if name in used]])
        if done.returncode:
            return f"{trips} trips: status {done.returncode}: {done.stderr}"
        if peer:
            problem = run_peer(peer, path, inputs, os.path.join(folder, "peer"))
            problem = problem or compare(folder, outputs, os.path.join(folder, "peer"),
                                         "ONNX Runtime")
            if problem:
                return f"{trips} trips: {problem}"
    return ""


def main() -> int:
    """The command; returns its exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sectile", required=True, help="the program")
    parser.add_argument("--count", type=int, default=12, help="models")
    parser.add_argument("--seed", type=int, default=0, help="of the first model")
    parser.add_argument("--keep", default="", help="a folder for the models that fail")
    arguments = parser.parse_args()
    peer = find_python()
    if not peer:
        print("without ONNX Runtime the models are run, but compared with nothing")
    passed = failed = skipped = 0
    for seed in range(arguments.seed, arguments.seed + arguments.count):
        with tempfile.TemporaryDirectory() as folder:
            problem = check(arguments.sectile, seed, folder, peer)
            if problem and arguments.keep:
                os.makedirs(arguments.keep, exist_ok=True)
                shutil.copy(os.path.join(folder, "model.onnx"),
                            os.path.join(arguments.keep, f"{seed}.onnx"))
        is_skipped = problem.startswith("skipped")
        passed, failed, skipped = (passed + (not problem), failed + (problem != "" and not is_skipped),
                                   skipped + is_skipped)
        print(f"{seed}: {problem or 'ok'}", flush=True)
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
