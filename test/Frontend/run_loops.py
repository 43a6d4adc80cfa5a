#!/usr/bin/python3
# This file is part of the Sectile project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Runs models with Loop nodes whose iterations are known, and compares them with numpy.

    test/Frontend/run_loops.py --sectile=build/bin/sectile

Models that must be refused state a part of the message. The last line is "N passed, N failed,
N skipped" (models).
"""

from __future__ import annotations

import os
import sys
from typing import Callable, NamedTuple

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from sectile_reference.cases import run, run_cases

FLOAT, INT, BOOL = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL
CONSTANTS = {"zero": 0, "one": 1, "two": 2, "three": 3, "five": 5, "many": 1 << 40}
FLAGS = {"yes": True, "no": False}


class Case(NamedTuple):
    """A model from `x` and `z`, [n, 3] or [2, 3], to `outputs`."""

    name: str
    nodes: list
    outputs: dict  # name: rank
    reference: Callable = lambda x, z: []
    message: str = ""  # of a refusal
    dynamic: bool = True


def node(op: str, inputs: str, outputs: str, **attributes: object) -> onnx.NodeProto:
    """A node; names are separated by spaces and `_` is none."""
    split = lambda names: ["" if name == "_" else name for name in names.split()]
    return helper.make_node(op, split(inputs), split(outputs), **attributes)


def body(inputs: str, nodes: list, outputs: str) -> onnx.GraphProto:
    """A body; inputs are `iteration condition carried...`. Types follow from the use."""
    kinds = [INT, BOOL]
    names = inputs.split()
    infos = [helper.make_tensor_value_info(name, kinds[i] if i < 2 else FLOAT, [] if i < 2 else None)
             for i, name in enumerate(names)]
    results = [helper.make_tensor_value_info(name, FLOAT if i else BOOL, None)
               for i, name in enumerate(outputs.split())]
    return helper.make_graph(nodes, "body", infos, results)


def power(x: np.ndarray, z: np.ndarray) -> list:
    """x plus z, three times."""
    for _ in range(3):
        x = x + z
    return [x]


def scanned(x: np.ndarray, z: np.ndarray) -> list:
    """The carried value and what it was after each iteration."""
    rows = []
    for i in range(3):
        x = x * z + np.float32(i)
        rows.append(x)
    return [x, np.stack(rows)]


def nested(x: np.ndarray, z: np.ndarray) -> list:
    """i times z is added in iteration i."""
    for i in range(3):
        for _ in range(i):
            x = x + z
    return [x]


ADD = [node("Add", "a z", "b")]
INNER = body("j d p", [node("Add", "p z", "q")], "d q")
STOP = [node("Add", "a z", "b"), node("Less", "i one", "more")]
CASES = [
    Case("captured", [node("Loop", "three yes x", "y", body=body("i c a", ADD, "c b"))],
         {"y": 2}, power),
    Case("no condition", [node("Loop", "three _ x", "y", body=body("i c a", ADD, "c b"))],
         {"y": 2}, power),
    Case("no trips", [node("Loop", "zero yes x", "y", body=body("i c a", ADD, "c b"))],
         {"y": 2}, lambda x, z: [x]),
    Case("false at first", [node("Loop", "three no x", "y", body=body("i c a", ADD, "c b"))],
         {"y": 2}, lambda x, z: [x]),
    # The iterations 0 and 1 run: after the latter, 1 < 1 is false.
    Case("condition ends it", [node("Loop", "five yes x", "y", body=body("i c a", STOP, "more b"))],
         {"y": 2}, lambda x, z: [x + z + z]),
    Case("condition alone", [node("Loop", "_ yes x", "y", body=body("i c a", STOP, "more b"))],
         {"y": 2}, lambda x, z: [x + z + z]),
    Case("last condition unread",
         [node("Loop", "one yes x", "y",
               body=body("i c a", [*ADD, node("ReduceMax", "b", "m", keepdims=0),
                                   node("Greater", "m m", "more")], "more b"))],
         {"y": 2}, lambda x, z: [x + z]),
    Case("swapped", [node("Loop", "three yes x z", "y w", body=body("i c a b", [], "c b a"))],
         {"y": 2, "w": 2}, lambda x, z: [z, x]),
    Case("rotated and changed",
         [node("Loop", "two yes x z x", "y v w",
               body=body("i c a b d", [node("Mul", "a b", "e")], "c b d e"))],
         {"y": 2, "v": 2, "w": 2}, lambda x, z: [x, x * z, z * x]),
    Case("both the same", [node("Loop", "two yes x z", "y w",
                                body=body("i c a b", [node("Sub", "a b", "e")], "c e e"))],
         {"y": 2, "w": 2}, lambda x, z: [x - x, x - x]),
    Case("outer value as result", [node("Loop", "two yes x", "y", body=body("i c a", [], "c z"))],
         {"y": 2}, lambda x, z: [z]),
    Case("constant as result",
         [node("Loop", "two yes x", "y",
               body=body("i c a", [node("Constant", "", "k", value=numpy_helper.from_array(
                   np.full((1, 2), 7, np.float32)))], "c k"))],
         {"y": 2}, lambda x, z: [np.full((1, 2), 7, np.float32)]),
    Case("grows", [node("Loop", "three yes x", "y",
                        body=body("i c a", [node("Concat", "a z", "b", axis=0)], "c b"))],
         {"y": 2}, lambda x, z: [np.concatenate([x, z, z, z])]),
    Case("scan output",
         [node("Loop", "three yes x", "y rows",
               body=body("i c a", [node("Mul", "a z", "m"), node("Cast", "i", "f", to=FLOAT),
                                   node("Add", "m f", "b")], "c b b"))],
         {"y": 2, "rows": 3}, scanned),
    Case("scan alone",
         [node("Loop", "two yes", "rows", body=body("i c", [node("Neg", "x", "b")], "c b"))],
         {"rows": 3}, lambda x, z: [np.stack([-x, -x])]),
    Case("loop in loop",
         [node("Loop", "three yes x", "y",
               body=body("i c a", [node("Loop", "i c a", "b", body=INNER)], "c b"))],
         {"y": 2}, nested),
    Case("if in loop",
         [node("Loop", "three yes x", "y",
               body=body("i c a", [node("Less", "i one", "first"),
                                   node("If", "first", "b",
                                        then_branch=helper.make_graph(
                                            [node("Add", "a z", "s")], "t", [],
                                            [helper.make_tensor_value_info("s", FLOAT, None)]),
                                        else_branch=helper.make_graph(
                                            [node("Mul", "a z", "s")], "e", [],
                                            [helper.make_tensor_value_info("s", FLOAT, None)]))],
                         "c b"))],
         {"y": 2}, lambda x, z: [(x + z) * z * z]),
    Case("used after", [node("Loop", "two yes x", "l", body=body("i c a", ADD, "c b")),
                        node("Mul", "l x", "y")],
         {"y": 2}, lambda x, z: [(x + z + z) * x], dynamic=False),
    Case("condition of the run",
         [node("ReduceMax", "x", "m", keepdims=0), node("Greater", "m m", "start"),
          node("Loop", "three start x", "y", body=body("i c a", ADD, "c b"))],
         {"y": 2}, lambda x, z: [x]),
    Case("body's condition of the run",
         [node("Loop", "three yes x", "y",
               body=body("i c a", [*ADD, node("ReduceMax", "b", "m", keepdims=0),
                                   node("Greater", "m m", "more")], "more b"))],
         {"y": 2}, lambda x, z: [x + z]),
    Case("grows too often", [node("Loop", "many yes x", "y",
                                  body=body("i c a", [node("Concat", "a z", "b", axis=0)], "c b"))],
         {"y": 2}, message="it makes more than 256 iterations"),
    Case("without end", [node("Loop", "_ yes x", "y", body=body("i c a", [], "c a"))],
         {"y": 2}, message="nothing ends the loop"),
    Case("ragged scan",
         [node("Loop", "two yes x", "y rows",
               body=body("i c a", [node("Concat", "a z", "b", axis=0)], "c b b"))],
         {"y": 2, "rows": 3}, message="extents of a scan output in different iterations",
         dynamic=False),
    Case("huge scan",
         [node("Constant", "", "wide", value_ints=[1 << 28, 2, 3]),
          node("Loop", "many _", "rows", body=body("i c", [node("Expand", "x wide", "e"),
                                                           node("Less", "i five", "more")],
                                                   "more e")),
          node("Loop", "five _", "y",
               body=body("i c", [node("Concat", " ".join(["rows"] * 7), "w", axis=0)], "c w"))],
         {"y": 5}, message="expects a result of at most", dynamic=False),
    Case("changed type",
         [node("Loop", "two yes x", "y",
               body=body("i c a", [node("Cast", "a", "b", to=INT)], "c b"))],
         {"y": 2}, message="to stay of type"),
    Case("wrong inputs", [node("Loop", "two yes x z", "y w", body=body("i c a", ADD, "c b z"))],
         {"y": 2}, message="inputs of the body"),
    Case("wrong results", [node("Loop", "two yes x", "y", body=body("i c a", [], "c"))],
         {"y": 2}, message="one more result of the body"),
    Case("undefined result", [node("Loop", "two yes x", "y", body=body("i c a", [], "c gone"))],
         {"y": 2}, message="does not define 'gone'"),
]


def make_model(case: Case, rows: object) -> onnx.ModelProto:
    """The model."""
    inputs = [helper.make_tensor_value_info(name, FLOAT, [rows, 3]) for name in ("x", "z")]
    outputs = [helper.make_tensor_value_info(name, FLOAT, [f"{name}{i}" for i in range(rank)])
               for name, rank in case.outputs.items()]
    constants = [numpy_helper.from_array(np.array(value, kind), name)
                 for group, kind in ((CONSTANTS, np.int64), (FLAGS, np.bool_))
                 for name, value in group.items()]
    graph = helper.make_graph(case.nodes, "loops", inputs, outputs, constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def check(sectile: str, case: Case, folder: str) -> str:
    """What is wrong, or nothing."""
    model, package = os.path.join(folder, "model.onnx"), os.path.join(folder, "package")
    random = np.random.default_rng(1)
    for rows, sizes in [(2, [2]), *([("n", [1, 5, 0])] if case.dynamic else [])]:
        onnx.save(make_model(case, rows), model)
        done = run([sectile, "compile", model, "-o", package])
        if case.message:
            if done.returncode != 1 or case.message not in done.stderr:
                return f"expects '{case.message}', but got {done.returncode}: {done.stderr}"
            continue
        if done.returncode:
            return f"compile: status {done.returncode}: {done.stderr}"
        for size in sizes:
            arrays = [random.integers(-4, 5, (size, 3)).astype(np.float32) for _ in range(2)]
            command = [sectile, "run", package, f"--output-dir={folder}"]
            for name, array in zip(("x", "z"), arrays):
                np.save(os.path.join(folder, f"{name}-in.npy"), array)
                command.append(f"--input={name}={folder}/{name}-in.npy")
            done = run(command)
            if done.returncode:
                return f"{size} rows: status {done.returncode}: {done.stderr}"
            for name, expected in zip(case.outputs, case.reference(*arrays), strict=True):
                actual = np.load(os.path.join(folder, f"{name}.npy"))
                if actual.shape != expected.shape or not np.array_equal(actual, expected):
                    return f"{size} rows, {name}: expects {expected}, but got {actual}"
    return ""


def main() -> int:
    """The command; returns its exit status."""
    cases = [(case.name, lambda sectile, at, case=case: check(sectile, case, at)) for case in CASES]
    return run_cases(__doc__, cases)


if __name__ == "__main__":
    sys.exit(main())
