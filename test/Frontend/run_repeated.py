#!/usr/bin/python3
# This file is part of the Sectile project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Runs models with loops that stay loops, and compares them with numpy.

    test/Frontend/run_repeated.py --sectile=build/bin/sectile [--only NAME] [--verify]

Models that must be refused state a part of the message. The last line is "N passed, N failed,
N skipped" (models).
"""

from __future__ import annotations

import os
import sys
from typing import Callable, NamedTuple, Sequence

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from sectile_reference.cases import run, run_cases

F32, F16, F64, I8, I32, I64, U8, BOOL = (
    TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE, TensorProto.INT8,
    TensorProto.INT32, TensorProto.INT64, TensorProto.UINT8, TensorProto.BOOL)
NUMPY = {F32: np.float32, F16: np.float16, F64: np.float64, I8: np.int8, I32: np.int32,
         I64: np.int64, U8: np.uint8, BOOL: np.bool_}
CONSTANTS = {"zero": 0, "one": 1, "two": 2, "three": 3, "nine": 9, "hundred": 100,
             "endless": (1 << 63) - 1}


def node(op: str, inputs: str, outputs: str, **attributes: object) -> onnx.NodeProto:
    """A node; names are separated by spaces and `_` is none."""
    split = lambda names: ["" if name == "_" else name for name in names.split()]
    return helper.make_node(op, split(inputs), split(outputs), **attributes)


def graph(inputs: str, nodes: list, outputs: str) -> onnx.GraphProto:
    """A body or branch; types follow from the use."""
    info = lambda name: helper.make_tensor_value_info(name, F32, None)
    return helper.make_graph(nodes, "body", [info(n) for n in inputs.split()],
                             [info(n) for n in outputs.split()])


def constant(name: str, value: object, kind: int = F32) -> onnx.NodeProto:
    """A Constant node."""
    return node("Constant", "", name, value=numpy_helper.from_array(np.array(value, NUMPY[kind])))


class Case(NamedTuple):
    """A model with the inputs {name: (kind, dims)}, run on each of `samples`."""

    name: str
    nodes: list
    inputs: dict
    outputs: dict  # name: (kind, rank)
    samples: Sequence[dict] = ()
    reference: Callable = lambda **inputs: []
    message: str = ""  # of a refusal at import
    error: str = ""  # of a run
    tolerance: float = 0.0
    opset: int = 17


def floats(*shape: int, seed: int = 0, low: int = -4, high: int = 5) -> np.ndarray:
    """Small whole numbers."""
    return np.random.default_rng(seed).integers(low, high, shape).astype(np.float32)


def number(value: int) -> np.ndarray:
    return np.array(value, np.int64)


# Newton's iteration for square roots, until no element moves by more than 0.001.
NEWTON = [node("Div", "a x", "q"), node("Add", "x q", "s"), node("Mul", "s half", "y"),
          node("Sub", "y x", "d"), node("Abs", "d", "e"), node("ReduceMax", "e", "m", keepdims=0),
          node("Greater", "m eps", "more")]


def newton(a: np.ndarray) -> list:
    x, half = a.copy(), np.float32(0.5)
    while True:
        y = (x + a / x) * half
        moved, x = np.abs(y - x).max(initial=-np.inf), y
        if not moved > np.float32(0.001):
            return [x]


def collatz(n: np.ndarray) -> list:
    steps, value = 0, int(n)
    while value > 1:
        value, steps = (3 * value + 1 if value % 2 else value // 2), steps + 1
    return [np.array(value, np.int64), np.array(steps, np.int64)]


COLLATZ = [node("Mod", "v two", "r"), node("Equal", "r zero", "even"), node("Div", "v two", "h"),
           node("Mul", "v three", "t"), node("Add", "t one", "u"), node("Where", "even h u", "w"),
           node("Add", "s one", "z"), node("Greater", "w one", "more")]

# Greedy decoding: embed the last token, one step of an RNN, take the likeliest; ends at token 0.
DECODE = [node("Gather", "E token", "x"), node("Gemm", "x W", "xw"), node("Gemm", "h U", "hu"),
          node("Add", "xw hu", "p"), node("Tanh", "p", "h2"), node("MatMul", "h2 V", "logits"),
          node("ArgMax", "logits", "best", axis=1, keepdims=0), node("Cast", "i", "i32", to=I32),
          node("Unsqueeze", "i zeros", "at"), node("Unsqueeze", "at zeros", "place"),
          node("ScatterND", "text place best", "text2"),
          node("Greater", "best zeros", "moreone"), node("Squeeze", "moreone zeros", "more")]
SIZES = {"E": (7, 4), "W": (4, 5), "U": (5, 5), "V": (5, 7)}


def weights() -> dict:
    random = np.random.default_rng(5)
    return {name: random.normal(size=shape).astype(np.float32) for name, shape in SIZES.items()}


def decode(h: np.ndarray) -> list:
    w, token, text = weights(), np.array([3], np.int64), np.full(20, -1, np.int64)
    for i in range(20):
        h = np.tanh(w["E"][token] @ w["W"] + h @ w["U"])
        token = np.argmax(h @ w["V"], axis=1)
        text[i] = token[0]
        if token[0] <= 0:
            break
    return [text, h]


ADD = [node("Add", "a z", "b")]


def repeat(x: np.ndarray, z: np.ndarray, n: int) -> np.ndarray:
    for _ in range(max(int(n), 0)):
        x = x + z
    return x


def partial_sums(x: np.ndarray, n: int) -> list:
    rows, total = [], np.zeros_like(x)
    for i in range(max(int(n), 0)):
        total = total + x * np.float32(i)
        rows.append(total)
    return [total, np.array(rows, np.float32).reshape(len(rows), *x.shape)]


def triangle(x: np.ndarray, n: int) -> list:
    for i in range(int(n)):
        for _ in range(i):
            x = x + np.float32(1)
        x = -x
    return [x]


def bisect(x: np.ndarray) -> list:
    """Halves while the largest element is above 1; a flag and a counter go along."""
    flag, count, x = False, 0, x.copy()
    while x.max() > 1:
        x, flag, count = x / np.float32(2), not flag, count + 1
    return [x, np.array(flag), np.array(count, np.int32)]


XZ = {"x": (F32, ["n", 3]), "z": (F32, ["n", 3])}
XZN = {**XZ, "n_trips": (I64, [])}
COUNTED = node("Loop", "n_trips _ x", "y", body=graph("i c a", ADD, "c b"))
SAMPLES = [dict(x=floats(rows, 3), z=floats(rows, 3, seed=1), n_trips=number(n))
           for rows, n in [(2, 0), (1, 1), (5, 7), (0, 4), (3, -5), (2, 20)]]
SUM_ROWS = [node("Cast", "i", "f", to=F32), node("Mul", "x f", "p"), node("Add", "a p", "b")]


def typed(kind: int, op: str) -> Case:
    """x `op` z, n times, in a type."""
    dtype = NUMPY[kind]
    inputs = {"x": (kind, ["n", 3]), "z": (kind, ["n", 3]), "n_trips": (I64, [])}
    nodes = [node("Loop", "n_trips _ x", "y",
                  body=graph("i c a", [node(op, "a z", "b")], "c b"))]
    function = {"Add": np.add, "Xor": np.logical_xor, "Max": np.maximum}[op]

    def reference(x: np.ndarray, z: np.ndarray, n_trips: np.ndarray) -> list:
        for _ in range(int(n_trips)):
            x = function(x, z).astype(dtype)
        return [x]

    samples = [dict(x=floats(4, 3, low=0).astype(dtype), z=floats(4, 3, seed=1, low=0).astype(dtype),
                    n_trips=number(n)) for n in (0, 3, 4)]
    return Case(f"carried {np.dtype(dtype).name}", nodes, inputs, {"y": (kind, 2)}, samples, reference)


def scan_reference(x: np.ndarray, s: np.ndarray, axis: int = 0, backward: bool = False,
                   out_axis: int = 0, out_backward: bool = False) -> list:
    parts, rows = np.moveaxis(x, axis, 0), []
    for part in parts[::-1] if backward else parts:
        s = s + part
        rows.append(s * np.float32(2))
    stack = np.array(rows, np.float32).reshape(len(rows), *s.shape)
    stack = stack[::-1] if out_backward else stack
    return [s, np.moveaxis(stack, 0, out_axis)]


SCAN_BODY = graph("s p", [node("Add", "s p", "t"), node("Add", "t t", "u")], "t u")


def scan(name: str, dims: list, **ways: object) -> Case:
    """A cumulative sum along an axis."""
    axis, out_axis = ways.get("axis", 0), ways.get("out_axis", 0)
    attributes = dict(scan_input_axes=[axis], scan_output_axes=[out_axis],
                      scan_input_directions=[int(ways.get("backward", False))],
                      scan_output_directions=[int(ways.get("out_backward", False))])
    rest = [d for i, d in enumerate(dims) if i != axis % len(dims)]
    sizes = lambda extents, at: [at[e] if isinstance(e, str) else e for e in extents]
    samples = [dict(x=floats(*sizes(dims, at)), s=floats(*sizes(rest, at), seed=2))
               for at in ({"t": 5, "n": 2}, {"t": 1, "n": 1}, {"t": 0, "n": 3}, {"t": 9, "n": 4})]
    return Case(f"scan {name}",
                [node("Scan", "s x", "last rows", body=SCAN_BODY, num_scan_inputs=1, **attributes)],
                {"x": (F32, dims), "s": (F32, rest)},
                {"last": (F32, len(rest)), "rows": (F32, len(dims))}, samples,
                lambda x, s: scan_reference(x, s, **ways))


def then_else(then: list, otherwise: list, result: str) -> dict:
    return dict(then_branch=graph("", then, result), else_branch=graph("", otherwise, result))


CASES = [
    Case("newton", [constant("half", 0.5), constant("eps", 0.001),
                    node("Loop", "endless _ a", "r", body=graph("i c x", NEWTON, "more y"))],
         {"a": (F32, ["n"])}, {"r": (F32, 1)},
         [dict(a=np.array(v, np.float32)) for v in ([2, 3, 10000], [1], [1e6] * 40)], newton,
         tolerance=1e-6),
    Case("collatz", [node("Greater", "n one", "first"),
                     node("Loop", "_ first n zero", "v s",
                          body=graph("i c v s", COLLATZ, "more w z"))],
         {"n": (I64, [])}, {"v": (I64, 0), "s": (I64, 0)},
         [dict(n=number(v)) for v in (1, 2, 27, 6)], collatz),
    Case("decode", [constant("zeros", [0], I64), constant("start", [3], I64),
                    constant("blank", [-1] * 20, I64), constant("twenty", 20, I64),
                    *[constant(n, v) for n, v in weights().items()],
                    node("Loop", "twenty _ start h blank", "_ h_end text",
                         body=graph("i c token h text", DECODE, "more best h2 text2"))],
         {"h": (F32, [1, 5])}, {"text": (I64, 1), "h_end": (F32, 2)},
         [dict(h=floats(1, 5, seed=s)) for s in range(6)], decode, tolerance=1e-5),
    Case("trips from an input", [COUNTED], XZN, {"y": (F32, 2)}, SAMPLES,
         lambda x, z, n_trips: [repeat(x, z, n_trips)]),
    Case("trips from a kernel",
         [node("ReduceSum", "counts", "k", keepdims=0),
          node("Loop", "k _ x", "y", body=graph("i c a", ADD, "c b"))],
         {**XZ, "counts": (I64, ["m"])}, {"y": (F32, 2)},
         [dict(x=floats(2, 3), z=floats(2, 3, seed=1), counts=np.array(c, np.int64))
          for c in ([], [2], [3, -1, 5], [-4])],
         lambda x, z, counts: [repeat(x, z, counts.sum())]),
    Case("many trips", [node("Loop", "hundred _ x", "y", body=graph("i c a", ADD, "c b"))],
         XZ, {"y": (F32, 2)}, [dict(x=floats(2, 3), z=floats(2, 3, seed=1))],
         lambda x, z: [repeat(x, z, 100)]),
    Case("condition of the run",
         [node("ReduceMax", "x", "m", keepdims=0), node("Greater", "m limit", "start"),
          node("Loop", "hundred start x", "y", body=graph("i c a", ADD, "c b"))],
         {**XZ, "limit": (F32, [])}, {"y": (F32, 2)},
         [dict(x=floats(2, 3), z=floats(2, 3, seed=1), limit=np.array(v, np.float32))
          for v in (-9, 9)],
         lambda x, z, limit: [repeat(x, z, 100 if x.max() > limit else 0)]),
    Case("trips beyond the condition",
         [constant("half", 0.5), constant("unit", 1.0),
          constant("no", False, BOOL), constant("none", 0, I32), constant("step", 1, I32),
          node("ReduceMax", "x", "m0", keepdims=0), node("Greater", "m0 unit", "first"),
          node("Loop", "endless first x no none", "y flag count", body=graph(
              "i c a f k", [node("Mul", "a half", "b"), node("Not", "f", "g"),
                            node("Add", "k step", "l"), node("ReduceMax", "b", "m", keepdims=0),
                            node("Greater", "m unit", "more")], "more b g l"))],
         {"x": (F32, ["n", 3])}, {"y": (F32, 2), "flag": (BOOL, 0), "count": (I32, 0)},
         [dict(x=floats(2, 3, high=s) + np.float32(0.5)) for s in (-1, 5, 90, 1000)], bisect),
    Case("rows", [node("Loop", "n_trips _ start", "y rows",
                       body=graph("i c a", SUM_ROWS, "c b b")),
                  ],
         {"x": (F32, ["n", 3]), "start": (F32, ["n", 3]), "n_trips": (I64, [])},
         {"y": (F32, 2), "rows": (F32, 3)},
         [dict(x=floats(r, 3), start=np.zeros((r, 3), np.float32), n_trips=number(n))
          for r, n in [(2, 0), (2, 1), (4, 9), (0, 3), (3, -1)]],
         lambda x, start, n_trips: partial_sums(x, n_trips)),
    Case("rows used after", [node("Loop", "n_trips _ start", "y rows",
                                  body=graph("i c a", SUM_ROWS, "c b b")),
                             node("ReduceSum", "rows", "total", keepdims=0)],
         {"x": (F32, [2, 3]), "start": (F32, [2, 3]), "n_trips": (I64, [])}, {"total": (F32, 0)},
         [dict(x=floats(2, 3), start=np.zeros((2, 3), np.float32), n_trips=number(n))
          for n in (0, 1, 9)],
         lambda x, start, n_trips: [partial_sums(x, n_trips)[1].sum(dtype=np.float32)]),
    Case("rows of outer values", [node("Loop", "hundred _", "rows", body=graph(
        "i c", [node("Cast", "i", "f", to=F32), node("Add", "x f", "b")], "c b"))],
         {"x": (F32, [3])}, {"rows": (F32, 2)}, [dict(x=floats(3))],
         lambda x: [x + np.arange(100, dtype=np.float32)[:, None]]),
    Case("empty rows", [node("Loop", "zero _", "rows", body=graph("i c", [], "c x"))],
         {"x": (F32, ["n", 3])}, {"rows": (F32, 3)}, [dict(x=floats(2, 3))],
         lambda x: [np.zeros((0, 2, 3), np.float32)]),
    Case("rows by number", [node("Loop", "m_rows _", "rows", body=graph(
        "i c", [node("Gather", "x i", "b", axis=0)], "c b"))],
         {"x": (F32, ["m", 3]), "m_rows": (I64, [])}, {"rows": (F32, 2)},
         [dict(x=floats(4, 3), m_rows=number(n)) for n in (0, 2, 4)],
         lambda x, m_rows: [x[:int(m_rows)]]),
    Case("gather beyond", [node("Loop", "m_rows _ start", "y", body=graph(
        "i c a", [node("Add", "i offset", "j"), node("Gather", "x j", "g", axis=0),
                  node("Add", "a g", "b")], "c b"))],
         {"x": (F32, [4, 3]), "start": (F32, [3]), "m_rows": (I64, []), "offset": (I64, [])},
         {"y": (F32, 1)},
         [dict(x=floats(4, 3), start=floats(3), m_rows=number(3), offset=number(2))],
         error="Gather"),
    Case("nested", [node("Loop", "n_trips _ x", "y", body=graph("i c a", [
        node("Loop", "i _ a", "b", body=graph("j d p", [node("Add", "p unit", "q")], "d q")),
        node("Neg", "b", "e")], "c e")), ],
         {"x": (F32, ["n", 3]), "n_trips": (I64, []), "unit": (F32, [])}, {"y": (F32, 2)},
         [dict(x=floats(2, 3), n_trips=number(n), unit=np.array(1, np.float32))
          for n in (0, 1, 4, 7)],
         lambda x, n_trips, unit: triangle(x, n_trips)),
    Case("while in while", [constant("half", 0.5), constant("eps", 0.001), constant("unit", 1.0),
                            node("Loop", "endless _ a", "r", body=graph("k d w", [
                                node("Loop", "endless _ w", "v",
                                     body=graph("i c x", NEWTON, "more y")),
                                node("Mul", "v half", "u"),
                                node("ReduceMax", "u", "top", keepdims=0),
                                node("Greater", "top unit", "again")], "again u"))],
         {"a": (F32, [3])}, {"r": (F32, 1)}, [dict(a=np.array([4, 2, 3], np.float32))],
         lambda a: [newton(a)[0] * np.float32(0.5)], tolerance=1e-4),
    Case("loop in if", [constant("limit", 0.0), node("ReduceSum", "x", "m", keepdims=0),
                        node("Greater", "m limit", "c0"),
                        node("If", "c0", "y", **then_else(
                            [node("Loop", "n_trips _ x", "t", body=graph("i c a", ADD, "c b"))],
                            [node("Neg", "x", "t")], "t"))],
         {"x": (F32, [2, 3]), "z": (F32, [2, 3]), "n_trips": (I64, [])}, {"y": (F32, 2)},
         [dict(x=x, z=floats(2, 3, seed=1), n_trips=number(5))
          for x in (np.full((2, 3), 2, np.float32), np.full((2, 3), -2, np.float32))],
         lambda x, z, n_trips: [repeat(x, z, n_trips) if x.sum() > 0 else -x]),
    Case("if in loop", [constant("limit", 0.0), node("Loop", "n_trips _ x", "y", body=graph(
        "i c a", [node("ReduceSum", "a", "m", keepdims=0), node("Greater", "m limit", "c0"),
                  node("If", "c0", "b", **then_else([node("Sub", "a z", "t")],
                                                    [node("Neg", "a", "t")], "t"))], "c b"))],
         {"x": (F32, [2, 3]), "z": (F32, [2, 3]), "n_trips": (I64, [])}, {"y": (F32, 2)},
         [dict(x=np.full((2, 3), v, np.float32), z=np.full((2, 3), 2, np.float32),
               n_trips=number(6)) for v in (5, -2)],
         lambda x, z, n_trips: [if_in_loop(x, z, n_trips)]),
    Case("swapped", [node("Loop", "n_trips _ x z", "y w", body=graph("i c a b", [], "c b a"))],
         XZN, {"y": (F32, 2), "w": (F32, 2)}, SAMPLES,
         lambda x, z, n_trips: [z, x] if int(n_trips) > 0 and n_trips % 2 else [x, z]),
    Case("both the same", [node("Loop", "n_trips _ x z", "y w", body=graph(
        "i c a b", [node("Sub", "a b", "e")], "c e e"))],
         XZN, {"y": (F32, 2), "w": (F32, 2)}, SAMPLES,
         lambda x, z, n_trips: [x, z] if n_trips <= 0 else
         [(x - z) * np.float32(n_trips == 1)] * 2),
    Case("one start for two", [node("Loop", "n_trips _ x x", "y w", body=graph(
        "i c a b", [node("Add", "a z", "e"), node("Sub", "b x", "f")], "c e f"))],
         XZN, {"y": (F32, 2), "w": (F32, 2)}, SAMPLES,
         lambda x, z, n_trips: [repeat(x, z, n_trips), repeat(x, -x, n_trips)]),
    Case("outer value as result", [node("Loop", "n_trips _ x", "y", body=graph("i c a", [], "c z"))],
         XZN, {"y": (F32, 2)}, SAMPLES, lambda x, z, n_trips: [z if n_trips > 0 else x]),
    Case("used after", [node("Loop", "n_trips _ x", "l", body=graph("i c a", ADD, "c b")),
                        node("Mul", "l x", "y"), node("Concat", "l z", "w", axis=1)],
         XZN, {"y": (F32, 2), "w": (F32, 2)}, SAMPLES,
         lambda x, z, n_trips: [repeat(x, z, n_trips) * x,
                                np.concatenate([repeat(x, z, n_trips), z], 1)]),
    Case("sliced capture", [constant("from", [1], I64), constant("to", [3], I64),
                            node("Slice", "z from to", "part"),
                            node("Loop", "n_trips _ x", "y", body=graph("i c a", [
                                node("Add", "a part", "b")], "c b"))],
         {"x": (F32, [2, 3]), "z": (F32, [4, 3]), "n_trips": (I64, [])}, {"y": (F32, 2)},
         [dict(x=floats(2, 3), z=floats(4, 3, seed=1), n_trips=number(n)) for n in (0, 9)],
         lambda x, z, n_trips: [repeat(x, z[1:3], n_trips)]),
    Case("dynamic product", [node("Loop", "n_trips _ x", "y", body=graph("i c a", [
        node("MatMul", "a w", "p"), node("Tanh", "p", "b")], "c b"))],
         {"x": (F32, ["n", "d"]), "w": (F32, ["d", "d"]), "n_trips": (I64, [])}, {"y": (F32, 2)},
         [dict(x=floats(n, d), w=floats(d, d, seed=1) / np.float32(8), n_trips=number(4))
          for n, d in [(1, 1), (3, 17), (0, 4)]],
         lambda x, w, n_trips: [powers(x, w, n_trips)], tolerance=1e-5),
    *[typed(kind, op) for kind, op in ((F16, "Add"), (F64, "Add"), (I8, "Add"), (I32, "Add"),
                                       (U8, "Max"), (BOOL, "Xor"))],
    Case("data decides the rows",
         [node("Loop", "hundred _ x", "y rows", body=graph("i c a", [
             *ADD, node("ReduceMax", "b", "m", keepdims=0), node("Greater", "m m", "more")],
             "more b b"))],
         XZ, {"y": (F32, 2), "rows": (F32, 3)}, message="scan outputs, depends on the data"),
    Case("grows by data", [node("Loop", "n_trips _ x", "y", body=graph(
        "i c a", [node("Concat", "a z", "b", axis=0)], "c b"))],
         XZN, {"y": (F32, 2)}, message="changes its shape"),
    Case("without end", [node("Loop", "_ _ x", "y", body=graph("i c a", [], "c a"))],
         XZ, {"y": (F32, 2)}, message="nothing ends the loop"),
    scan("rows", ["t", "n", 3]), scan("static", [6, 2]), scan("backward", ["t", 3], backward=True),
    scan("columns", [3, "t"], axis=1), scan("last", ["n", 2, "t"], axis=-1, out_axis=2),
    scan("out backward", ["t", 2], out_backward=True),
    scan("all ways", ["n", "t"], axis=1, backward=True, out_axis=-1, out_backward=True),
    Case("scan of batches", [node("Scan", "_ s x", "last rows", body=SCAN_BODY, num_scan_inputs=1)],
         {"x": (F32, ["b", "t", 3]), "s": (F32, ["b", 3])},
         {"last": (F32, 2), "rows": (F32, 3)},
         [dict(x=floats(b, t, 3), s=floats(b, 3, seed=3)) for b, t in [(2, 4), (1, 1), (3, 0)]],
         lambda x, s: batches(x, s), opset=8),
]


def if_in_loop(x: np.ndarray, z: np.ndarray, trips: int) -> np.ndarray:
    for _ in range(int(trips)):
        x = x - z if x.sum() > 0 else -x
    return x


def powers(x: np.ndarray, w: np.ndarray, trips: int) -> np.ndarray:
    for _ in range(int(trips)):
        x = np.tanh(x @ w)
    return x


def batches(x: np.ndarray, s: np.ndarray) -> list:
    """Each element of a batch scanned on its own."""
    parts = [scan_reference(a, b) for a, b in zip(x, s)]
    return [np.stack(values) for values in zip(*parts)]


def make_model(case: Case) -> onnx.ModelProto:
    """The model."""
    inputs = [helper.make_tensor_value_info(name, kind, dims)
              for name, (kind, dims) in case.inputs.items()]
    outputs = [helper.make_tensor_value_info(name, kind, [f"{name}{i}" for i in range(rank)])
               for name, (kind, rank) in case.outputs.items()]
    constants = [numpy_helper.from_array(np.array(value, np.int64), name)
                 for name, value in CONSTANTS.items()]
    made = helper.make_graph(case.nodes, "repeated", inputs, outputs, constants)
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", case.opset)],
                             ir_version=8)


def run_sample(sectile: str, package: str, case: Case, sample: dict, folder: str) -> str:
    """What is wrong with one run, or nothing."""
    command = [sectile, "run", package, f"--output-dir={folder}"]
    for name, array in sample.items():
        np.save(os.path.join(folder, f"{name}-in.npy"), array)
        command.append(f"--input={name}={folder}/{name}-in.npy")
    done = run(command)
    if case.error:
        good = done.returncode == 1 and case.error in done.stderr
        return "" if good else f"expects '{case.error}', but got {done.returncode}: {done.stderr}"
    if done.returncode:
        return f"status {done.returncode}: {done.stderr}"
    for name, expected in zip(case.outputs, case.reference(**sample), strict=True):
        actual = np.load(os.path.join(folder, f"{name}.npy"))
        if actual.shape != expected.shape or actual.dtype != expected.dtype:
            return f"{name}: expects {expected.dtype}{expected.shape}, got {actual.dtype}{actual.shape}"
        good = (np.allclose(actual, expected, rtol=case.tolerance, atol=case.tolerance)
                if case.tolerance else np.array_equal(actual, expected))
        if not good:
            return f"{name}: expects {expected}, but got {actual}"
    return ""


def check(sectile: str, case: Case, folder: str) -> str:
    """What is wrong, or nothing."""
    model, package = os.path.join(folder, "model.onnx"), os.path.join(folder, "package")
    onnx.save(make_model(case), model)
    done = run([sectile, "compile", model, "-o", package])
    if case.message:
        if done.returncode != 1 or case.message not in done.stderr:
            return f"expects '{case.message}', but got {done.returncode}: {done.stderr}"
        return ""
    if done.returncode:
        return f"compile: status {done.returncode}: {done.stderr}"
    for number, sample in enumerate(case.samples):
        if problem := run_sample(sectile, package, case, sample, folder):
            return f"sample {number}: {problem}"
    return ""


def main() -> int:
    """The command; returns its exit status."""
    cases = [(case.name, lambda sectile, at, case=case: check(sectile, case, at)) for case in CASES]
    return run_cases(__doc__, cases)


if __name__ == "__main__":
    sys.exit(main())
