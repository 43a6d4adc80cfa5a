#!/usr/bin/python3
# This file is part of the Sectile project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Runs models whose shapes are inputs, and compares them with numpy.

    test/Frontend/run_time_shapes.py --sectile=build/bin/sectile

Each case runs one package with several shapes, sizes 0 and 1 among them, and shapes that it must refuse
with a message. The last line is "N passed, N failed, N skipped" (models).
"""

from __future__ import annotations

import os
import sys
from typing import Callable, NamedTuple

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from sectile import runtime
from sectile_reference.cases import run, run_cases

FLOAT, INT = TensorProto.FLOAT, TensorProto.INT64


class Case(NamedTuple):
    """A model from `x` and integer inputs to `y`."""

    name: str
    nodes: list
    x: list  # extents of x, numbers or names; empty: there is no x
    integers: dict  # name: length, or None for a scalar
    reference: Callable
    good: list  # (shape of x, integer inputs)
    bad: list  # (shape of x, integer inputs, part of the message)
    constants: dict = {}
    rank: int = 1
    opset: int = 18
    floats: bool = False  # whether what is called integers is float32


def node(op: str, *inputs: str, out: str = "y", **attributes) -> onnx.NodeProto:
    """A node, named after its result."""
    return helper.make_node(op, list(inputs), [out], name=out, **attributes)


def reshape(x: np.ndarray, shape: np.ndarray) -> np.ndarray:
    """As ONNX has it: 0 copies, -1 is inferred."""
    return x.reshape([x.shape[i] if n == 0 and i < x.ndim else n for i, n in enumerate(shape)])


def part(start: int, end: int, step: int) -> slice:
    """As ONNX has it: the far ends of int64 stand for the ends, and what goes back from in front starts at 0."""
    start = max(start, -9) if step < 0 else start
    return slice(start, None if abs(end) > 2**40 and (end < 0) == (step < 0) else end, step)


def sliced(x: np.ndarray, starts: list, ends: list, axes: list, steps: list) -> np.ndarray:
    """Slices along `axes`."""
    places = [slice(None)] * x.ndim
    for start, end, axis, step in zip(starts, ends, axes, steps):
        places[axis] = part(start, end, step)
    return x[tuple(places)]


def padded(x: np.ndarray, pads: np.ndarray, axes: np.ndarray, value: float) -> np.ndarray:
    """Pads along `axes`; negative numbers cut."""
    for i, axis in enumerate(axes):
        low, high = pads[i], pads[len(axes) + i]
        cut = np.take(x, range(max(-low, 0), x.shape[axis] - max(-high, 0)), axis)
        sides = [(0, 0)] * x.ndim
        sides[axis] = (max(low, 0), max(high, 0))
        x = np.pad(cut, sides, constant_values=value)
    return x


CASES = [
    Case("reshape", [node("Reshape", "x", "s", out="r"), node("Relu", "r")], ["n", 4], {"s": 2},
         lambda x, s: np.maximum(reshape(x, s), 0),
         [([3, 4], [[2, 6]]), ([3, 4], [[-1, 3]]), ([3, 4], [[0, -1]]), ([1, 4], [[4, 1]]),
          ([0, 4], [[0, 5]]), ([5, 4], [[20, -1]])],
         [([3, 4], [[5, 2]], "as many elements, but got 12 and 10"),
          ([3, 4], [[-1, -1]], "at most one extent of -1"),
          ([3, 4], [[-2, 6]], "at least -1, but got -2"),
          ([3, 4], [[2**20, 2**20]], "as many elements"),
          ([4, 4], [[2**62, 4]], "below 2^31")], rank=2),
    Case("reshape and product", [node("Reshape", "x", "s", out="r"), node("MatMul", "r", "w")],
         ["n"], {"s": 2}, lambda x, s: x.reshape(s) @ (np.arange(15).reshape(3, 5) - 7.0),
         [([6], [[2, 3]]), ([3], [[1, 3]]), ([0], [[0, 3]]), ([300], [[-1, 3]])],
         [([6], [[3, 2]], "")], {"w": (np.arange(15).reshape(3, 5) - 7).astype(np.float32)}, 2),
    Case("concatenated", [node("Concat", "b", "c", out="s", axis=0), node("Reshape", "x", "s")],
         ["n", 6], {"b": 1}, lambda x, b: x.reshape([int(b[0]), 3, -1]),
         [([4, 6], [[2]]), ([1, 6], [[1]]), ([5, 6], [[10]])],
         [([4, 6], [[7]], "as many elements")], {"c": np.array([3, -1])}, 3),
    Case("expand", [node("Expand", "x", "s", out="e"), node("Add", "e", "e")], ["n", 1], {"s": 2},
         lambda x, s: 2 * x * np.ones(s, np.float32),
         [([3, 1], [[3, 5]]), ([3, 1], [[1, 1]]), ([1, 1], [[7, 2]]), ([2, 1], [[2, 0]])],
         [([3, 1], [[2, 5]], "equal or 1")], rank=2),
    Case("constant of shape", [node("ConstantOfShape", "s", out="z"), node("Exp", "z")], [], {"s": 2},
         lambda s: np.ones(s, np.float32), [([], [[3, 4]]), ([], [[0, 2]]), ([], [[1, 1]])],
         [([], [[-1, 2]], "at least 0, but got -1"), ([], [[2**30, 2**30]], "at most 2^40")], rank=2),
    Case("range", [node("Range", "a", "b", "one", out="r"), node("Cast", "r", to=FLOAT)], [],
         {"a": None, "b": None}, lambda a, b: np.arange(a, b).astype(np.float32),
         [([], [2, 9]), ([], [-3, 3]), ([], [5, 5]), ([], [5, 1])],
         [], {"one": np.array(1)}),
    Case("slice", [node("Slice", "x", "a", "b", out="v"), node("Neg", "v")], ["n"],
         {"a": 1, "b": 1}, lambda x, a, b: -x[a[0] : b[0]],
         [([9], [[2], [7]]), ([9], [[-4], [2**62]]), ([9], [[-(2**62)], [-1]]), ([9], [[5], [3]]),
          ([0], [[0], [1]]), ([1], [[0], [1]])], []),
    Case("backwards", [node("Slice", "x", "a", "b", "axis", "steps", out="v"), node("Neg", "v")],
         ["n", 3], {"a": 1, "b": 1}, lambda x, a, b: -x[a[0] : (b[0] if b[0] > -(2**40) else None) : -2],
         [([9, 3], [[7], [1]]), ([9, 3], [[2**62], [-(2**62)]]), ([9, 3], [[0], [5]])], [],
         {"axis": np.array([0]), "steps": np.array([-2])}, 2),
    Case("tile", [node("Tile", "x", "s", out="t"), node("Abs", "t")], ["n", 2], {"s": 2},
         lambda x, s: np.abs(np.tile(x, s)),
         [([3, 2], [[2, 3]]), ([3, 2], [[1, 1]]), ([3, 2], [[0, 4]])],
         [([3, 2], [[-1, 2]], "at least 0")], rank=2),
    Case("pad", [node("Pad", "x", "p", out="q"), node("Neg", "q")], ["n"], {"p": 2},
         lambda x, p: -np.pad(x, [(p[0], p[1])]),
         [([3], [[1, 2]]), ([3], [[0, 0]]), ([0], [[2, 0]])], []),
    Case("arithmetic", [node("Mul", "s", "two", out="d"), node("Concat", "d", "minus", out="t", axis=0),
                        node("Reshape", "x", "t", out="r"), node("ReduceSum", "r", "axis", keepdims=0)],
         ["n"], {"s": 1}, lambda x, s: x.reshape(2 * s[0], -1).sum(1),
         [([12], [[3]]), ([12], [[1]]), ([40], [[10]])], [([12], [[5]], "as many elements")],
         {"two": np.array([2]), "minus": np.array([-1]), "axis": np.array([1])}),
    Case("steps", [node("Slice", "x", "a", "b", "axis", "s", out="v"), node("Neg", "v")], ["n", 3],
         {"a": 1, "b": 1, "s": 1}, lambda x, a, b, s: -x[part(a[0], b[0], s[0])],
         [([9, 3], [[1], [8], [2]]), ([9, 3], [[7], [1], [-2]]), ([9, 3], [[0], [2**62], [4]]),
          ([9, 3], [[2**62], [-(2**62)], [-1]]), ([9, 3], [[2], [2], [1]]), ([0, 3], [[0], [5], [3]]),
          ([1, 3], [[0], [1], [100]]), ([9, 3], [[-1], [-9], [-3]]), ([9, 3], [[3], [1], [1]]), ([9, 3], [[-20], [-30], [-1]]),
          ([0, 3], [[-20], [-30], [-1]])],
         [([9, 3], [[0], [3], [0]], "step other than 0")], {"axis": np.array([0])}, 2),
    Case("slice along", [node("Slice", "x", "a", "b", "d", "s", out="v"), node("Neg", "v")], ["n", 5, 4],
         {"a": 2, "b": 2, "d": 2, "s": 2}, lambda x, a, b, d, s: -sliced(x, a, b, d, s),
         [([6, 5, 4], [[1, 0], [5, 3], [0, 2], [2, 1]]), ([6, 5, 4], [[1, 0], [3, 3], [2, 1], [1, 2]]),
          ([6, 5, 4], [[-1, -1], [-9, -(2**62)], [-1, -3], [-2, -1]]), ([1, 5, 4], [[0, 2], [9, 9], [0, 1], [1, 1]])],
         [([6, 5, 4], [[0, 0], [1, 1], [1, -2], [1, 1]], "distinct axes"),
          ([6, 5, 4], [[0, 0], [1, 1], [1, 3], [1, 1]], "axis in [-3, 3)")], rank=3),
    Case("all along", [node("Slice", "x", "zero", "end", "d", out="v"), node("Neg", "v")], ["n", 3], {"d": 1},
         lambda x, d: -sliced(x, [1], [2**62], d, [1]), [([4, 3], [[0]]), ([4, 3], [[1]]), ([1, 3], [[-2]])],
         [], {"zero": np.array([1]), "end": np.array([2**63 - 1])}, 2),
    *(Case(f"{op}, {'kept' if keep else 'dropped'}",
           [node("Relu", "x", out="r"), node(op, "r", "d", out="s", keepdims=keep), node("Neg", "s")], ["n", 3, 4],
           {"d": 2}, lambda x, d, f=f, keep=keep: -f(np.maximum(x, 0), axis=tuple(d), keepdims=bool(keep)),
           [([5, 3, 4], [[0, 2]]), ([5, 3, 4], [[-1, 1]]), ([5, 3, 4], [[1, 0]]), ([1, 3, 4], [[0, 1]]),
            ([200, 3, 4], [[0, 1]])],
           [([5, 3, 4], [[1, 1]], "distinct axes"), ([5, 3, 4], [[0, 4]], "axis in [-3, 3)")],
           rank=3 if keep else 1)
      for op, f in (("ReduceSum", np.sum), ("ReduceMax", np.max)) for keep in (0, 1)),
    Case("squeeze", [node("Squeeze", "x", "d", out="s"), node("Neg", "s")], ["n", "m", 3], {"d": 1},
         lambda x, d: -np.squeeze(x, tuple(d)), [([1, 4, 3], [[0]]), ([5, 1, 3], [[-2]]), ([1, 1, 3], [[1]])],
         [([4, 5, 3], [[0]], "a squeezed extent and 1"), ([1, 5, 3], [[3]], "axis in")], rank=2),
    Case("unsqueeze", [node("Unsqueeze", "x", "d", out="s"), node("Neg", "s")], ["n", 3], {"d": 2},
         lambda x, d: -np.expand_dims(x, tuple(d)),
         [([5, 3], [[0, 1]]), ([5, 3], [[3, 1]]), ([1, 3], [[-1, -4]]), ([0, 3], [[1, 2]])],
         [([5, 3], [[1, -3]], "distinct axes"), ([5, 3], [[0, 4]], "axis in")], rank=4),
    Case("sum along", [node("CumSum", "x", "d", out="s", exclusive=1), node("Neg", "s")], ["n", 3, 4], {"d": None},
         lambda x, d: -(np.cumsum(x, d) - x), [([5, 3, 4], [0]), ([5, 3, 4], [1]), ([1, 3, 4], [-1])],
         [([5, 3, 4], [3], "axis in")], rank=3),
    Case("sum along one of any", [node("CumSum", "x", "d")], ["n", "m", "k"], {"d": None}, np.cumsum,
         [([5, 3, 4], [0]), ([5, 3, 4], [1]), ([1, 3, 4], [-1]), ([2, 0, 3], [2])],
         [([5, 3, 4], [-4], "axis in")], rank=3),
    Case("pads along", [node("Pad", "x", "p", "v", "d", out="q"), node("Neg", "q")], ["n", 3],
         {"p": 2, "d": 1}, lambda x, p, d: -padded(x, p, d, 7),
         [([4, 3], [[1, 2], [0]]), ([4, 3], [[0, 5], [-1]]), ([1, 3], [[0, 0], [0]]), ([4, 3], [[-1, -1], [1]])],
         [([4, 3], [[-3, -2], [1]], "at least 0 elements")], {"v": np.array(7, np.float32)}, 2),
    Case("pads of rank 5", [node("Pad", "x", "p", out="q"), node("Neg", "q")], ["n", 1, 2, 1, 2], {"p": 10},
         lambda x, p: -np.pad(x, list(zip(p[:5], p[5:]))),
         [([2, 1, 2, 1, 2], [[1, 0, 2, 0, 0, 0, 1, 0, 1, 3]]), ([1, 1, 2, 1, 2], [[0] * 10])], [], rank=5),
    Case("gather", [node("Gather", "x", "i", out="g"), node("Neg", "g")], ["n", 3], {"i": 2}, lambda x, i: -x[i],
         [([4, 3], [[3, -4]]), ([1, 3], [[0, 0]])],
         [([0, 3], [[0, -1]], "out of range [-0, 0)"), ([4, 3], [[0, 4]], "out of range [-4, 4)")], rank=2),
    Case("parts", [node("Split", "x", "s", out="t"), node("Neg", "t")], ["n", 3], {"s": 1}, lambda x, s: -x,
         [([4, 3], [[4]]), ([0, 3], [[0]])], [([4, 3], [[3]], "the sum of the parts")], rank=2),
    Case("stepping range", [node("Range", "a", "b", "c", out="r"), node("Cast", "r", to=FLOAT)], [],
         {"a": None, "b": None, "c": None}, lambda a, b, c: np.arange(a, b, c).astype(np.float32),
         [([], [2, 9, 3]), ([], [9, -3, -4]), ([], [5, 5, 1]), ([], [5, 1, 2])],
         [([], [1, 5, 0], "step other than 0")]),
    Case("float range", [node("Range", "a", "b", "c", out="r"), node("Neg", "r")], [],
         {"a": None, "b": None, "c": None}, lambda a, b, c: -np.arange(a, b, c, np.float32),
         [([], [1, 5, 0.5]), ([], [3, -2, -0.75]), ([], [1, 1, 1]), ([], [2, 1, 1]), ([], [0, 1000, 1])],
         [([], [1, 5, 0], "step other than 0"), ([], [0, np.inf, 1], "2^40"), ([], [np.nan, 1, 1], "2^40")],
         floats=True),
]


def make_model(case: Case) -> onnx.ModelProto:
    """The model."""
    inputs = [helper.make_tensor_value_info("x", FLOAT, case.x)] if case.x else []
    for name, length in case.integers.items():
        inputs.append(helper.make_tensor_value_info(name, FLOAT if case.floats else INT,
                                                    [] if length is None else [length]))
    output = helper.make_tensor_value_info("y", FLOAT, [f"y{i}" for i in range(case.rank)])
    constants = [numpy_helper.from_array(v if v.dtype == np.float32 else v.astype(np.int64), k)
                 for k, v in case.constants.items()]
    graph = helper.make_graph(case.nodes, "shapes", inputs, [output], constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", case.opset)], ir_version=8)


def check(sectile: str, case: Case, folder: str) -> str:
    """What is wrong, or nothing."""
    model, package = os.path.join(folder, "model.onnx"), os.path.join(folder, "package")
    onnx.save(make_model(case), model)
    done = run([sectile, "compile", model, "-o", package])
    if done.returncode:
        return f"compile: status {done.returncode}: {done.stderr}"
    random = np.random.default_rng(1)

    def start(shape: list, integers: list) -> tuple:
        command = [sectile, "run", package, f"--output-dir={folder}"]
        arrays = []
        if case.x:
            arrays.append(random.integers(-4, 5, shape).astype(np.float32))
        arrays += [np.array(value, np.float32 if case.floats else np.int64) for value in integers]
        for name, array in zip((["x"] if case.x else []) + list(case.integers), arrays):
            np.save(os.path.join(folder, f"{name}.npy"), array)
            command.append(f"--input={name}={folder}/{name}.npy")
        return run(command), arrays

    for shape, integers in case.good:
        done, arrays = start(shape, integers)
        if done.returncode:
            return f"{shape}, {integers}: status {done.returncode}: {done.stderr}"
        expected = case.reference(*arrays)
        actual = np.load(os.path.join(folder, "y.npy"))
        if actual.shape != expected.shape or not np.array_equal(actual, expected):
            return f"{shape}, {integers}: expects {expected}, but got {actual}"
    for shape, integers, part in case.bad:
        done, _ = start(shape, integers)
        if done.returncode != 1 or part not in done.stderr:
            return f"{shape}, {integers}: expects '{part}', but got {done.returncode}: {done.stderr}"
    return ""


def check_query(sectile: str, folder: str) -> str:
    """Shapes without data are refused where they depend on it; with data they are told."""
    case = next(case for case in CASES if case.name == "constant of shape")
    model, package = os.path.join(folder, "model.onnx"), os.path.join(folder, "package")
    onnx.save(make_model(case), model)
    done = run([sectile, "compile", model, "-o", package])
    if done.returncode:
        return f"compile: status {done.returncode}: {done.stderr}"
    context = runtime.Context(runtime.Package(package))
    query = runtime.library().sectile_context_infer_shapes
    query.argtypes = runtime.library().sectile_context_run.argtypes
    call = context.prepare({"s": np.array([3, 4], np.int64)})
    slot, result = call._inputs[0], call._outputs[0]
    data, size = slot.data, slot.bytes
    for slot.data, slot.bytes, expected in ((None, size, 0), (data, size - 1, 0), (data, size, 48)):
        status = query(context._handle, call._inputs, 1, call._outputs, 1)
        message = runtime.library().sectile_context_message(context._handle).decode()
        if expected == 0 and (status == 0 or "elements of input 's'" not in message):
            return f"expects a refusal, but got status {status}: {message}"
        if expected and (status or result.bytes != expected or list(result.dims[:2]) != [3, 4]):
            return f"expects {expected} bytes, but got status {status}: {message}"
    return ""


def main() -> int:
    """The command; returns its exit status."""
    cases = [(case.name, lambda sectile, at, case=case: check(sectile, case, at)) for case in CASES]
    return run_cases(__doc__, [*cases, ("query", check_query)])


if __name__ == "__main__":
    sys.exit(main())
