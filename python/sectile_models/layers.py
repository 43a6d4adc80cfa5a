# This file is part of the Sectile project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Layers shared by the models."""

from __future__ import annotations

from typing import Optional, Tuple

import numpy as np

from .builder import Dim, GraphBuilder


def linear(
    g: GraphBuilder, x: str, inputs: int, outputs: int, bias: bool = True, gain: float = 1.0
) -> str:
    """`x @ w (+ b)`; `gain` is the standard deviation of the output for a unit-normal input."""
    weight = g.param(g.normal(inputs, outputs, scale=gain / inputs**0.5))
    y = g.op("MatMul", x, weight)
    return g.op("Add", g.param(g.normal(outputs, scale=0.02), "bias"), y) if bias else y


def norm(g: GraphBuilder, x: str, width: int, bias: Optional[str] = None) -> str:
    """Layer normalisation with its own scale; `bias` shares another layer's bias."""
    scale = g.param(g.normal(width, scale=0.05, mean=1.0), "norm_scale")
    return g.layer_norm(x, scale, bias or g.param(g.normal(width, scale=0.05), "norm_bias"))


def rms_norm(g: GraphBuilder, x: str, width: int) -> str:
    """Root-mean-square normalisation, decomposed as exporters write it."""
    mean = g.reduce_mean(g.op("Pow", x, g.const(2.0)), -1)
    root = g.op("Sqrt", g.op("Add", mean, g.const(1e-6)))
    inverse = g.op("Div", g.const(1.0), root)
    scale = g.param(g.normal(width, scale=0.05, mean=1.0), "norm_scale")
    return g.op("Mul", scale, g.op("Mul", x, inverse))


def gelu(g: GraphBuilder, x: str) -> str:
    """The exact (erf) form."""
    erf = g.op("Erf", g.op("Div", x, g.const(2**0.5)))
    return g.op("Mul", g.op("Mul", x, g.op("Add", erf, g.const(1.0))), g.const(0.5))


def gelu_tanh(g: GraphBuilder, x: str) -> str:
    """The tanh approximation, as GPT-2 uses it."""
    cubic = g.op("Mul", g.const(0.044715), g.op("Pow", x, g.const(3.0)))
    inner = g.op("Mul", g.const((2 / np.pi) ** 0.5), g.op("Add", x, cubic))
    gate = g.op("Add", g.const(1.0), g.op("Tanh", inner))
    return g.op("Mul", g.op("Mul", g.const(0.5), x), gate)


def silu(g: GraphBuilder, x: str) -> str:
    """`x * sigmoid(x)`."""
    return g.op("Mul", x, g.op("Sigmoid", x))


def heads(g: GraphBuilder, x: str, batch: Dim, seq: Dim, count: int, width: int) -> str:
    """[batch, seq, count * width] to [batch, count, seq, width]."""
    return g.op("Transpose", g.reshape(x, [batch, seq, count, width]), perm=[0, 2, 1, 3])


def attend(g: GraphBuilder, q: str, k: str, v: str, width: int, mask: Optional[str] = None) -> str:
    """Scaled dot-product attention on [batch, heads, seq, width] with an additive mask."""
    scores = g.op("MatMul", q, g.op("Transpose", k, perm=[0, 1, 3, 2]))
    scores = g.op("Div", scores, g.const(width**0.5))
    if mask is not None:
        scores = g.op("Add", scores, mask)
    return g.op("MatMul", g.op("Softmax", scores, axis=-1), v)


def merge(g: GraphBuilder, x: str, batch: Dim, seq: Dim, width: int) -> str:
    """[batch, heads, seq, ...] back to [batch, seq, width]."""
    return g.reshape(g.op("Transpose", x, perm=[0, 2, 1, 3]), [batch, seq, width])


def qkv_separate(
    g: GraphBuilder, x: str, batch: Dim, seq: Dim, count: int, width: int
) -> Tuple[str, str, str]:
    """Three projections, as BERT has them."""
    total = count * width
    q, k, v = (heads(g, linear(g, x, total, total), batch, seq, count, width) for _ in range(3))
    return q, k, v


def qkv_unbound(
    g: GraphBuilder, x: str, batch: Dim, seq: Dim, count: int, width: int
) -> Tuple[str, str, str]:
    """One projection whose result is unbound along a new leading dimension, as ViT has it."""
    total = count * width
    y = g.reshape(linear(g, x, total, 3 * total), [batch, seq, 3, count, width])
    y = g.op("Transpose", y, perm=[2, 0, 3, 1, 4])
    q, k, v = (g.squeeze(part, 0) for part in g.split(y, [1, 1, 1], 0))
    return q, k, v


def qkv_split(
    g: GraphBuilder, x: str, batch: Dim, seq: Dim, count: int, width: int
) -> Tuple[str, str, str]:
    """One projection split along its last dimension, as GPT-2 has it."""
    total = count * width
    parts = g.split(linear(g, x, total, 3 * total), [total] * 3, -1)
    q, k, v = (heads(g, part, batch, seq, count, width) for part in parts)
    return q, k, v


def feed_forward(
    g: GraphBuilder, x: str, width: int, gain: float = 1.0, tanh_form: bool = False
) -> str:
    """The two-layer network of a transformer block; `gain` scales its output."""
    hidden = linear(g, x, width, 4 * width)
    hidden = gelu_tanh(g, hidden) if tanh_form else gelu(g, hidden)
    return linear(g, hidden, 4 * width, width, gain=gain)


def causal_mask(size: int) -> np.ndarray:
    """[1, 1, size, size] additive mask: 0 on and below the diagonal, -1e9 above."""
    return np.triu(np.full((1, 1, size, size), -1e9, np.float32), 1)
