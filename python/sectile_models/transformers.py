# This file is part of the Sectile project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Transformers: encoders, decoders, a decoder step with a K/V cache, and ViT."""

from __future__ import annotations

from typing import Optional

import numpy as np
from onnx import TensorProto

from .builder import Dim, GraphBuilder
from .layers import (
    attend,
    causal_mask,
    feed_forward,
    heads,
    linear,
    merge,
    norm,
    qkv_separate,
    qkv_split,
    qkv_unbound,
    rms_norm,
    silu,
)


def tblock(g: GraphBuilder, batch: Dim, seq: Dim, count: int, width: int) -> None:
    """A pre-norm transformer block; `batch` and `seq` may be symbols."""
    total = count * width
    x = g.input("x", [batch, seq, total])
    b, s = g.dim(x, 0, batch), g.dim(x, 1, seq)
    q, k, v = qkv_unbound(g, norm(g, x, total), b, s, count, width)
    y = merge(g, attend(g, q, k, v, width), b, s, total)
    x = g.op("Add", x, linear(g, y, total, total))
    y = g.op("Add", x, feed_forward(g, norm(g, x, total), total))
    g.output(y, "y", [batch, seq, total])


def _positions(g: GraphBuilder, seq: Dim) -> str:
    """[1, seq] int64 values 0, 1, ...: a constant if static, else a Range."""
    if isinstance(seq, int):
        return g.const(np.arange(seq)[None], np.int64)
    return g.unsqueeze(g.op("Range", g.const(0, np.int64), seq, g.const(1, np.int64)), 0)


def bert(
    g: GraphBuilder,
    batch: Dim,
    seq: Dim,
    layers: int = 12,
    count: int = 12,
    width: int = 64,
    vocabulary: int = 30522,
    capacity: int = 512,
) -> None:
    """A post-norm encoder with embeddings, padding mask, token types and a pooled head."""
    total, kind = count * width, TensorProto.INT64
    ids, mask, types = (
        g.input(name, [batch, seq], kind) for name in ("input_ids", "attention_mask", "token_type")
    )
    b, s = g.dim(ids, 0, batch), g.dim(ids, 1, seq)
    tables = [g.param(g.normal(n, total, scale=0.6), "table") for n in (vocabulary, capacity, 2)]
    x = g.op("Add", g.op("Gather", tables[0], ids), g.op("Gather", tables[1], _positions(g, s)))
    x = g.op("Add", x, g.op("Gather", tables[2], types))
    bias = g.param(g.normal(total, scale=0.05), "norm_bias")
    x = norm(g, x, total, bias)
    bits = g.op("Cast", g.unsqueeze(g.unsqueeze(mask, 1), 2), to=TensorProto.FLOAT)
    additive = g.op("Mul", g.op("Sub", g.const(1.0), bits), g.const(-1e9))
    for i in range(layers):
        with g.scope(f"layer.{i}"):
            q, k, v = qkv_separate(g, x, b, s, count, width)
            y = merge(g, attend(g, q, k, v, width, additive), b, s, total)
            # Exporters share equal parameters through Identity.
            x = norm(g, g.op("Add", linear(g, y, total, total), x), total, g.op("Identity", bias))
            x = norm(g, g.op("Add", feed_forward(g, x, total), x), total)
    first = g.op("Gather", x, g.const(0, np.int64), axis=1)
    weight = g.param(g.normal(total, total, scale=total**-0.5), "pooler")
    pooled = g.op(
        "Tanh", g.op("Gemm", first, weight, g.param(g.normal(total, scale=0.02)), transB=1)
    )
    weight = g.param(g.normal(2, total, scale=total**-0.5), "classifier")
    logits = g.op("Gemm", pooled, weight, g.param(g.normal(2, scale=0.02)), transB=1)
    g.output(x, "hidden", [batch, seq, total])
    g.output(logits, "logits", [batch, 2])


def _decoder_head(g: GraphBuilder, x: str, table: np.ndarray) -> str:
    """Final norm and the tied output projection, exported as a second, transposed copy."""
    return g.op("MatMul", norm(g, x, table.shape[1]), g.param(table.T, "head"))


def gpt2(
    g: GraphBuilder,
    batch: Dim,
    seq: Dim,
    layers: int = 2,
    count: int = 12,
    width: int = 64,
    vocabulary: int = 8192,
    capacity: int = 1024,
) -> None:
    """A causal decoder with learnt positions and a tied head."""
    total = count * width
    ids = g.input("input_ids", [batch, seq], TensorProto.INT64)
    b, s = g.dim(ids, 0, batch), g.dim(ids, 1, seq)
    table = g.normal(vocabulary, total, scale=2 * total**-0.5)
    positions = g.param(g.normal(capacity, total, scale=0.02), "positions")
    x = g.op("Gather", g.param(table, "tokens"), ids)
    x = g.op("Add", x, g.op("Gather", positions, _positions(g, s)))
    if isinstance(s, int):
        mask = g.param(causal_mask(s), "mask")
    else:
        mask = g.param(causal_mask(capacity), "mask")
        mask = g.slice(g.slice(mask, 2, 0, s), 3, 0, s)
    for i in range(layers):
        with g.scope(f"h.{i}"):
            q, k, v = qkv_split(g, norm(g, x, total), b, s, count, width)
            y = merge(g, attend(g, q, k, v, width, mask), b, s, total)
            x = g.op("Add", linear(g, y, total, total, gain=0.5), x)
            x = g.op("Add", x, feed_forward(g, norm(g, x, total), total, 0.5, tanh_form=True))
    g.output(_decoder_head(g, x, table), "logits", [batch, seq, vocabulary])


def gpt_decode(
    g: GraphBuilder,
    batch: Dim = "batch",
    past: Dim = "past",
    layers: int = 2,
    count: int = 12,
    width: int = 64,
    vocabulary: int = 8192,
    capacity: int = 1024,
) -> None:
    """One step of `gpt2`'s decoder: one token for each row, past keys and values as inputs.

    The past may be empty. Present keys and values are the past with one row appended, so each
    pair of past and present input can share a buffer (`--alias=past_k.0:present_k.0,...`).
    """
    total = count * width
    ids = g.input("input_ids", [batch, 1], TensorProto.INT64)
    cache = [
        (g.input(f"past_k.{i}", [batch, count, past, width]),
         g.input(f"past_v.{i}", [batch, count, past, width]))
        for i in range(layers)
    ]  # fmt: skip
    b = g.dim(ids, 0, batch)
    table = g.normal(vocabulary, total, scale=2 * total**-0.5)
    positions = g.param(g.normal(capacity, total, scale=0.02), "positions")
    x = g.op("Gather", g.param(table, "tokens"), ids)
    index = g.dim(cache[0][0], 2, past)
    index = g.const(index, np.int64) if isinstance(index, int) else index
    x = g.op("Add", x, g.op("Gather", positions, g.reshape(index, [1, 1])))
    presents = []
    for i, (past_k, past_v) in enumerate(cache):
        with g.scope(f"h.{i}"):
            q, k, v = qkv_split(g, norm(g, x, total), b, 1, count, width)
            k = g.op("Concat", past_k, k, axis=2)
            v = g.op("Concat", past_v, v, axis=2)
            presents.append((k, v))
            y = merge(g, attend(g, q, k, v, width), b, 1, total)
            x = g.op("Add", linear(g, y, total, total, gain=0.5), x)
            x = g.op("Add", x, feed_forward(g, norm(g, x, total), total, 0.5, tanh_form=True))
    g.output(_decoder_head(g, x, table), "logits", [batch, 1, vocabulary])
    present: Dim = past + 1 if isinstance(past, int) else f"{past} + 1"
    for i, (k, v) in enumerate(presents):
        g.output(k, f"present_k.{i}", [batch, count, present, width])
        g.output(v, f"present_v.{i}", [batch, count, present, width])


class _Llama:
    """What the blocks of one Llama share: sizes, rotary tables and mask."""

    def __init__(
        self, g: GraphBuilder, x: str, batch: Dim, seq: Dim, count: int, groups: int, width: int,
        inner: int, capacity: int,
    ) -> None:  # fmt: skip
        self.count, self.groups, self.width, self.inner = count, groups, width, inner
        self.batch, self.seq = g.dim(x, 0, batch), g.dim(x, 1, seq)
        rows = self.seq if isinstance(self.seq, int) else capacity
        angles = np.arange(rows)[:, None] * (1e4 ** (-np.arange(0, width, 2) / width))[None]
        angles = np.concatenate([angles, angles], -1)
        self.cos = g.param(np.cos(angles).astype(np.float32), "cos")
        self.sin = g.param(np.sin(angles).astype(np.float32), "sin")
        self.mask = g.param(causal_mask(rows), "mask")
        if not isinstance(self.seq, int):
            self.cos = g.slice(self.cos, 0, 0, self.seq)
            self.sin = g.slice(self.sin, 0, 0, self.seq)
            self.mask = g.slice(g.slice(self.mask, 2, 0, self.seq), 3, 0, self.seq)

    def rotate(self, g: GraphBuilder, x: str) -> str:
        """Rotary position embedding on [batch, heads, seq, width]."""
        half = self.width // 2
        low = g.slice(x, 3, 0, half)
        high = g.slice(x, 3, half, int(np.iinfo(np.int64).max))
        turned = g.op("Concat", g.op("Neg", high), low, axis=-1)
        return g.op("Add", g.op("Mul", x, self.cos), g.op("Mul", turned, self.sin))

    def repeat(self, g: GraphBuilder, x: str) -> str:
        """Repeats each key/value head for the queries of its group."""
        each = self.count // self.groups
        if each == 1:
            return x
        x = g.unsqueeze(x, 2)
        x = g.expand(x, [self.batch, self.groups, each, self.seq, self.width])
        return g.reshape(x, [self.batch, self.count, self.seq, self.width])

    def block(self, g: GraphBuilder, x: str, gain: float) -> str:
        """Attention with grouped queries, then a gated feed-forward network."""
        total, kv = self.count * self.width, self.groups * self.width
        b, s = self.batch, self.seq
        y = rms_norm(g, x, total)
        q = self.rotate(
            g, heads(g, linear(g, y, total, total, False), b, s, self.count, self.width)
        )
        k = self.rotate(g, heads(g, linear(g, y, total, kv, False), b, s, self.groups, self.width))
        v = heads(g, linear(g, y, total, kv, False), b, s, self.groups, self.width)
        k, v = self.repeat(g, k), self.repeat(g, v)
        y = merge(g, attend(g, q, k, v, self.width, self.mask), b, s, total)
        x = g.op("Add", x, linear(g, y, total, total, False, gain))
        y = rms_norm(g, x, total)
        gate = silu(g, linear(g, y, total, self.inner, False))
        y = g.op("Mul", gate, linear(g, y, total, self.inner, False))
        return g.op("Add", x, linear(g, y, self.inner, total, False, gain))


def llama_block(
    g: GraphBuilder, batch: Dim, seq: Dim, count: int = 8, groups: int = 2, width: int = 64,
    inner: int = 1408,
) -> None:  # fmt: skip
    """One Llama block on embeddings."""
    total = count * width
    x = g.input("x", [batch, seq, total])
    shared = _Llama(g, x, batch, seq, count, groups, width, inner, 512)
    g.output(shared.block(g, x, 1.0), "y", [batch, seq, total])


def llama(
    g: GraphBuilder, batch: Dim, seq: Dim, layers: int = 2, count: int = 8, groups: int = 2,
    width: int = 64, inner: int = 1408, vocabulary: int = 8192, capacity: int = 512,
) -> None:  # fmt: skip
    """A Llama decoder: token embedding, blocks, norm and head."""
    total = count * width
    ids = g.input("input_ids", [batch, seq], TensorProto.INT64)
    shared = _Llama(g, ids, batch, seq, count, groups, width, inner, capacity)
    x = g.op("Gather", g.param(g.normal(vocabulary, total), "tokens"), ids)
    for i in range(layers):
        with g.scope(f"layers.{i}"):
            x = shared.block(g, x, 0.5)
    logits = linear(g, rms_norm(g, x, total), total, vocabulary, False)
    g.output(logits, "logits", [batch, seq, vocabulary])


def vit(
    g: GraphBuilder,
    batch: Dim,
    image: int = 224,
    patch: int = 16,
    layers: int = 12,
    count: int = 6,
    width: int = 64,
    classes: int = 1000,
) -> None:
    """A vision transformer: patch convolution, class token, pre-norm blocks, head."""
    total, rows = count * width, (image // patch) ** 2
    pixels = g.input("pixels", [batch, 3, image, image])
    fan = 3 * patch * patch
    kernel = g.param(g.normal(total, 3, patch, patch, scale=fan**-0.5))
    shift: Optional[str] = g.param(g.normal(total, scale=0.02), "bias")
    x = g.op("Conv", pixels, kernel, shift, kernel_shape=[patch] * 2, strides=[patch] * 2)
    b = g.dim(x, 0, batch)
    x = g.op("Transpose", g.reshape(x, [b, total, rows]), perm=[0, 2, 1])
    token = g.expand(g.param(g.normal(1, 1, total, scale=0.5), "cls"), [b, 1, total])
    x = g.op("Concat", token, x, axis=1)
    x = g.op("Add", x, g.param(g.normal(1, rows + 1, total, scale=0.2), "positions"))
    for i in range(layers):
        with g.scope(f"blocks.{i}"):
            q, k, v = qkv_unbound(g, norm(g, x, total), b, rows + 1, count, width)
            y = merge(g, attend(g, q, k, v, width), b, rows + 1, total)
            x = g.op("Add", x, linear(g, y, total, total, gain=0.4))
            x = g.op("Add", x, feed_forward(g, norm(g, x, total), total, 0.4))
    first = g.op("Gather", norm(g, x, total), g.const(0, np.int64), axis=1)
    weight = g.param(g.normal(classes, total, scale=total**-0.5), "head")
    logits = g.op("Gemm", first, weight, g.param(g.normal(classes, scale=0.02)), transB=1)
    g.output(logits, "logits", [batch, classes])
