#!/usr/bin/python3
# This file is part of the Sectile project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Runs models in which data decides sizes, and compares them with numpy.

    test/Frontend/data_sizes.py --sectile=build/bin/sectile [--only NAME]

Each package is run with several inputs, among them ones that leave nothing and ones that leave everything, static
and with extents that only the run knows; each model is verified after every pass. The last line is
"N passed, N failed, N skipped" (models).
"""

from __future__ import annotations

import os
import sys
from typing import Callable, Dict, List, NamedTuple, Tuple

import numpy as np
import onnx
import sectile
from onnx import TensorProto, helper, numpy_helper
from sectile_reference.cases import run, run_cases

TYPES = {TensorProto.FLOAT: np.float32, TensorProto.INT64: np.int64, TensorProto.BOOL: np.bool_,
         TensorProto.INT32: np.int32}
FLOAT, INT, INT32, BOOL = TensorProto.FLOAT, TensorProto.INT64, TensorProto.INT32, TensorProto.BOOL


class Case(NamedTuple):
    """A model, its inputs (name: type and extents, numbers or names), and what numpy makes of them."""

    name: str
    nodes: list
    inputs: Dict[str, tuple]
    outputs: Dict[str, tuple]  # name: type and rank
    reference: Callable[..., tuple]
    constants: Dict[str, np.ndarray] = {}
    refused: str = ""  # part of the compiler's message
    nan: bool = False  # whether zeros of floats are NaN
    sizes: tuple = ((0.5, 5), (0, 4), (1, 3), (0.1, 70), (0.9, 1), (0.5, 0))  # density, and extents by name


def node(op: str, inputs: str, outputs: str, **attributes) -> onnx.NodeProto:
    """A node between names separated by spaces; "_" is an output that nobody wants."""
    names = ["" if name == "_" else name for name in outputs.split()]
    return helper.make_node(op, inputs.split(), names, name=names[0], **attributes)


def unique(x: np.ndarray, isSorted: bool) -> tuple:
    """ONNX's Unique of all elements."""
    values, first, inverse, counts = np.unique(x, True, True, True)
    order = np.arange(len(values)) if isSorted else np.argsort(first)
    rank = np.argsort(order)
    return values[order], first[order], rank[inverse.reshape(-1)], counts[order]


def unique_rows(x: np.ndarray, axis: int, isSorted: bool) -> tuple:
    """ONNX's Unique along an axis, by a dictionary of slices."""
    slices = [part.reshape(-1).tolist() for part in np.moveaxis(x, axis, 0)]
    order = sorted(range(len(slices)), key=lambda i: slices[i]) if isSorted else range(len(slices))
    groups: Dict[tuple, List[int]] = {}
    for i in order:
        groups.setdefault(tuple(slices[i]), []).append(i)
    first = np.array([min(group) for group in groups.values()], np.int64)
    inverse = np.array([list(groups).index(tuple(part)) for part in slices], np.int64)
    counts = np.array([len(group) for group in groups.values()], np.int64)
    return np.take(x, first, axis), first, inverse, counts


def overlap(a: np.ndarray, b: np.ndarray) -> np.float32:
    """The shared part of two boxes of two corners each, as ONNX's NonMaxSuppression defines it."""
    sides = [np.minimum(max(a[d], a[d + 2]), max(b[d], b[d + 2])) - np.maximum(min(a[d], a[d + 2]), min(b[d], b[d + 2]))
             for d in (0, 1)]
    areas = [abs((x[2] - x[0]) * (x[3] - x[1])) for x in (a, b)]
    if min(sides) <= 0 or min(areas) <= 0:
        return np.float32(0)
    shared = sides[0] * sides[1]
    return shared / (areas[0] + areas[1] - shared)


def suppress(boxes: np.ndarray, scores: np.ndarray, most: int = 0, most_overlap: float = 0,
             threshold: float = -np.inf, isCentered: bool = False) -> tuple:
    """NonMaxSuppression box by box."""
    if isCentered:
        half = boxes[..., 2:] * np.float32(0.5)
        empty = (half <= 0).any(-1, keepdims=True)
        boxes = np.where(empty, 0, np.concatenate([boxes[..., :2] - half, boxes[..., :2] + half], -1))
    chosen: List[list] = []
    for batch, label in np.ndindex(scores.shape[:2]):
        own: List[int] = []
        for box in np.argsort(-scores[batch, label], kind="stable"):
            if len(own) < most and scores[batch, label, box] > threshold and all(
                overlap(boxes[batch, box], boxes[batch, other]) <= np.float32(most_overlap) for other in own
            ):
                own.append(box)
        chosen += [[batch, label, box] for box in own]
    return (np.array(chosen, np.int64).reshape(-1, 3),)


UNIQUE = {"v": (FLOAT, 1), "f": (INT, 1), "i": (INT, 1), "c": (INT, 1)}

CASES = [
    Case("nonzero", [node("NonZero", "x", "y")], {"x": (FLOAT, [3, 5])}, {"y": (INT, 2)},
         lambda x: (np.array(np.nonzero(x)),)),
    Case("nonzero of a run-time shape", [node("NonZero", "x", "y")], {"x": (FLOAT, ["a", "b", 3])},
         {"y": (INT, 2)}, lambda x: (np.array(np.nonzero(x)),)),
    Case("nonzero of bools", [node("NonZero", "x", "y")], {"x": (BOOL, [37])}, {"y": (INT, 2)},
         lambda x: (np.array(np.nonzero(x)),)),
    Case("compress", [node("Compress", "x c", "y")], {"x": (FLOAT, [3, 4]), "c": (BOOL, [7])},
         {"y": (FLOAT, 1)}, lambda x, c: (x.reshape(-1)[:7][c],)),
    Case("compress along an axis", [node("Compress", "x c", "y", axis=-1)],
         {"x": (INT32, ["n", 2, 9]), "c": (BOOL, [9])}, {"y": (INT32, 3)}, lambda x, c: (x[:, :, c],)),
    Case("compress of a run-time shape", [node("Compress", "x c", "y", axis=0)],
         {"x": (FLOAT, ["n", 6]), "c": (BOOL, ["n"])}, {"y": (FLOAT, 2)}, lambda x, c: (x[c],)),
    # What follows has the size too: elementwise, sums, products, along it and across.
    Case("chain", [node("Compress", "x c", "r", axis=0), node("Relu", "r", "p"), node("MatMul", "p w", "y"),
                   node("ReduceSum", "r k", "s", keepdims=0)],
         {"x": (FLOAT, ["n", 6]), "c": (BOOL, ["n"])}, {"y": (FLOAT, 2), "s": (FLOAT, 1)},
         lambda x, c: (np.maximum(x[c], 0) @ np.arange(30, dtype=np.float32).reshape(6, 5), x[c].sum(0)),
         {"w": np.arange(30, dtype=np.float32).reshape(6, 5), "k": np.array([0])}),
    # Two sizes in one model, one made of the other's result.
    Case("nested", [node("Compress", "x c", "r"), node("Greater", "r zero", "g"), node("NonZero", "g", "y"),
                    node("Mul", "r r", "q")],
         {"x": (FLOAT, [40]), "c": (BOOL, [40])}, {"y": (INT, 2), "q": (FLOAT, 1)},
         lambda x, c: (np.array(np.nonzero(x[c] > 0)), x[c] * x[c]), {"zero": np.array(0, np.float32)}),
    # The size as a number: of a result's shape, and in a concatenation.
    Case("shape", [node("NonZero", "x", "i"), node("Transpose", "i", "t", perm=[1, 0]), node("GatherND", "x t", "g"),
                   node("Concat", "g x", "y", axis=0), node("Shape", "g", "n")],
         {"x": (FLOAT, [23])}, {"y": (FLOAT, 1), "n": (INT, 1)},
         lambda x: (np.concatenate([x[x != 0], x]), np.array([np.count_nonzero(x)]))),
    Case("unique", [node("Unique", "x", "v f i c")], {"x": (FLOAT, [6, 7])}, UNIQUE, lambda x: unique(x, True)),
    Case("unique in order", [node("Unique", "x", "v f i c", sorted=0)], {"x": (FLOAT, [41])}, UNIQUE,
         lambda x: unique(x, False)),
    Case("unique with NaN", [node("Unique", "x", "v f i c")], {"x": (FLOAT, [31])}, UNIQUE, lambda x: unique(x, True),
         nan=True),
    Case("unique rows", [node("Unique", "x", "v f i c", axis=0)], {"x": (FLOAT, [33, 2])}, {**UNIQUE, "v": (FLOAT, 2)},
         lambda x: unique_rows(x, 0, True)),
    Case("unique rows in order", [node("Unique", "x", "v f i c", axis=-1, sorted=0)], {"x": (INT32, ["n", 1, 40])},
         {**UNIQUE, "v": (INT32, 3)}, lambda x: unique_rows(x, 2, False)),
    Case("suppressed", [node("NonMaxSuppression", "x s most iou", "y")],
         {"x": (FLOAT, [2, 30, 4]), "s": (FLOAT, [2, 3, 30])}, {"y": (INT, 2)},
         lambda x, s: suppress(x, s, 4, 0.3), {"most": np.array([4]), "iou": np.array([0.3], np.float32)}),
    Case("suppressed at run time", [node("NonMaxSuppression", "x s most iou least", "y")],
         {"x": (FLOAT, [2, "n", 4]), "s": (FLOAT, [2, 3, "n"]), "most": (INT, []), "iou": (FLOAT, [1])}, {"y": (INT, 2)},
         lambda x, s, most, iou: suppress(x, s, most, iou[0], 0), {"least": np.array([0], np.float32)}),
    Case("suppressed by a number that is computed", [node("Add", "most two", "k"), node("NonMaxSuppression", "x s k iou", "y")],
         {"x": (FLOAT, ["b", "n", 4]), "s": (FLOAT, ["b", "c", "n"]), "most": (INT, [])}, {"y": (INT, 2)},
         lambda x, s, most: suppress(x, s, most + 2, 0.1),
         {"iou": np.array(0.1, np.float32), "two": np.array(2)}, sizes=((0.5, 2), (0, 1), (0.9, 6), (0.5, 0))),
    Case("suppressed around centres", [node("NonMaxSuppression", "x s most", "y", center_point_box=1)],
         {"x": (FLOAT, [2, 17, 4]), "s": (FLOAT, [2, 2, 17])}, {"y": (INT, 2)},
         lambda x, s: suppress(x, s, 9, isCentered=True), {"most": np.array([9])}),
    # A detector's end: the boxes and scores of what is left.
    Case("detections", [node("NonMaxSuppression", "x s most iou", "y"), node("Slice", "y zero one one", "b"),
                        node("Slice", "y two three one", "i"), node("Concat", "b i", "at", axis=1),
                        node("GatherND", "x at", "boxes"), node("GatherND", "s y", "scores")],
         {"x": (FLOAT, ["b", "n", 4]), "s": (FLOAT, ["b", 3, "n"])}, {"boxes": (FLOAT, 2), "scores": (FLOAT, 1)},
         lambda x, s: (lambda y: (x[y[:, 0], y[:, 2]], s[y[:, 0], y[:, 1], y[:, 2]]))(suppress(x, s, 3, 0.3)[0]),
         {"most": np.array([3]), "iou": np.array([0.3], np.float32), "zero": np.array([0]), "one": np.array([1]),
          "two": np.array([2]), "three": np.array([3])}, sizes=((0.5, 2), (0, 1), (0.9, 6), (0.5, 0))),
    Case("nothing is asked for", [node("NonMaxSuppression", "x s", "y")],
         {"x": (FLOAT, [1, 9, 4]), "s": (FLOAT, [1, 2, 9])}, {"y": (INT, 2)}, suppress),
    Case("nonzero of a scalar", [node("NonZero", "x", "y")], {"x": (FLOAT, [])}, {"y": (INT, 2)},
         lambda x: (np.zeros((0, np.count_nonzero(x)), np.int64),)),
    # What is returned has the type of what is computed, and other extents.
    Case("turned", [node("Compress", "x c", "r", axis=0), node("Shape", "r", "s"), node("Gather", "s back", "t"),
                    node("Reshape", "r t", "y")],
         {"x": (FLOAT, ["n", "m"]), "c": (BOOL, ["n"])}, {"y": (FLOAT, 2)},
         lambda x, c: (x[c].reshape(x.shape[1], -1) if x.shape[1] else x[c].reshape(0, c.sum()),),
         {"back": np.array([1, 0])}),
    # Memory is laid out for the greatest counts: what grows as they shrink has no place.
    Case("padded", [node("NonZero", "x", "i"), node("Shape", "i", "s"), node("Gather", "s one", "c"),
                    node("Slice", "x c most", "y")],
         {"x": (FLOAT, [50])}, {"y": (FLOAT, 1)}, lambda x: (x,), {"one": np.array([1]), "most": np.array([50])},
         refused="can grow as less is counted"),
    Case("stretched", [node("Compress", "x c", "r"), node("Add", "r w", "y")],
         {"x": (FLOAT, [8]), "c": (BOOL, [8]), "w": (FLOAT, ["n"])}, {"y": (FLOAT, 1)}, lambda x, c, w: (x,),
         refused="can grow as less is counted"),
    Case("unique of integers", [node("Unique", "x", "v _ _ c")], {"x": (INT32, [29])},
         {"v": (INT32, 1), "c": (INT, 1)}, lambda x: (unique(x, True)[0], unique(x, True)[3])),
]


def make_model(case: Case) -> onnx.ModelProto:
    """The model of a case."""
    inputs = [helper.make_tensor_value_info(name, dtype, shape) for name, (dtype, shape) in case.inputs.items()]
    outputs = [helper.make_tensor_value_info(name, dtype, [None] * rank) for name, (dtype, rank) in case.outputs.items()]
    constants = [numpy_helper.from_array(array, name) for name, array in case.constants.items()]
    graph = helper.make_graph(case.nodes, "g", inputs, outputs, constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)


def draw(case: Case, random: np.random.Generator, density: float, size: int) -> List[np.ndarray]:
    """Inputs of which about `density` is not zero; extents that are names are about `size`."""
    sizes: Dict[str, int] = {}
    arrays = []
    for dtype, extents in case.inputs.values():
        shape: Tuple[int, ...] = tuple(
            sizes.setdefault(e, size + len(sizes)) if isinstance(e, str) else e for e in extents
        )
        marked = random.random(shape) < density
        arrays.append((marked * random.integers(-3, 4, shape)).astype(TYPES[dtype]) if dtype != BOOL else marked)
    return arrays


def check(program: str, case: Case, folder: str) -> str:
    """What is wrong, or nothing."""
    model, package = os.path.join(folder, "model.onnx"), os.path.join(folder, "package")
    onnx.save(make_model(case), model)
    done = run([program, "compile", model, "-o", package, "--quiet"])
    if case.refused:
        if done.returncode == 1 and case.refused in done.stderr and not os.path.exists(package):
            return ""
        return f"expects '{case.refused}', but got status {done.returncode}: {done.stderr}"
    if done.returncode:
        return f"compile: status {done.returncode}: {done.stderr}"
    loaded = sectile.load(package)
    random = np.random.default_rng(7)
    for density, size in case.sizes:
        arrays = draw(case, random, density, size)
        if case.nan:
            arrays[0][arrays[0] == 0] = np.nan
        results = loaded.run(dict(zip(case.inputs, arrays)))
        for name, expected in zip(case.outputs, case.reference(*arrays)):
            actual = results[name]
            if actual.shape != expected.shape or not np.array_equal(actual, expected, equal_nan=case.nan):
                return f"density {density}, size {size}: expects {name} = {expected}, but got {actual}"
    done = run([program, "verify", model])
    return f"verify: status {done.returncode}: {done.stdout}{done.stderr}" if done.returncode else ""


def check_loop(program: str, folder: str) -> str:
    """A loop checks extents against what was counted, not against its bound."""
    body = helper.make_graph(
        [node("MatMul", "r w", "q"), node("Add", "s q", "s_out"),
         node("Identity", "go", "go_out")],
        "body", [helper.make_tensor_value_info("i", INT, []), helper.make_tensor_value_info("go", BOOL, []),
                 helper.make_tensor_value_info("s", FLOAT, [])],
        [helper.make_tensor_value_info("go_out", BOOL, []), helper.make_tensor_value_info("s_out", FLOAT, [])])
    zero = numpy_helper.from_array(np.array(0, np.float32), "zero")
    inputs = [("x", FLOAT, ["m"]), ("c", BOOL, ["m"]), ("w", FLOAT, ["k"]), ("n", INT, [])]
    graph = helper.make_graph(
        [node("Compress", "x c", "r"), helper.make_node("Loop", ["n", "", "zero"], ["y"], body=body)], "g",
        [helper.make_tensor_value_info(*each) for each in inputs], [helper.make_tensor_value_info("y", FLOAT, [])], [zero])
    model, package = os.path.join(folder, "model.onnx"), os.path.join(folder, "package")
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8), model)
    done = run([program, "compile", model, "-o", package, "--quiet"])
    if done.returncode:
        return f"compile: status {done.returncode}: {done.stderr}"
    loaded = sectile.load(package)
    x, trips = np.arange(8, dtype=np.float32), np.array(3)
    for marked, extent in ((5, 5), (8, 8), (0, 0), (3, 8), (5, 4)):
        c, w = np.arange(8) < marked, np.ones(extent, np.float32)
        try:
            y = loaded.run({"x": x, "c": c, "w": w, "n": trips})["y"]
        except sectile.RunError as error:
            if marked == extent:
                return f"{marked} of {extent}: refused: {error}"
            continue
        if marked != extent or y != 3 * x[c].sum():
            return f"{marked} of {extent}: got {y}"
    return ""


def main() -> int:
    """The command; returns its exit status."""
    cases = [(case.name, lambda at, folder, case=case: check(at, case, folder)) for case in CASES]
    return run_cases(__doc__, [*cases, ("loop", check_loop)])


if __name__ == "__main__":
    sys.exit(main())
