# This file is part of the Sectile project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Models in MLIR as frontends write them, each with what it computes: CASES for run_named_ops.py.

A case is the text of a function on %a, %b, .. (the value %r is its result; `INIT` stands for a tensor of
zeros of the result's type, `EMPTY` for one of no values), the types, and the result in float64 together
with the sum of magnitudes that rounding may act on.
"""

from __future__ import annotations

from typing import Callable, List, NamedTuple, Sequence, Tuple

import numpy as np

Array = np.ndarray


class Case(NamedTuple):
    """One model."""

    name: str
    inputs: Sequence[str]  # "3x4xf32"
    result: str
    body: str
    reference: Callable[..., Array]
    terms: int = 1  # additions behind one element: the bound is so many roundings of the magnitudes


def windows(x: Array, height: int, width: int, stride: int = 1) -> Array:
    """[n, h, w, c] to [n, oh, ow, kh, kw, c]."""
    view = np.lib.stride_tricks.sliding_window_view(x, (height, width), axis=(1, 2))
    return np.moveaxis(view[:, ::stride, ::stride], 3, 5)


def softmax(x: Array) -> Array:
    """Along the last dimension."""
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def _named(op: str, inputs: str, out: str = "INIT", attrs: str = "") -> str:
    return f"%r = linalg.{op} {attrs} ins({inputs}) outs({out}) -> RESULT"


def _pool(kind: str) -> str:
    window = "%w = tensor.empty() : tensor<2x3xf32>\n"
    low = {"max": "0xFF800000", "min": "0x7F800000"}.get(kind, "0.0")
    fill = f"%z = arith.constant {low} : f32\n%f = linalg.fill ins(%z : f32) outs(EMPTY) -> RESULT\n"
    attrs = "{strides = dense<2> : tensor<2xi64>}"
    return window + fill + _named(
        f"pooling_nhwc_{kind}", "%a, %w : tensor<2x9x11x5xf32>, tensor<2x3xf32>", "%f : RESULT", attrs
    )


def _unary(op: str, function: Callable[[Array], Array]) -> Case:
    return Case(op, ["7x33xf32"], "7x33xf32", _named(op, "%a : tensor<7x33xf32>", "EMPTY"), function, 4)


def _binary(op: str, function: Callable[[Array, Array], Array]) -> Case:
    ins = "%a, %b : tensor<7x33xf32>, tensor<7x33xf32>"
    return Case(op, ["7x33xf32"] * 2, "7x33xf32", _named(op, ins, "EMPTY"), function)


ARGMAX = """%low = arith.constant 0xFF800000 : f32
%zero = arith.constant 0 : i64
%ef = tensor.empty() : tensor<5xf32>
%ei = tensor.empty() : tensor<5xi64>
%m = linalg.fill ins(%low : f32) outs(%ef : tensor<5xf32>) -> tensor<5xf32>
%n = linalg.fill ins(%zero : i64) outs(%ei : tensor<5xi64>) -> tensor<5xi64>
%v, %r = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0)>,
    affine_map<(d0, d1) -> (d0)>], iterator_types = ["parallel", "reduction"]}
    ins(%a : tensor<5x41xf32>) outs(%m, %n : tensor<5xf32>, tensor<5xi64>) {
^bb0(%x: f32, %best: f32, %at: i64):
  %i = linalg.index 1 : index
  %j = arith.index_cast %i : index to i64
  %g = arith.cmpf ogt, %x, %best : f32
  %p = arith.select %g, %x, %best : f32
  %q = arith.select %g, %j, %at : i64
  linalg.yield %p, %q : f32, i64
} -> (tensor<5xf32>, tensor<5xi64>)"""

REDUCE = """%r = linalg.reduce ins(%a : tensor<4x9x35xf32>) outs(INIT) dimensions = [0, 2]
  (%x: f32, %y: f32) {
    %s = arith.addf %x, %y : f32
    linalg.yield %s : f32
  }"""

MAP = """%r = linalg.map ins(%a, %b : tensor<3x50xf32>, tensor<3x50xf32>) outs(EMPTY)
  (%x: f32, %y: f32, %o: f32) {
    %s = arith.mulf %x, %y : f32
    %t = math.tanh %s : f32
    linalg.yield %t : f32
  }"""

PAD = """%z = arith.constant 7.0 : f32
%r = tensor.pad %a low[1, 0] high[2, 3] {
^bb0(%i: index, %j: index):
  tensor.yield %z : f32
} : tensor<5x6xf32> to tensor<8x9xf32>"""

IOTA = """%r = tensor.generate {
^bb0(%i: index, %j: index):
  %k = arith.muli %i, %j : index
  %l = arith.index_cast %k : index to i32
  tensor.yield %l : i32
} : tensor<6x19xi32>"""

TENSOR_ARITH = """%c = arith.constant dense<0.5> : tensor<3x17xf32>
%s = arith.mulf %a, %c : tensor<3x17xf32>
%t = math.exp %s : tensor<3x17xf32>
%r = arith.mulf %t, %b : tensor<3x17xf32>"""

SLICES = """%s = tensor.extract_slice %a[1, 2] [3, 8] [1, 2] : tensor<5x19xf32> to tensor<3x8xf32>
%t = tensor.concat dim(0) %s, %b : (tensor<3x8xf32>, tensor<4x8xf32>) -> tensor<7x8xf32>
%u = tensor.expand_shape %t [[0], [1, 2]] output_shape [7, 2, 4] : tensor<7x8xf32> into tensor<7x2x4xf32>
%r = tensor.collapse_shape %u [[0, 1], [2]] : tensor<7x2x4xf32> into tensor<14x4xf32>"""

TRANSPOSED = """%r = linalg.matmul indexing_maps = [affine_map<(m, n, k) -> (k, m)>,
    affine_map<(m, n, k) -> (n, k)>, affine_map<(m, n, k) -> (m, n)>]
    ins(%a, %b : tensor<21x13xf32>, tensor<30x21xf32>) outs(INIT) -> RESULT"""

CASES: List[Case] = [
    Case("matmul", ["13x21xf32", "21x30xf32"], "13x30xf32",
         _named("matmul", "%a, %b : tensor<13x21xf32>, tensor<21x30xf32>"), np.matmul, 21),
    Case("matmul_transposed", ["21x13xf32", "30x21xf32"], "13x30xf32", TRANSPOSED,
         lambda a, b: a.T @ b.T, 21),
    Case("matmul_i8", ["13x21xi8", "21x30xi8"], "13x30xi32",
         _named("matmul", "%a, %b : tensor<13x21xi8>, tensor<21x30xi8>"), np.matmul),
    Case("batch_matmul", ["3x13x21xf32", "3x21x30xf32"], "3x13x30xf32",
         _named("batch_matmul", "%a, %b : tensor<3x13x21xf32>, tensor<3x21x30xf32>"), np.matmul, 21),
    Case("batch_reduce_matmul", ["3x13x21xf32", "3x21x30xf32"], "13x30xf32",
         _named("batch_reduce_matmul", "%a, %b : tensor<3x13x21xf32>, tensor<3x21x30xf32>"),
         lambda a, b: (a @ b).sum(0), 63),
    Case("matvec", ["13x21xf32", "21xf32"], "13xf32",
         _named("matvec", "%a, %b : tensor<13x21xf32>, tensor<21xf32>"), np.matmul, 21),
    Case("vecmat", ["21xf32", "21x13xf32"], "13xf32",
         _named("vecmat", "%a, %b : tensor<21xf32>, tensor<21x13xf32>"), np.matmul, 21),
    Case("dot", ["40xf32", "40xf32"], "f32",
         _named("dot", "%a, %b : tensor<40xf32>, tensor<40xf32>"), np.dot, 40),
    Case("conv_2d_nhwc_hwcf", ["2x9x11x5xf32", "2x3x5x8xf32"], "2x4x5x8xf32",
         _named("conv_2d_nhwc_hwcf", "%a, %b : tensor<2x9x11x5xf32>, tensor<2x3x5x8xf32>",
                attrs="{strides = dense<2> : tensor<2xi64>}"),
         lambda a, b: np.einsum("nhwklc,klcf->nhwf", windows(a, 2, 3, 2), b), 30),
    Case("conv_2d_nchw_fchw", ["2x5x9x11xf32", "8x5x2x3xf32"], "2x8x8x9xf32",
         _named("conv_2d_nchw_fchw", "%a, %b : tensor<2x5x9x11xf32>, tensor<8x5x2x3xf32>"),
         lambda a, b: np.einsum("nhwklc,fckl->nfhw", windows(np.moveaxis(a, 1, 3), 2, 3), b), 30),
    Case("depthwise_conv_2d_nhwc_hwc", ["2x9x11x5xf32", "2x3x5xf32"], "2x8x9x5xf32",
         _named("depthwise_conv_2d_nhwc_hwc", "%a, %b : tensor<2x9x11x5xf32>, tensor<2x3x5xf32>"),
         lambda a, b: np.einsum("nhwklc,klc->nhwc", windows(a, 2, 3), b), 6),
    Case("conv_1d_nwc_wcf", ["2x11x5xf32", "3x5x8xf32"], "2x9x8xf32",
         _named("conv_1d_nwc_wcf", "%a, %b : tensor<2x11x5xf32>, tensor<3x5x8xf32>"),
         lambda a, b: np.einsum("nhwklc,klcf->nhwf", windows(a[:, None], 1, 3), b[None])[:, 0], 15),
    Case("pooling_nhwc_max", ["2x9x11x5xf32"], "2x4x5x5xf32", _pool("max"),
         lambda a: windows(a, 2, 3, 2).max((3, 4))),
    Case("pooling_nhwc_min", ["2x9x11x5xf32"], "2x4x5x5xf32", _pool("min"),
         lambda a: windows(a, 2, 3, 2).min((3, 4))),
    Case("pooling_nhwc_sum", ["2x9x11x5xf32"], "2x4x5x5xf32", _pool("sum"),
         lambda a: windows(a, 2, 3, 2).sum((3, 4)), 6),
    Case("transpose", ["3x7x18xf32"], "18x3x7xf32",
         "%r = linalg.transpose ins(%a : tensor<3x7x18xf32>) outs(EMPTY) permutation = [2, 0, 1]",
         lambda a: a.transpose(2, 0, 1)),
    Case("broadcast", ["3x18xf32"], "3x5x18xf32",
         "%r = linalg.broadcast ins(%a : tensor<3x18xf32>) outs(EMPTY) dimensions = [1]",
         lambda a: np.repeat(a[:, None], 5, 1)),
    Case("reduce", ["4x9x35xf32"], "9xf32", REDUCE, lambda a: a.sum((0, 2)), 140),
    Case("map", ["3x50xf32", "3x50xf32"], "3x50xf32", MAP, lambda a, b: np.tanh(a * b), 4),
    Case("softmax", ["3x7x37xf32"], "3x7x37xf32",
         "%r = linalg.softmax dimension(2) ins(%a : tensor<3x7x37xf32>) outs(EMPTY) -> RESULT", softmax, 8),
    _unary("exp", np.exp), _unary("tanh", np.tanh), _unary("abs", np.abs), _unary("negf", np.negative),
    _unary("floor", np.floor), _unary("square", np.square),
    _unary("erf", np.vectorize(__import__("math").erf)),
    _binary("add", np.add), _binary("sub", np.subtract), _binary("mul", np.multiply),
    _binary("div", np.divide), _binary("max", np.maximum), _binary("min", np.minimum),
    Case("argmax", ["5x41xf32"], "5xi64", ARGMAX, lambda a: a.argmax(1)),
    Case("tensor.pad", ["5x6xf32"], "8x9xf32", PAD,
         lambda a: np.pad(a, ((1, 2), (0, 3)), constant_values=7)),
    Case("tensor.generate", [], "6x19xi32", IOTA,
         lambda: np.multiply.outer(np.arange(6), np.arange(19))),
    Case("arith on tensors", ["3x17xf32", "3x17xf32"], "3x17xf32", TENSOR_ARITH,
         lambda a, b: np.exp(a * 0.5) * b, 4),
    Case("slice, concat, reshape", ["5x19xf32", "4x8xf32"], "14x4xf32", SLICES,
         lambda a, b: np.concatenate([a[1:4, 2:18:2], b]).reshape(14, 4)),
    Case("tensor.splat", ["4x6xf32"], "4x6xf32",
         "%c = arith.constant 1.5 : f32\n%s = tensor.splat %c : tensor<4x6xf32>\n"
         "%r = arith.addf %a, %s : tensor<4x6xf32>", lambda a: a + 1.5),
    Case("func.call", ["4x6xf32"], "4x6xf32",
         "%s = func.call @twice(%a) : (tensor<4x6xf32>) -> tensor<4x6xf32>\n"
         "%r = func.call @twice(%s) : (tensor<4x6xf32>) -> tensor<4x6xf32>", lambda a: a * 4),
]  # fmt: skip

PRIVATE = """func.func private @twice(%x: tensor<4x6xf32>) -> tensor<4x6xf32> {
  %y = arith.addf %x, %x : tensor<4x6xf32>
  return %y : tensor<4x6xf32>
}
"""


def write(case: Case) -> str:
    """The model as text."""
    result = f"tensor<{case.result}>"
    element = case.result.split("x")[-1]
    arguments = ", ".join(f"%{name}: tensor<{t}>" for name, t in zip("abc", case.inputs))
    zero = "0" if element.startswith("i") else "0.0"
    before = f"%empty = tensor.empty() : {result}\n"
    if "INIT" in case.body:
        before += (
            f"%zero_ = arith.constant {zero} : {element}\n"
            f"%init = linalg.fill ins(%zero_ : {element}) outs(%empty : {result}) -> {result}\n"
        )
    body = case.body.replace("INIT", f"%init : {result}").replace("EMPTY", f"%empty : {result}")
    private = PRIVATE if "@twice" in body else ""
    return (
        f"func.func @main({arguments}) -> {result} {{\n{before}"
        f"{body.replace('RESULT', result)}\nreturn %r : {result}\n}}\n{private}"
    )


def shape_of(text: str) -> Tuple[Tuple[int, ...], np.dtype]:
    """Extents and element type of "3x4xf32"."""
    *extents, element = text.split("x")
    name = {"f": "float", "i": "int"}[element[0]] + element[1:]
    return tuple(map(int, extents)), np.dtype(name)
