# This file is part of the Sectile project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Single operators and small fragments."""

from __future__ import annotations

import numpy as np
from onnx import TensorProto

from .builder import Dim, GraphBuilder
from .layers import attend, causal_mask, gelu, linear, merge, qkv_separate


def matmul_relu(g: GraphBuilder, batch: Dim = 16, inputs: int = 32, outputs: int = 24) -> None:
    """`relu(x @ w)`."""
    x = g.input("x", [batch, inputs])
    y = g.op("MatMul", x, g.param(g.normal(inputs, outputs, scale=inputs**-0.5)))
    g.output(g.op("Relu", y), "y", [batch, outputs])


def matmul(g: GraphBuilder, m: int, n: int, k: int, constant: bool = False) -> None:
    """`a @ b`, b an input or a constant."""
    a = g.input("a", [m, k])
    b = g.param(g.normal(k, n, scale=k**-0.5)) if constant else g.input("b", [k, n])
    g.output(g.op("MatMul", a, b), "y", [m, n])


def softmax(g: GraphBuilder, batch: Dim = 8, rows: int = 512, columns: int = 512) -> None:
    """Softmax over the last axis."""
    x = g.input("x", [batch, rows, columns])
    g.output(g.op("Softmax", x, axis=-1), "y", [batch, rows, columns])


def layernorm(g: GraphBuilder, batch: Dim = 4096, width: int = 1024) -> None:
    """Layer normalisation over the last axis."""
    x = g.input("x", [batch, width])
    scale, bias = g.normal(width, scale=0.1, mean=1.0), g.normal(width, scale=0.1)
    y = g.layer_norm(x, g.param(scale, "scale"), g.param(bias, "bias"))
    g.output(y, "y", [batch, width])


def long_rows(g: GraphBuilder, batch: Dim = 64, width: int = 300000) -> None:
    """Rows that no cache near a core holds, normalised in three ways: each reads a row for several
    reductions."""
    x = g.input("x", [batch, width])
    # Steep enough for some weights to be far above the least.
    steep = g.op("Mul", x, g.param(np.float32(6)))
    g.output(g.op("Softmax", steep, axis=-1), "softmax", [batch, width])
    scale = g.param(g.normal(width, scale=0.1, mean=1.0), "scale")
    bias = g.param(g.normal(width, scale=0.1), "bias")
    g.output(g.layer_norm(x, scale, bias), "layernorm", [batch, width])
    most, least = (g.op(op, x, axes=[1]) for op in ("ReduceMax", "ReduceMin"))
    span = g.op("Sub", most, least)
    g.output(g.op("Div", g.op("Sub", x, least), span), "minmax", [batch, width])


def statistics(g: GraphBuilder, batch: Dim = 4096, width: int = 768, outputs: int = 3072) -> None:
    """A layer as training needs it: what is in between goes out too, in shapes of its own."""
    x = g.input("x", [batch, width])
    mean = g.op("ReduceMean", x, axes=[1])
    centred = g.op("Sub", x, mean)
    variance = g.op("ReduceMean", g.op("Mul", centred, centred), axes=[1])
    spread = g.op("Sqrt", g.op("Add", variance, g.param(np.float32(1e-5))))
    normalised = g.op("Div", centred, spread)
    before = linear(g, normalised, width, outputs)
    g.output(g.op("Mul", before, g.op("Sigmoid", before)), "y", [batch, outputs])
    g.output(before, "before", [batch, outputs])
    g.output(normalised, "normalised", [batch, width])
    g.output(mean, "mean", [batch, 1])
    g.output(spread, "spread", [batch, 1])


def reshaped_norms(g: GraphBuilder, batch: Dim, channels: int = 64, height: int = 32, width: int = 32) -> None:
    """Images seen as rows and back between normalisations, with results from in between."""
    x = g.input("x", [batch, channels, height, width])
    pooled = g.op("AveragePool", x, kernel_shape=[2, 2], strides=[2, 2])
    scale = g.param(g.normal(channels, scale=0.1, mean=1.0), "scale")
    bias = g.param(g.normal(channels, scale=0.1), "bias")
    image = [0, channels, height // 2, width // 2]
    y, rows = pooled, []
    for _ in range(2):
        rows.append(g.op("InstanceNormalization", g.reshape(y, [0, channels, -1]), scale, bias))
        y = g.op("Tanh", g.reshape(rows[-1], image))
    g.output(y, "y", [batch, *image[1:]])
    g.output(rows[0], "rows", [batch, channels, image[2] * image[3]])
    g.output(pooled, "pooled", [batch, *image[1:]])


def chain(g: GraphBuilder, batch: Dim = 2048, width: int = 2048) -> None:
    """An elementwise chain of two inputs: `relu(a * b + c) * tanh(a) - sigmoid(b)`."""
    a, b = g.input("a", [batch, width]), g.input("b", [batch, width])
    c = g.param(g.normal(width), "c")
    y = g.op("Relu", g.op("Add", g.op("Mul", a, b), c))
    y = g.op("Sub", g.op("Mul", y, g.op("Tanh", a)), g.op("Sigmoid", b))
    g.output(y, "y", [batch, width])


def gemm_bias_gelu(g: GraphBuilder, batch: Dim = 128, inputs: int = 768, outputs: int = 3072):
    """A linear layer with its activation."""
    x = g.input("x", [batch, inputs])
    g.output(gelu(g, linear(g, x, inputs, outputs)), "y", [batch, outputs])


def attention(g: GraphBuilder, batch: Dim, seq: int, count: int, width: int) -> None:
    """A causal self-attention layer with its projections."""
    total = count * width
    x = g.input("x", [batch, seq, total])
    rows = g.dim(x, 0, batch)
    q, k, v = qkv_separate(g, x, rows, seq, count, width)
    mask = g.param(causal_mask(seq), "mask")
    y = merge(g, attend(g, q, k, v, width, mask), rows, seq, total)
    g.output(linear(g, y, total, total), "y", [batch, seq, total])


def attention_core(g: GraphBuilder, batch: Dim, seq: Dim, count: int, width: int) -> None:
    """Softmax attention alone, of queries, keys and values that are inputs."""
    shape = [batch, count, seq, width]
    q, k, v = (g.input(name, shape) for name in "qkv")
    g.output(attend(g, q, k, v, width), "y", shape)


def attention_past(g: GraphBuilder, batch: Dim, rows: Dim, past: Dim, count: int, width: int) -> None:
    """Attention of a few new rows to a longer past, as a decode step has it."""
    q = g.input("q", [batch, count, rows, width])
    k, v = (g.input(name, [batch, count, past, width]) for name in "kv")
    g.output(attend(g, q, k, v, width), "y", [batch, count, rows, width])


def qdq_gemm(g: GraphBuilder, batch: Dim = 128, inputs: int = 512, outputs: int = 512) -> None:
    """Quantised matrix product: u8 activations, i8 weights with a scale for each column."""
    x = g.input("x", [batch, inputs])
    scale, zero = g.param(np.float32(0.03), "x_scale"), g.param(np.uint8(128), "x_zero")
    x = g.op("DequantizeLinear", g.op("QuantizeLinear", x, scale, zero), scale, zero)
    codes = g.rng.integers(-127, 128, (inputs, outputs)).astype(np.int8)
    w_scale = g.uniform(outputs, low=0.5, high=1.5) / np.float32(74 * inputs**0.5)
    w_zero = g.param(np.zeros(outputs, np.int8), "w_zero")
    w = g.op("DequantizeLinear", g.param(codes), g.param(w_scale, "w_scale"), w_zero, axis=1)
    y = g.op("Add", g.op("MatMul", x, w), g.param(g.normal(outputs, scale=0.1), "bias"))
    y_scale, y_zero = g.param(np.float32(0.05), "y_scale"), g.param(np.uint8(120), "y_zero")
    quantized = g.op("QuantizeLinear", g.op("Relu", y), y_scale, y_zero)
    g.output(quantized, "y", [batch, outputs], TensorProto.UINT8)
