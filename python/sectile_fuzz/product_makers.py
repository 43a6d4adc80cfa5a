# This file is part of the Sectile project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Makers of products, convolutions, pools and attention."""

from __future__ import annotations

from typing import Any, Dict, List

import numpy as np
from onnx import TensorProto

from sectile_reference.tensors import FLOAT, FLOAT16

from .growth import Graph, Reject, Value
from .makers import maker


def weight(g: Graph, shape: List[int], kind: int, terms: int) -> Value:
    """A weight whose products keep the magnitude of what they multiply."""
    high = 1.5 / np.sqrt(max(1, terms))
    return g.param(g.draw(shape, kind, -high, high), kind)


@maker(6)
def matmul(g: Graph) -> None:
    """A product with a weight, bias and activation, as linear layers have them."""
    x = g.floats(2)
    k, n = x.size(x.rank - 1), int(g.choose((1, 3, 8, 16, 17, 33, 64, 70)))
    y = g.op("MatMul", x, weight(g, [k, n], x.kind, k))
    if g.chance(0.6):
        y = g.op("Add", y, g.param(g.draw([n], x.kind), x.kind))
    if g.chance(0.5):
        g.op(g.choose(("Relu", "Tanh", "Sigmoid", "Erf")), y)


@maker(2)
def matmul_pair(g: Graph) -> None:
    """A product of two values, with batches that broadcast."""
    a = g.floats(2)
    inner = a.dims[-1]

    def fits(v: Value) -> bool:
        if v.kind != a.kind or v.rank < 2 or v.dims[-2] != inner:
            return False
        pairs = zip(reversed(v.dims[:-2]), reversed(a.dims[:-2]))
        return all(p == q or set(p) == {1} or set(q) == {1} for p, q in pairs)

    if g.chance(0.4):
        b = g.op("Transpose", a, perm=[*range(a.rank - 2), a.rank - 1, a.rank - 2])
    else:
        b = g.pick(fits)
    g.op("MatMul", a, b)


@maker(2)
def gemm(g: Graph) -> None:
    """A product with transposed operands, factors and an addend."""
    x = g.pick(lambda v: v.kind == g.kind and v.rank == 2)
    trans_a, trans_b, n = g.integer(0, 1), g.integer(0, 1), int(g.choose((1, 5, 16, 19, 48)))
    k = x.size(0 if trans_a else 1)
    m = x.dims[1 if trans_a else 0]
    w = weight(g, [n, k] if trans_b else [k, n], x.kind, k)
    forms = [[n], [1, n], [1], []] + ([[m[0], n], [m[0], 1]] if len(set(m)) == 1 else [])
    addend = [g.param(g.draw(g.choose(forms), x.kind), x.kind)] if g.chance(0.7) else []
    alpha, beta = (1.0, 1.0) if g.chance(0.5) else (0.5, 2.0)
    g.op("Gemm", x, w, *addend, transA=trans_a, transB=trans_b, alpha=alpha, beta=beta)


@maker(2)
def einsum(g: Graph) -> None:
    """A product by labels."""
    x = g.floats(2)
    labels = "abcdef"[: x.rank]
    k, n = x.size(x.rank - 1), int(g.choose((2, 7, 16)))
    order = "".join(g.rng.permutation(list(labels[:-1] + "z")))
    g.op("Einsum", x, weight(g, [k, n], x.kind, k), equation=f"{labels},{labels[-1]}z->{order}")


def _windows(g: Graph, x: Value, dilated: bool = True) -> Dict[str, Any]:
    spatial = x.rank - 2
    least = [min(d) for d in x.dims[2:]]
    kernel = [g.integer(1, min(n, 4)) for n in least]
    dilations = [g.integer(1, 2) if dilated and (k - 1) * 2 < n else 1 for k, n in zip(kernel, least)]
    result: Dict[str, Any] = dict(
        kernel_shape=kernel, strides=[g.integer(1, 3) for _ in range(spatial)]
    )
    if dilated:
        result["dilations"] = dilations
    if g.chance(0.2) and all(d == 1 for d in dilations):
        result["auto_pad"] = g.choose(("SAME_UPPER", "SAME_LOWER", "VALID"))
    else:
        result["pads"] = [g.integer(0, k - 1) if g.chance(0.6) else 0 for k in kernel * 2]
    return result


@maker(5)
def convolution(g: Graph) -> None:
    """A convolution in one to three dimensions, groups included."""
    x = g.pick(lambda v: v.rank in (3, 4, 5) and v.kind == g.kind)
    channels = x.size(1)
    windows = _windows(g, x)
    groups = int(g.choose([f for f in range(1, channels + 1) if channels % f == 0 and f <= 40]))
    outs = groups * g.integer(1, 3) if groups > 1 else int(g.choose((1, 3, 8, 16, 20)))
    shape = [outs, channels // groups, *windows["kernel_shape"]]
    w = weight(g, shape, x.kind, int(np.prod(shape[1:])))
    bias = [g.param(g.draw([outs], x.kind), x.kind)] if g.chance(0.6) else []
    y = g.op("Conv", x, w, *bias, group=groups, **windows)
    if g.chance(0.4):
        params = [(0.5, 1.5), (-1, 1), (-1, 1), (0.5, 2.0)]
        y = g.op(
            "BatchNormalization", y, *[g.param(g.draw([outs], x.kind, *p), x.kind, held=1.0) for p in params]
        )
    if g.chance(0.5):
        g.op("Relu", y)


@maker(1)
def transposed_convolution(g: Graph) -> None:
    """A transposed convolution."""
    x = g.pick(lambda v: v.rank in (3, 4) and v.kind == g.kind)
    channels, outs = x.size(1), g.integer(1, 9)
    spatial = x.rank - 2
    kernel = [g.integer(1, 3) for _ in range(spatial)]
    strides = [g.integer(1, 3) for _ in range(spatial)]
    pads = [g.integer(0, (k - 1) // 2) for k in kernel * 2]
    extra = [g.integer(0, s - 1) if g.chance(0.3) else 0 for s in strides]
    w = weight(g, [channels, outs, *kernel], x.kind, channels)
    g.op(
        "ConvTranspose", x, w, kernel_shape=kernel, strides=strides, pads=pads, output_padding=extra
    )


@maker(2)
def pool(g: Graph) -> None:
    """A pool over windows."""
    x = g.pick(lambda v: v.rank in (3, 4, 5) and v.kind == g.kind)
    name = g.choose(("MaxPool", "AveragePool"))
    windows = _windows(g, x, dilated=name == "MaxPool")
    if name == "AveragePool":
        windows["count_include_pad"] = g.integer(0, 1)
    if "pads" in windows and g.chance(0.3):
        windows["ceil_mode"] = 1
    g.op(name, x, **windows)


@maker(1)
def global_pool(g: Graph) -> None:
    """A pool over all of an image."""
    x = g.pick(lambda v: v.rank >= 3 and v.kind == g.kind)
    g.op(g.choose(("GlobalAveragePool", "GlobalMaxPool")), x)


@maker(3)
def attention(g: Graph) -> None:
    """Scores, mask, softmax and product, in the decomposed form of exporters."""
    x = g.pick(lambda v: v.rank == 3 and v.kind == g.kind)
    if x.kind == FLOAT16:
        raise Reject("the scores lose all digits")
    width = x.size(2)
    heads, head = g.integer(1, 3), int(g.choose((4, 8, 16, 20)))

    def project(source: Value) -> Value:
        y = g.op("MatMul", source, weight(g, [width, heads * head], x.kind, width))
        y = g.op("Reshape", y, g.ints(0, 0, heads, head))
        return g.op("Transpose", y, perm=[0, 2, 1, 3])

    q, k, v = project(x), project(x), project(x)
    scores = g.op("MatMul", q, g.op("Transpose", k, perm=[0, 1, 3, 2]))
    scores = g.op(g.choose(("Div", "Mul")), scores, g.scalar(float(head) ** 0.5, x.kind))
    if g.chance(0.5) and len(set(x.dims[1])) == 1:
        n = x.size(1)
        mask = np.where(g.rng.random([n, n]) < 0.3, -1e4, 0.0)
        np.fill_diagonal(mask, 0.0)
        scores = g.op("Add", scores, g.param(mask, x.kind), largest=1e5)
    weights = g.op("Softmax", scores, axis=-1)
    y = g.op("Transpose", g.op("MatMul", weights, v), perm=[0, 2, 1, 3])
    y = g.op("Reshape", y, g.ints(0, 0, -1))
    if g.chance(0.5):
        y = g.op("MatMul", y, weight(g, [heads * head, width], x.kind, heads * head))
        g.op("Add", x, y)


@maker(1)
def quantized_weight(g: Graph) -> None:
    """A product with a weight of eight bits and a scale for each column."""
    x = g.pick(lambda v: v.kind == FLOAT and v.rank >= 2)
    k, n = x.size(x.rank - 1), int(g.choose((3, 16, 33)))
    kind = g.choose((TensorProto.INT8, TensorProto.UINT8))
    low, high = (-128, 127) if kind == TensorProto.INT8 else (0, 255)
    codes = g.param(g.draw([k, n], kind, low, high), kind, held=1.0)
    scale = g.param(g.draw([n], FLOAT, 0.001, 0.01), FLOAT, held=1.0)
    zero = [g.param(g.draw([n], kind, 0, 20), kind, held=1.0)] if g.chance(0.5) else []
    g.op("MatMul", x, g.op("DequantizeLinear", codes, scale, *zero, axis=1))


@maker(1)
def quantize(g: Graph) -> None:
    """A value through eight bits and back."""
    x = g.pick(lambda v: v.kind == FLOAT)
    kind = g.choose((TensorProto.INT8, TensorProto.UINT8))
    scale = g.scalar(float(g.choose((0.02, 0.1))), FLOAT)
    zero = g.scalar(g.integer(0, 100), kind)
    g.op("DequantizeLinear", g.op("QuantizeLinear", x, scale, zero), scale, zero)
