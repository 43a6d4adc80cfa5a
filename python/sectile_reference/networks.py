# This file is part of the Sectile project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Convolutions, pooling and normalisations."""

from __future__ import annotations

import math
from typing import List, Optional, Sequence, Tuple

import numpy as np

from .registry import Call, as_ints, operator
from .shapes import moved
from .tensors import Tensor


class Window:
    """A sliding window: kernel, strides, dilations and pads of a convolution or a pool."""

    def __init__(self, call: Call, image: Sequence[int], kernel: Sequence[int]) -> None:
        rank = len(kernel)
        self.kernel = list(kernel)
        self.strides = list(call.get("strides") or [1] * rank)
        self.dilations = list(call.get("dilations") or [1] * rank)
        self.extent = [(k - 1) * d + 1 for k, d in zip(self.kernel, self.dilations)]
        pads = list(call.get("pads") or [0] * (2 * rank))
        self.before, self.after = pads[:rank], pads[rank:]
        self.ceil = bool(call.get("ceil_mode", 0))
        auto = call.get("auto_pad", "NOTSET")
        if auto in ("SAME_UPPER", "SAME_LOWER"):
            self.ceil = False
            for i in range(rank):
                count = -(-image[i] // self.strides[i])
                total = max((count - 1) * self.strides[i] + self.extent[i] - image[i], 0)
                small, large = total // 2, total - total // 2
                lower = auto == "SAME_LOWER"
                self.before[i], self.after[i] = (large, small) if lower else (small, large)
        elif auto == "VALID":
            self.before, self.after = [0] * rank, [0] * rank
        self.output = [self._size(i, image[i]) for i in range(rank)]

    def _size(self, i: int, length: int) -> int:
        span = length + self.before[i] + self.after[i] - self.extent[i]
        size = math.floor(span / self.strides[i]) + 1
        if self.ceil:
            size = math.ceil(span / self.strides[i]) + 1
            # A window that would start in the padding behind the image is left out.
            if (size - 1) * self.strides[i] >= length + self.before[i]:
                size -= 1
        return max(size, 0)

    def view(self, x: np.ndarray, fill: float) -> np.ndarray:
        """[N, C, output..., kernel...] view of padded `x`."""
        rank = len(self.kernel)
        widths = [(0, 0), (0, 0)]
        for i in range(rank):
            need = (self.output[i] - 1) * self.strides[i] + self.extent[i]
            behind = max(need - x.shape[2 + i] - self.before[i], self.after[i], 0)
            widths.append((self.before[i], behind))
        padded = np.pad(x, widths, constant_values=fill)
        axes = tuple(range(2, 2 + rank))
        view = np.lib.stride_tricks.sliding_window_view(padded, self.extent, axes)
        index: List[slice] = [slice(None), slice(None)]
        for i in range(rank):
            end = (self.output[i] - 1) * self.strides[i] + 1
            index.append(slice(0, max(end, 0), self.strides[i]))
        index += [slice(None, None, d) for d in self.dilations]
        return view[tuple(index)]


def _convolve(call: Call, x: np.ndarray, w: np.ndarray) -> np.ndarray:
    """Convolution as a matrix product over gathered windows, one image and group at a time."""
    groups, rank = call.get("group", 1), x.ndim - 2
    window = Window(call, x.shape[2:], w.shape[2:])
    view = window.view(x, 0)
    outputs, depth = w.shape[0], w.shape[1]
    each = outputs // groups
    result = np.zeros((x.shape[0], outputs) + tuple(window.output), x.dtype)
    if depth == 1 and each == 1:
        for offset in np.ndindex(*w.shape[2:]):
            factor = w[(slice(None), 0) + offset].reshape((1, -1) + (1,) * rank)
            result += view[(Ellipsis,) + offset] * factor
        return result
    order = [0] + list(range(1 + rank, 1 + 2 * rank)) + list(range(1, 1 + rank))
    for n in range(x.shape[0]):
        for g in range(groups):
            part = view[n, g * depth : (g + 1) * depth].transpose(order)
            columns = part.reshape(int(np.prod(part.shape[: 1 + rank])), -1)
            weights = w[g * each : (g + 1) * each].reshape(each, -1)
            product = np.matmul(weights, columns)
            result[n, g * each : (g + 1) * each] = product.reshape([each] + window.output)
    return result


def _channels(values: np.ndarray, rank: int) -> np.ndarray:
    """Per-channel values shaped to broadcast against [N, C, ...] of `rank` dimensions."""
    return values.reshape((1, -1) + (1,) * (rank - 2))


@operator("Conv")
def conv(call: Call, x: np.ndarray, w: np.ndarray, b: Optional[np.ndarray] = None) -> np.ndarray:
    """Grouped convolution in any number of dimensions."""
    y = _convolve(call, x, w)
    return y if b is None else y + _channels(b, y.ndim)


@operator("ConvInteger")
def conv_integer(
    call: Call, x: np.ndarray, w: np.ndarray, x_zero: Optional[np.ndarray] = None,
    w_zero: Optional[np.ndarray] = None,
) -> np.ndarray:  # fmt: skip
    """Convolution of 8-bit tensors in int32."""
    x = x.astype(np.int32) - (0 if x_zero is None else x_zero.astype(np.int32).reshape(()))
    offset = 0
    if w_zero is not None:
        offset = w_zero.astype(np.int32).reshape((-1,) + (1,) * (w.ndim - 1))
    return _convolve(call, x, w.astype(np.int32) - offset)


@operator("ConvTranspose")
def conv_transpose(
    call: Call, x: np.ndarray, w: np.ndarray, b: Optional[np.ndarray] = None
) -> np.ndarray:
    """Each input element adds its kernel to the output; pads crop."""
    rank, groups = x.ndim - 2, call.get("group", 1)
    strides = list(call.get("strides") or [1] * rank)
    dilations = list(call.get("dilations") or [1] * rank)
    extra = list(call.get("output_padding") or [0] * rank)
    kernel, image = w.shape[2:], x.shape[2:]
    extent = [(k - 1) * d + 1 for k, d in zip(kernel, dilations)]
    full = [(n - 1) * s + e for n, s, e in zip(image, strides, extent)]
    pads = list(call.get("pads") or [0] * (2 * rank))
    before, after = pads[:rank], pads[rank:]
    auto, wanted = call.get("auto_pad", "NOTSET"), call.get("output_shape")
    if wanted is None and auto in ("SAME_UPPER", "SAME_LOWER"):
        wanted = [n * s for n, s in zip(image, strides)]
    if wanted is not None:
        wanted = list(wanted)[-rank:]
        for i in range(rank):
            total = max(full[i] + extra[i] - wanted[i], 0)
            small, large = total // 2, total - total // 2
            # SAME_UPPER puts the odd element behind the image, every other choice before it.
            before[i], after[i] = (small, large) if auto == "SAME_UPPER" else (large, small)
        sizes = wanted
    else:
        sizes = [f + e - p - q for f, e, p, q in zip(full, extra, before, after)]
    depth, each = x.shape[1] // groups, w.shape[1]
    canvas = [max(f + e, p + s) for f, e, p, s in zip(full, extra, before, sizes)]
    y = np.zeros([x.shape[0], groups * each] + canvas, x.dtype)
    for g in range(groups):
        part = x[:, g * depth : (g + 1) * depth].reshape(x.shape[0], depth, -1)
        for offset in np.ndindex(*kernel):
            tap = w[(slice(g * depth, (g + 1) * depth), slice(None)) + offset]
            product = np.matmul(tap.T, part).reshape((x.shape[0], each) + tuple(image))
            place = tuple(
                slice(o * d, o * d + (n - 1) * s + 1, s) if n else slice(0, 0)
                for o, d, n, s in zip(offset, dilations, image, strides)
            )
            y[(slice(None), slice(g * each, (g + 1) * each)) + place] += product
    crop = tuple(slice(p, p + s) for p, s in zip(before, sizes))
    y = y[(slice(None), slice(None)) + crop]
    return y if b is None else y + _channels(b, y.ndim)


@operator("MaxPool")
def max_pool(call: Call, x: np.ndarray) -> Tuple[Tensor, Optional[np.ndarray]]:
    """Largest element of each window, and where it was."""
    window = Window(call, x.shape[2:], call.get("kernel_shape"))
    rank = x.ndim - 2
    least = -np.inf if x.dtype.kind == "f" else np.iinfo(x.dtype).min
    view = window.view(x, least)
    # Not -1, which numpy cannot infer for an empty batch.
    flat = view.reshape(view.shape[: 2 + rank] + (int(np.prod(view.shape[2 + rank :])),))
    values = moved(call, flat.max(-1))
    if call.outputs < 2:
        return values, None
    numbers = np.arange(int(np.prod(x.shape)), dtype=np.int64)
    if call.get("storage_order", 0):
        numbers = np.arange(numbers.size).reshape(x.shape[:2] + x.shape[2:][::-1])
        numbers = numbers.transpose([0, 1] + list(range(x.ndim - 1, 1, -1)))
    places = window.view(numbers.reshape(x.shape), -1).reshape(flat.shape)
    chosen = np.expand_dims(flat.argmax(-1), -1)
    return values, np.take_along_axis(places, chosen, -1)[..., 0].astype(np.int64)


@operator("AveragePool", "LpPool")
def average_pool(call: Call, x: np.ndarray) -> np.ndarray:
    """Mean (or p-norm) of each window; pads count only if `count_include_pad`."""
    window = Window(call, x.shape[2:], call.get("kernel_shape"))
    axes = tuple(range(x.ndim, 2 * x.ndim - 2))
    if call.op == "LpPool":
        power = call.get("p", 2)
        return (np.abs(window.view(x, 0)) ** power).sum(axes) ** (1 / power)
    ones = np.ones((1, 1) + x.shape[2:], x.dtype)
    if call.get("count_include_pad", 0):
        pads = [(0, 0), (0, 0)] + list(zip(window.before, window.after))
        ones = np.pad(ones, pads, constant_values=1)
        window_ones = Window(call, x.shape[2:], call.get("kernel_shape"))
        window_ones.before = [0] * len(window.before)
        counts = window_ones.view(ones, 0).sum(axes)
    else:
        counts = window.view(ones, 0).sum(axes)
    return window.view(x, 0).sum(axes) / counts


@operator("GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool")
def global_pool(call: Call, x: np.ndarray) -> np.ndarray:
    """One value for each channel."""
    axes = tuple(range(2, x.ndim))
    if call.op == "GlobalMaxPool":
        return x.max(axes, keepdims=True)
    if call.op == "GlobalLpPool":
        power = call.get("p", 2)
        return (np.abs(x) ** power).sum(axes, keepdims=True) ** (1 / power)
    return x.mean(axes, keepdims=True)


@operator("BatchNormalization")
def batch_normalization(
    call: Call, x: np.ndarray, scale: np.ndarray, bias: np.ndarray, mean: np.ndarray,
    variance: np.ndarray,
):  # fmt: skip
    """By given statistics, or by the batch's own in training mode (opset 14 on)."""
    epsilon, outputs = call.get("epsilon", float(np.float32(1e-5))), []
    if call.opset < 9 and not call.get("spatial", 1):
        return scale * (x - mean) / np.sqrt(variance + epsilon) + bias
    if call.opset >= 14 and call.get("training_mode", 0):
        axes = tuple(i for i in range(x.ndim) if i != 1)
        momentum = call.get("momentum", float(np.float32(0.9)))
        own_mean, own_variance = x.mean(axes), x.var(axes)
        outputs = [
            mean * momentum + own_mean * (1 - momentum),
            variance * momentum + own_variance * (1 - momentum),
        ]
        mean, variance = own_mean, own_variance
    scale, bias, mean, variance = (_channels(v, x.ndim) for v in (scale, bias, mean, variance))
    return [scale * (x - mean) / np.sqrt(variance + epsilon) + bias] + outputs


@operator("InstanceNormalization")
def instance_normalization(
    call: Call, x: np.ndarray, scale: np.ndarray, bias: np.ndarray
) -> np.ndarray:
    """Each channel of each image by its own statistics."""
    axes, epsilon = tuple(range(2, x.ndim)), call.get("epsilon", float(np.float32(1e-5)))
    centred = x - x.mean(axes, keepdims=True)
    deviation = np.sqrt((centred**2).mean(axes, keepdims=True) + epsilon)
    return _channels(scale, x.ndim) * centred / deviation + _channels(bias, x.ndim)


@operator("GroupNormalization")
def group_normalization(
    call: Call, x: np.ndarray, scale: np.ndarray, bias: np.ndarray
) -> np.ndarray:
    """By groups of channels; scale and bias go by group before opset 21, by channel after."""
    groups, epsilon = call.get("num_groups"), call.get("epsilon", float(np.float32(1e-5)))
    y = x.reshape(x.shape[0], groups, -1)
    y = y - y.mean(-1, keepdims=True)
    y = (y / np.sqrt((y**2).mean(-1, keepdims=True) + epsilon)).reshape(x.shape)
    if call.opset < 21:
        scale, bias = (np.repeat(v, x.shape[1] // groups) for v in (scale, bias))
    return _channels(scale, x.ndim) * y + _channels(bias, x.ndim)


@operator("LayerNormalization")
def layer_normalization(
    call: Call, x: np.ndarray, scale: np.ndarray, bias: Optional[np.ndarray] = None
):
    """Over the dimensions from `axis` on; also mean and inverse deviation."""
    axis = call.get("axis", -1)
    axes = tuple(range(axis + x.ndim if axis < 0 else axis, x.ndim))
    mean = x.mean(axes, keepdims=True)
    centred = x - mean
    epsilon = call.get("epsilon", float(np.float32(1e-5)))
    inverse = 1 / np.sqrt((centred**2).mean(axes, keepdims=True) + epsilon)
    y = centred * inverse * scale
    stash = call.get("stash_type", 1)
    return (y if bias is None else y + bias), call.floats(mean, stash), call.floats(inverse, stash)


@operator("RMSNormalization")
def rms_normalization(call: Call, x: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """By the root of the mean square over the dimensions from `axis` on."""
    axis = call.get("axis", -1)
    axes = tuple(range(axis + x.ndim if axis < 0 else axis, x.ndim))
    epsilon = call.get("epsilon", float(np.float32(1e-5)))
    return x / np.sqrt((x**2).mean(axes, keepdims=True) + epsilon) * scale


@operator("MeanVarianceNormalization")
def mean_variance_normalization(call: Call, x: np.ndarray) -> np.ndarray:
    """Over `axes`, by default all but the channels."""
    axes = tuple(as_ints(call.get("axes")) or (0, 2, 3))
    centred = x - x.mean(axes, keepdims=True)
    return centred / (np.sqrt((centred**2).mean(axes, keepdims=True)) + 1e-9)


@operator("LpNormalization")
def lp_normalization(call: Call, x: np.ndarray) -> np.ndarray:
    """By the p-norm along `axis`; zeros stay zeros."""
    power = call.get("p", 2)
    norm = (np.abs(x) ** power).sum(call.get("axis", -1), keepdims=True) ** (1 / power)
    return x / np.where(norm == 0, 1, norm)


@operator("LRN")
def local_response_normalization(call: Call, x: np.ndarray) -> np.ndarray:
    """By the squares of neighbouring channels."""
    size, squares = call.get("size"), x**2
    total = np.zeros_like(x)
    for c in range(x.shape[1]):
        low = max(0, c - (size - 1) // 2)
        total[:, c] = squares[:, low : c + math.ceil((size - 1) / 2) + 1].sum(1)
    alpha, beta = call.get("alpha", float(np.float32(1e-4))), call.get("beta", 0.75)
    return x / (call.get("bias", 1.0) + alpha / size * total) ** beta
