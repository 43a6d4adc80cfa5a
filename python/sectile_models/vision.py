# This file is part of the Sectile project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Convolutional networks. Batch normalisation has trained-looking statistics and is not folded."""

from __future__ import annotations

from typing import Optional, Sequence

import numpy as np

from .builder import Dim, GraphBuilder
from .layers import silu

def conv(
    g: GraphBuilder, x: str, inputs: int, outputs: int, kernel: int = 3, stride: int = 1,
    groups: int = 1, gain: float = 2.0, bias: bool = False,
) -> str:  # fmt: skip
    """A convolution with "same" padding; `gain` is 2 before a ReLU, 1 before nothing."""
    fan = inputs // groups * kernel * kernel
    weight = g.normal(outputs, inputs // groups, kernel, kernel, scale=(gain / fan) ** 0.5)
    operands = [x, g.param(weight)]
    if bias:
        operands.append(g.param(g.normal(outputs, scale=0.02), "bias"))
    return g.op(
        "Conv", *operands, dilations=[1, 1], group=groups, kernel_shape=[kernel] * 2,
        pads=[kernel // 2] * 4, strides=[stride] * 2,
    )  # fmt: skip


def batch_norm(g: GraphBuilder, x: str, channels: int, gain: float = 1.0) -> str:
    """Inference-time batch normalisation."""
    scale = g.uniform(channels, low=0.8 * gain, high=1.2 * gain)
    values = [
        scale,
        g.normal(channels, scale=0.1),
        g.normal(channels, scale=0.1),
        g.uniform(channels, low=0.8, high=1.2),
    ]
    names = ["bn_scale", "bn_bias", "bn_mean", "bn_var"]
    params = [g.param(v, n) for v, n in zip(values, names)]
    return g.op("BatchNormalization", x, *params, epsilon=1e-5, momentum=0.9)


def _classifier(g: GraphBuilder, x: str, batch: Dim, channels: int, classes: int) -> None:
    """Global average, then a linear layer."""
    x = g.op("Flatten", g.op("GlobalAveragePool", x), axis=1)
    weight = g.param(g.normal(classes, channels, scale=channels**-0.5), "classifier")
    bias = g.param(g.normal(classes, scale=0.02), "bias")
    g.output(
        g.op("Gemm", x, weight, bias, alpha=1.0, beta=1.0, transB=1), "logits", [batch, classes]
    )


def convblock(g: GraphBuilder, batch: Dim, channels: int = 64, image: int = 56) -> None:
    """Two convolutions with normalisation and a residual connection."""
    shape = [batch, channels, image, image]
    x = g.input("x", shape)
    y = g.op("Relu", batch_norm(g, conv(g, x, channels, channels), channels))
    y = batch_norm(g, conv(g, y, channels, channels), channels)
    g.output(g.op("Relu", g.op("Add", x, y)), "y", shape)


def resnet(
    g: GraphBuilder, batch: Dim, blocks: Sequence[int], bottleneck: bool, base: int = 64,
    image: int = 224, classes: int = 1000,
) -> None:  # fmt: skip
    """ResNet with basic or bottleneck blocks (v1.5: the stride sits in the 3x3)."""
    expansion = 4 if bottleneck else 1
    x = g.input("pixels", [batch, 3, image, image])
    x = g.op("Relu", batch_norm(g, conv(g, x, 3, base, 7, 2), base))
    x = g.op("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1], ceil_mode=0)
    inputs = base
    for stage, count in enumerate(blocks):
        middle = base << stage
        outputs = middle * expansion
        for i in range(count):
            stride = 2 if stage > 0 and i == 0 else 1
            with g.scope(f"layer{stage + 1}.{i}"):
                if bottleneck:
                    y = g.op("Relu", batch_norm(g, conv(g, x, inputs, middle, 1), middle))
                    y = g.op("Relu", batch_norm(g, conv(g, y, middle, middle, 3, stride), middle))
                    y = conv(g, y, middle, outputs, 1)
                else:
                    y = g.op("Relu", batch_norm(g, conv(g, x, inputs, middle, 3, stride), middle))
                    y = conv(g, y, middle, outputs)
                y = batch_norm(g, y, outputs, 0.4)
                if stride != 1 or inputs != outputs:
                    x = batch_norm(g, conv(g, x, inputs, outputs, 1, stride, gain=1.0), outputs)
                x = g.op("Relu", g.op("Add", y, x))
            inputs = outputs
    _classifier(g, x, batch, inputs, classes)


_MOBILENET = (
    (1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2),
    (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1),
)  # fmt: skip
"""Expansion, output channels, repetitions and first stride of MobileNetV2's stages."""


def _relu6(g: GraphBuilder, x: str) -> str:
    if g.opset < 11:
        return g.op("Clip", x, min=0.0, max=6.0)
    return g.op("Clip", x, g.const(0.0), g.const(6.0))


def mobilenetv2(
    g: GraphBuilder, batch: Dim, image: int = 224, divide: int = 1, stages: Optional[int] = None,
    classes: int = 1000,
) -> None:  # fmt: skip
    """MobileNetV2; `divide` thins the channels, `stages` keeps only the first ones."""
    x = g.input("pixels", [batch, 3, image, image])
    inputs = 32 // divide
    x = _relu6(g, batch_norm(g, conv(g, x, 3, inputs, 3, 2), inputs))
    for stage, (expand, channels, count, first) in enumerate(_MOBILENET[:stages]):
        outputs = channels // divide
        for i in range(count):
            stride = first if i == 0 else 1
            hidden = inputs * expand
            with g.scope(f"features.{stage}.{i}"):
                y = x
                if expand != 1:
                    y = _relu6(g, batch_norm(g, conv(g, y, inputs, hidden, 1), hidden))
                y = conv(g, y, hidden, hidden, 3, stride, hidden)
                y = _relu6(g, batch_norm(g, y, hidden))
                y = conv(g, y, hidden, outputs, 1, gain=1.0)
                residual = stride == 1 and inputs == outputs
                y = batch_norm(g, y, outputs, 0.5 if residual else 1.0)
                x = g.op("Add", x, y) if residual else y
            inputs = outputs
    last = 1280 // divide
    x = _relu6(g, batch_norm(g, conv(g, x, inputs, last, 1), last))
    _classifier(g, x, batch, last, classes)


def _group_norm(g: GraphBuilder, x: str, channels: int, groups: int) -> str:
    """Group normalisation as exporters write it, through InstanceNormalization."""
    shape = g.op("Shape", x)
    y = g.reshape(x, [0, groups, -1])
    ones = g.const(np.ones(groups))
    zeros = g.const(np.zeros(groups))
    y = g.op("Reshape", g.op("InstanceNormalization", y, ones, zeros, epsilon=1e-5), shape)
    y = g.op("Mul", y, g.param(g.normal(channels, 1, 1, scale=0.05, mean=1.0), "gn_scale"))
    return g.op("Add", y, g.param(g.normal(channels, 1, 1, scale=0.05), "gn_bias"))


def _double(g: GraphBuilder, x: str, inputs: int, outputs: int, groups: int) -> str:
    """Convolution, group norm and SiLU, twice."""
    for width in (inputs, outputs):
        x = silu(g, _group_norm(g, conv(g, x, width, outputs, bias=True), outputs, groups))
    return x


def _up(g: GraphBuilder, x: str, inputs: int, outputs: int) -> str:
    """A transposed convolution that doubles the image."""
    weight = g.param(g.normal(inputs, outputs, 2, 2, scale=(1 / inputs) ** 0.5))
    bias = g.param(g.normal(outputs, scale=0.02), "bias")
    return g.op("ConvTranspose", x, weight, bias, kernel_shape=[2, 2], strides=[2, 2])


def unet(g: GraphBuilder, batch: Dim, image: Dim = 128, base: int = 32, groups: int = 8) -> None:
    """A three-level U-Net; a symbolic image must be a multiple of 4."""
    x = g.input("pixels", [batch, 3, image, image])
    a = _double(g, x, 3, base, groups)
    pool = dict(kernel_shape=[2, 2], strides=[2, 2])
    b = _double(g, g.op("MaxPool", a, **pool), base, 2 * base, groups)
    c = _double(g, g.op("MaxPool", b, **pool), 2 * base, 4 * base, groups)
    x = g.op("Concat", _up(g, c, 4 * base, 2 * base), b, axis=1)
    x = _double(g, x, 4 * base, 2 * base, groups)
    x = g.op("Concat", _up(g, x, 2 * base, base), a, axis=1)
    x = _double(g, x, 2 * base, base, groups)
    g.output(conv(g, x, base, 3, 1, gain=1.0, bias=True), "y", [batch, 3, image, image])
