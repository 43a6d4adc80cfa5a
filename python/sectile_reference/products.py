# This file is part of the Sectile project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Matrix products and their quantised relatives."""

from __future__ import annotations

from typing import Optional, Tuple

import numpy as np
from onnx import TensorProto

from .registry import Call, operator
from .shapes import moved
from .tensors import FLOAT, INTEGERS, Tensor, is_float, round_to


@operator("MatMul")
def matmul(call: Call, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Matrix product, batched as numpy does it; integers wrap."""
    return np.matmul(a, b)


@operator("Gemm")
def gemm(call: Call, a: np.ndarray, b: np.ndarray, c: Optional[np.ndarray] = None) -> np.ndarray:
    """`alpha * A' @ B' + beta * C`."""
    a = a.T if call.get("transA", 0) else a
    b = b.T if call.get("transB", 0) else b
    alpha, beta = call.get("alpha", 1.0), call.get("beta", 1.0)
    if a.dtype.kind != "f":
        y = np.matmul(a, b) * a.dtype.type(alpha)
        return y if c is None else y + c * a.dtype.type(beta)
    y = alpha * np.matmul(a, b)
    return y if c is None else y + beta * c


@operator("Einsum")
def einsum(call: Call, *values: np.ndarray) -> np.ndarray:
    """Products and sums by index names."""
    return np.einsum(call.get("equation").replace(" ", ""), *values, optimize=True)


def _along(values: np.ndarray, like: np.ndarray, axis: int, block: int = 0) -> np.ndarray:
    """Scales or zero points shaped to broadcast against `like`."""
    if block:
        return np.repeat(values, block, axis)[tuple(slice(0, n) for n in like.shape)]
    if values.size == 1 and values.ndim <= 1:
        return values.reshape(())
    shape = [1] * like.ndim
    shape[axis] = values.size
    return values.reshape(shape)


@operator("QuantizeLinear")
def quantize_linear(
    call: Call, x: np.ndarray, scale: np.ndarray, zero: Optional[np.ndarray] = None
) -> Tensor:
    """`saturate(round(x / scale) + zero)`, the division rounded as the operand type rounds it."""
    kind = (
        call.kinds[2] if len(call.kinds) > 2 and zero is not None else call.get("output_dtype", 0)
    )
    kind = kind or TensorProto.UINT8
    if kind not in INTEGERS:
        raise NotImplementedError(f"node '{call.name}': element type {kind} is not supported")
    axis, block = call.get("axis", 1), call.get("block_size", 0)
    operand = call.kinds[1]
    assert operand is not None
    divisor = _along(scale.astype(np.float64), x, axis, block)
    wide = x.astype(np.float64)
    if is_float(operand):
        wide = round_to(round_to(wide, operand) / divisor, operand)
    else:
        wide = wide / divisor
    offset = 0 if zero is None else _along(zero.astype(np.float64), x, axis, block)
    limits = np.iinfo(INTEGERS[kind])
    codes = np.clip(np.rint(wide) + offset, limits.min, limits.max)
    return Tensor(codes.astype(INTEGERS[kind]), kind)


@operator("DequantizeLinear")
def dequantize_linear(
    call: Call, x: np.ndarray, scale: np.ndarray, zero: Optional[np.ndarray] = None
) -> Tensor:
    """`(x - zero) * scale`."""
    axis, block = call.get("axis", 1), call.get("block_size", 0)
    offset = 0 if zero is None else _along(zero.astype(np.int64), x, axis, block)
    kind = call.get("output_dtype", 0) or call.kinds[1]
    assert kind is not None
    values = (x.astype(np.int64) - offset) * _along(scale.astype(np.float64), x, axis, block)
    return call.floats(values, kind)


@operator("DynamicQuantizeLinear")
def dynamic_quantize_linear(call: Call, x: np.ndarray) -> Tuple[np.ndarray, Tensor, np.ndarray]:
    """Quantisation to uint8 over the range of the values and zero."""
    low, high = (np.float32(v) for v in (min(x.min(), 0), max(x.max(), 0)))
    scale = np.float32((high - low) / np.float32(255))
    divisor = scale if scale != 0 else np.float32(1)
    zero = np.uint8(np.clip(np.rint(-low / divisor), 0, 255))
    codes = np.clip(np.rint(x.astype(np.float32) / divisor) + zero, 0, 255).astype(np.uint8)
    return codes, call.floats(scale, FLOAT), np.asarray(zero)


def _centred(x: np.ndarray, zero: Optional[np.ndarray], axis: int) -> np.ndarray:
    """Integers less their zero point, in int32."""
    values = x.astype(np.int32)
    if zero is None:
        return values
    offset = zero.astype(np.int32)
    if offset.ndim == 1 and offset.size > 1:
        shape = [1] * x.ndim
        shape[axis] = offset.size
        offset = offset.reshape(shape)
    return values - (offset.reshape(()) if offset.size == 1 else offset)


@operator("MatMulInteger")
def matmul_integer(
    call: Call, a: np.ndarray, b: np.ndarray, a_zero: Optional[np.ndarray] = None,
    b_zero: Optional[np.ndarray] = None,
) -> np.ndarray:  # fmt: skip
    """Product of 8-bit matrices in int32."""
    return np.matmul(_centred(a, a_zero, -2), _centred(b, b_zero, -1))


@operator("QLinearMatMul")
def qlinear_matmul(
    call: Call, a: np.ndarray, a_scale: np.ndarray, a_zero: np.ndarray, b: np.ndarray,
    b_scale: np.ndarray, b_zero: np.ndarray, y_scale: np.ndarray, y_zero: np.ndarray,
) -> Tensor:  # fmt: skip
    """Product of quantised matrices, quantised again."""
    total = np.matmul(
        _centred(a, a_zero, -2).astype(np.int64), _centred(b, b_zero, -1).astype(np.int64)
    )
    real = total * (np.asarray(a_scale, np.float64) * np.asarray(b_scale, np.float64))
    kind = call.kinds[7]
    assert kind is not None
    limits = np.iinfo(INTEGERS[kind])
    codes = np.rint(real / np.asarray(y_scale, np.float64)) + y_zero.astype(np.float64)
    return moved(call, np.clip(codes, limits.min, limits.max).astype(INTEGERS[kind]), 7)
