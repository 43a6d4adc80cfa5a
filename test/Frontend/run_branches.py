#!/usr/bin/python3
# This file is part of the Sectile project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Runs models whose branches the data chooses, and compares them with numpy.

    test/Frontend/run_branches.py --sectile=build/bin/sectile

Each model is verified after every pass, and runs with the condition true and false, at several sizes. The
last line is "N passed, N failed, N skipped" (models).
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
f32 = np.float32
ROWS = (5, 1, 0, 33)


class Case(NamedTuple):
    """A model from `x` [n, 8], and `c`, a bool, unless it has none, to outputs."""

    name: str
    nodes: list
    reference: Callable  # (c, x) -> the outputs
    outputs: tuple = ("y",)
    constants: dict = {}
    has_condition: bool = True
    problem: str = ""  # part of why the model is refused


def node(op: str, inputs: str, outputs: str, **attributes) -> onnx.NodeProto:
    """A node, named after its result; names are parted by blanks."""
    return helper.make_node(op, inputs.split(), outputs.split(), name=outputs.split()[0], **attributes)


def branch(nodes: list, outputs: str, **constants) -> onnx.GraphProto:
    """A graph without inputs."""
    results = [helper.make_tensor_value_info(name, FLOAT, None) for name in outputs.split()]
    values = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    return helper.make_graph(nodes, "branch", [], results, values)


def choose(condition: str, outputs: str, then: onnx.GraphProto, other: onnx.GraphProto) -> onnx.NodeProto:
    """An If."""
    return node("If", condition, outputs, then_branch=then, else_branch=other)


def softmax(x: np.ndarray) -> np.ndarray:
    """Along the last dimension."""
    e = np.exp(x - x.max(-1, keepdims=True, initial=-np.inf))
    return e / e.sum(-1, keepdims=True)


RELU = branch([node("Relu", "x", "a")], "a")
NEG = branch([node("Neg", "x", "b")], "b")
KEEP = branch([], "x")
WEIGHTS = np.random.default_rng(3).standard_normal((8, 8)).astype(f32)
INNER = choose("e", "q", branch([node("Sin", "x", "p")], "p"), branch([node("Cos", "x", "p2")], "p2"))

CASES = [
    Case("simple", [choose("c", "y", RELU, NEG)], lambda c, x: [np.maximum(x, 0) if c else -x]),
    Case("an outer value", [choose("c", "y", branch([node("Exp", "x", "a")], "a"), KEEP)],
         lambda c, x: [np.exp(x) if c else x]),
    Case("an input either way", [choose("c", "y", KEEP, KEEP)], lambda c, x: [x]),
    Case("products", [node("Abs", "x", "p"),
                      choose("c", "r", branch([node("MatMul", "p w", "a0"), node("Relu", "a0", "a")], "a"),
                             branch([node("MatMul", "x w", "b0"), node("Tanh", "b0", "b")], "b")),
                      node("Softmax", "r", "y")],
         lambda c, x: [softmax(np.maximum(np.abs(x) @ WEIGHTS, 0) if c else np.tanh(x @ WEIGHTS))],
         constants={"w": WEIGHTS}),
    Case("a condition of the data",
         [node("ReduceSum", "x", "s", keepdims=0), node("Greater", "s zero", "d"), choose("d", "y", RELU, NEG)],
         lambda c, x: [np.maximum(x, 0) if x.sum() > 0 else -x],
         constants={"zero": np.array(0, f32)}, has_condition=False),
    Case("work in front of the condition",
         [node("Exp", "x", "h"), node("ReduceSum", "x", "s", keepdims=0), node("Greater", "s zero", "d"),
          choose("d", "y", branch([node("MatMul", "h w", "a")], "a"), NEG)],
         lambda c, x: [np.exp(x) @ WEIGHTS if x.sum() > 0 else -x],
         constants={"zero": np.array(0, f32), "w": WEIGHTS}, has_condition=False),
    Case("a condition that a later kernel stores beside",
         [node("ReduceSum", "x last", "s", keepdims=1), node("ReduceMax", "s", "m", keepdims=0),
          node("Greater", "m zero", "d"), choose("d", "r", branch([node("Exp", "x", "a")], "a"), NEG),
          node("Sub", "x s", "z"), node("Add", "r z", "y")],
         lambda c, x: [(np.exp(x) if x.sum(1).max(initial=-np.inf) > 0 else -x) + x - x.sum(1, keepdims=True)],
         constants={"zero": np.array(0, f32), "last": np.array([1])}, has_condition=False),
    Case("the same either way",
         [choose("c", "r", RELU, branch([node("Relu", "x", "b")], "b")),
          choose("c", "s", branch([], "k", k=np.ones(8, f32)), branch([], "k2", k2=np.ones(8, f32))),
          node("Add", "r s", "y")], lambda c, x: [np.maximum(x, 0) + 1]),
    Case("one input as both results",
         [choose("c", "y u", branch([node("Neg", "x", "a")], "x a"), branch([node("Exp", "x", "b")], "b x"))],
         lambda c, x: [x, -x] if c else [np.exp(x), x], ("y", "u")),
    Case("a result as both results of the next",
         [choose("c", "r", RELU, NEG), choose("c", "y u", branch([], "r r"), branch([], "x r"))],
         lambda c, x: [np.maximum(x, 0)] * 2 if c else [x, -x], ("y", "u")),
    Case("nested", [choose("c", "y", branch([node("ReduceMax", "k", "m", keepdims=0), node("Greater", "m one", "e"),
                                             INNER], "q"), NEG), node("Exp", "x", "k2")],
         lambda c, x: [-x if not c else np.sin(x) if np.max(WEIGHTS) > 1 else np.cos(x)],
         constants={"one": np.array(1, f32), "k": WEIGHTS}),
    Case("nested, the condition computed inside",
         [node("Concat", "x w", "xw", axis=0),
          choose("c", "y", branch([node("ReduceMax", "xw", "m", keepdims=0), node("Greater", "m one", "e"), INNER],
                                  "q"), NEG)],
         lambda c, x: [-x if not c else np.sin(x) if max(x.max(initial=0), WEIGHTS.max()) > 2.5 else np.cos(x)],
         constants={"one": np.array(2.5, f32), "w": WEIGHTS}),
    Case("one value as two results",
         [choose("c", "y u", branch([node("Exp", "x", "a")], "a a"),
                 branch([node("Neg", "x", "b"), node("Add", "b x", "k")], "b k"))],
         lambda c, x: [np.exp(x)] * 2 if c else [-x, -x + x], ("y", "u")),
    Case("work that both share",
         [node("Exp", "x", "h"),
          choose("c", "r", branch([node("Add", "h x", "a")], "a"), branch([node("Mul", "h x", "b")], "b")),
          node("Add", "r h", "y")],
         lambda c, x: [(np.exp(x) + x if c else np.exp(x) * x) + np.exp(x)]),
    Case("constants", [choose("c", "r", branch([], "k", k=np.arange(8, dtype=f32)),
                              branch([node("ConstantOfShape", "sh", "k2",
                                           value=numpy_helper.from_array(np.array([3], f32)))], "k2",
                                     sh=np.array([8]))), node("Add", "x r", "y")],
         lambda c, x: [x + (np.arange(8, dtype=f32) if c else f32(3))]),
    Case("a side that is used outside",
         [choose("c", "y", branch([node("Exp", "x", "a")], "a"), NEG), node("Neg", "x", "b2"),
          node("Add", "b2 x", "v")],
         lambda c, x: [np.exp(x) if c else -x, x - x], ("y", "v")),
    Case("one after the other",
         [choose("c", "r", RELU, NEG), choose("c", "y", branch([node("Add", "r x", "s")], "s"), branch([], "r"))],
         lambda c, x: [np.maximum(x, 0) + x if c else -x]),
    Case("opposite ways",
         [node("Not", "c", "d"), choose("c", "r", RELU, NEG), choose("d", "s", RELU, NEG), node("Sub", "r s", "y")],
         lambda c, x: [(np.maximum(x, 0) + x) * (1 if c else -1)]),
    Case("views", [choose("c", "y", branch([node("Reshape", "x back", "v"), node("Reshape", "v there", "a")], "a"),
                          branch([node("Transpose", "x", "t"), node("Transpose", "t", "b")], "b"))],
         lambda c, x: [x], constants={"back": np.array([-1, 8, 1]), "there": np.array([-1, 8])}),
    Case("rows chosen by indices that need not be there",
         [node("Cast", "c", "i0", to=INT), node("Sub", "one i0", "i1"), node("Mul", "i1 many", "i"),
          node("Reshape", "i shape", "i2"),
          choose("c", "y", branch([node("Gather", "w i2", "a")], "a"), branch([], "k", k=np.ones((1, 8), f32)))],
         lambda c, x: [WEIGHTS[:1] if c else np.ones((1, 8), f32)],
         constants={"w": WEIGHTS, "one": np.array(1), "many": np.array(100), "shape": np.array([1])}),
    Case("joined", [choose("c", "r", RELU, NEG), node("Concat", "r x", "y", axis=1)],
         lambda c, x: [np.concatenate([np.maximum(x, 0) if c else -x, x], 1)]),
    Case("reduced", [choose("c", "r", branch([node("ReduceSum", "x", "a", keepdims=0)], "a"),
                            branch([node("ReduceMean", "w", "b", keepdims=0)], "b")), node("Add", "r x", "y")],
         lambda c, x: [x + (x.sum() if c else WEIGHTS.mean())], constants={"w": WEIGHTS}),
    Case("shapes that differ", [choose("c", "y", KEEP, branch([], "w"))], None, constants={"w": WEIGHTS},
         problem="its size would depend on the data"),
    Case("types that differ", [choose("c", "y", KEEP, branch([node("Cast", "x", "i", to=INT)], "i"))], None,
         problem="result 0 is float32 in one branch and int64 in the other"),
    Case("a size that needs a check",
         [choose("c", "y", branch([node("Reshape", "x shape", "v"), node("ReduceMax", "v", "m", axes=[0], keepdims=0)],
                                  "m"), branch([], "k", k=np.ones(4, f32)))], None,
         constants={"shape": np.array([6, 4])}, problem="need a check at run time"),
    Case("a name that no branch has", [choose("c", "y", branch([], "nothing"), NEG)], None,
         problem="the branch does not define 'nothing'"),
]


def make_model(case: Case) -> onnx.ModelProto:
    """The model."""
    inputs = [helper.make_tensor_value_info("x", FLOAT, ["n", 8])]
    if case.has_condition:
        inputs.append(helper.make_tensor_value_info("c", BOOL, []))
    outputs = [helper.make_tensor_value_info(name, FLOAT, None) for name in case.outputs]
    constants = [numpy_helper.from_array(value, name) for name, value in case.constants.items()]
    graph = helper.make_graph(case.nodes, "branches", inputs, outputs, constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def check(sectile: str, case: Case, folder: str) -> str:
    """What is wrong, or nothing."""
    model, package = os.path.join(folder, "model.onnx"), os.path.join(folder, "package")
    onnx.save(make_model(case), model)
    done = run([sectile, "compile", model, "-o", package])
    if case.problem:
        refused = done.returncode == 1 and case.problem in done.stderr
        return "" if refused else f"expects '{case.problem}', but got {done.returncode}: {done.stderr}"
    if done.returncode:
        return f"compile: status {done.returncode}: {done.stderr}"
    done = run([sectile, "verify", model, "--quiet"])
    if done.returncode or done.stdout:
        return f"verify: status {done.returncode}: {done.stdout}{done.stderr}"
    random = np.random.default_rng(1)
    for rows in ROWS:
        for condition in (True, False):
            x = random.standard_normal((rows, 8)).astype(f32) + (0.5 if condition else -0.5)
            np.save(os.path.join(folder, "x.npy"), x)
            np.save(os.path.join(folder, "c.npy"), np.array(condition))
            command = [sectile, "run", package, f"--output-dir={folder}", f"--input=x={folder}/x.npy"]
            if case.has_condition:
                command.append(f"--input=c={folder}/c.npy")
            done = run(command)
            if done.returncode:
                return f"{rows} rows, {condition}: status {done.returncode}: {done.stderr}"
            for name, expected in zip(case.outputs, case.reference(condition, x.astype(np.float64))):
                actual = np.load(os.path.join(folder, f"{name}.npy"))
                # A few roundings of numbers below 100.
                if actual.shape != expected.shape or not np.allclose(actual, expected, rtol=1e-5, atol=1e-5):
                    return f"{rows} rows, {condition}: {name}: expects {expected}, but got {actual}"
    return ""


def main() -> int:
    """The command; returns its exit status."""
    return run_cases(__doc__, [(case.name, lambda sectile, at, case=case: check(sectile, case, at)) for case in CASES])


if __name__ == "__main__":
    sys.exit(main())
