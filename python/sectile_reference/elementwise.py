# This file is part of the Sectile project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Elementwise operators, comparisons and conversions."""

from __future__ import annotations

import math
from typing import Callable, Optional

import numpy as np
from onnx import TensorProto

from .registry import Call, operator
from .tensors import FORMATS, INTEGERS, Tensor, is_float, round_to


def erf(x: np.ndarray) -> np.ndarray:
    """The error function."""
    values = np.fromiter(map(math.erf, x.ravel().tolist()), np.float64, x.size)
    return values.reshape(x.shape).astype(x.dtype)


def sigmoid(x: np.ndarray) -> np.ndarray:
    """`1 / (1 + exp(-x))`, without overflow."""
    small = np.exp(-np.abs(x))
    return np.where(x >= 0, 1 / (1 + small), small / (1 + small))


def softplus(x: np.ndarray) -> np.ndarray:
    """`log(1 + exp(x))`, without overflow."""
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


def _unary(name: str, function: Callable[[np.ndarray], np.ndarray]) -> None:
    operator(name)(lambda call, x: function(x))


_UNARY = {
    "Abs": np.abs, "Acos": np.arccos, "Acosh": np.arccosh, "Asin": np.arcsin,
    "Asinh": np.arcsinh, "Atan": np.arctan, "Atanh": np.arctanh, "Ceil": np.ceil, "Cos": np.cos,
    "Cosh": np.cosh, "Erf": erf, "Exp": np.exp, "Floor": np.floor, "Identity": lambda x: x,
    "IsNaN": np.isnan, "Log": np.log, "Neg": np.negative, "Not": np.logical_not,
    "Reciprocal": lambda x: 1 / x, "Relu": lambda x: np.maximum(x, x.dtype.type(0)),
    "Round": np.rint, "Sigmoid": sigmoid, "Sign": np.sign, "Sin": np.sin, "Sinh": np.sinh,
    "Softplus": softplus, "Softsign": lambda x: x / (1 + np.abs(x)), "Sqrt": np.sqrt,
    "Tan": np.tan, "Tanh": np.tanh, "BitwiseNot": np.invert,
}  # fmt: skip
for _name, _function in _UNARY.items():
    _unary(_name, _function)


@operator("Gelu")
def gelu(call: Call, x: np.ndarray) -> np.ndarray:
    """Exact, or the tanh approximation."""
    if call.get("approximate", "none") == "tanh":
        return 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))
    return 0.5 * x * (1 + erf(x / math.sqrt(2)))


@operator("Elu")
def elu(call: Call, x: np.ndarray) -> np.ndarray:
    """`alpha * (exp(x) - 1)` below zero."""
    return np.where(x < 0, call.get("alpha", 1.0) * np.expm1(x), x)


@operator("Celu")
def celu(call: Call, x: np.ndarray) -> np.ndarray:
    """Continuously differentiable Elu."""
    alpha = call.get("alpha", 1.0)
    return np.maximum(x, 0) + np.minimum(0, alpha * np.expm1(x / alpha))


@operator("Selu")
def selu(call: Call, x: np.ndarray) -> np.ndarray:
    """Scaled Elu."""
    alpha = call.get("alpha", float(np.float32(1.67326319217681884765625)))
    gamma = call.get("gamma", float(np.float32(1.05070102214813232421875)))
    return gamma * np.where(x > 0, x, alpha * np.expm1(x))


@operator("LeakyRelu")
def leaky_relu(call: Call, x: np.ndarray) -> np.ndarray:
    """`alpha * x` below zero."""
    return np.where(x < 0, call.get("alpha", float(np.float32(0.01))) * x, x)


@operator("ThresholdedRelu")
def thresholded_relu(call: Call, x: np.ndarray) -> np.ndarray:
    """`x` above `alpha`, else 0."""
    return np.where(x > call.get("alpha", 1.0), x, 0).astype(x.dtype)


@operator("HardSigmoid")
def hard_sigmoid(call: Call, x: np.ndarray) -> np.ndarray:
    """A clipped line."""
    alpha, beta = call.get("alpha", float(np.float32(0.2))), call.get("beta", 0.5)
    return np.clip(alpha * x + beta, 0, 1)


@operator("HardSwish")
def hard_swish(call: Call, x: np.ndarray) -> np.ndarray:
    """`x * clip(x / 6 + 1 / 2, 0, 1)`."""
    return x * np.clip(x / 6 + 0.5, 0, 1)


@operator("Mish")
def mish(call: Call, x: np.ndarray) -> np.ndarray:
    """`x * tanh(softplus(x))`."""
    return x * np.tanh(softplus(x))


@operator("Swish")
def swish(call: Call, x: np.ndarray) -> np.ndarray:
    """`x * sigmoid(alpha * x)`."""
    return x * sigmoid(call.get("alpha", 1.0) * x)


@operator("Shrink")
def shrink(call: Call, x: np.ndarray) -> np.ndarray:
    """Moves values towards zero by `bias`, those within `lambd` to zero."""
    bias, lambd = call.get("bias", 0.0), call.get("lambd", 0.5)
    shifted = np.where(x < -lambd, x + bias, np.where(x > lambd, x - bias, 0))
    return shifted.astype(x.dtype)


def _legacy_broadcast(call: Call, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """`b` aligned at attribute `axis`, as binary operators had it before opset 7."""
    if call.opset >= 7 or not call.get("broadcast", 0):
        return b
    axis = call.get("axis", a.ndim - b.ndim)
    return b.reshape(b.shape + (1,) * (a.ndim - axis - b.ndim))


def _binary(name: str, function: Callable[[Call, np.ndarray, np.ndarray], np.ndarray]) -> None:
    operator(name)(lambda call, a, b: function(call, a, _legacy_broadcast(call, a, b)))


def _divide(call: Call, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Division; integers truncate towards zero, and a zero divisor gives zero."""
    if a.dtype.kind == "f":
        return a / b
    divisor = np.where(b == 0, b.dtype.type(1), b)
    quotient = a // divisor
    inexact = (a - quotient * divisor) != 0
    quotient = quotient + (inexact & ((a < 0) != (divisor < 0)))
    return np.where(b == 0, 0, quotient).astype(a.dtype)


def _modulo(call: Call, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Remainder with the divisor's sign, or with the dividend's if `fmod` is set."""
    return np.fmod(a, b) if call.get("fmod", 0) else np.mod(a, b)


def _power(call: Call, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """`a ** b` in the type of `a`."""
    if a.dtype.kind == "f":
        return np.power(a, b.astype(a.dtype))
    if b.dtype.kind == "f":
        return np.trunc(np.power(a.astype(np.float64), b)).astype(a.dtype)
    if (b >= 0).all():
        return np.power(a, b).astype(a.dtype)
    return np.trunc(np.power(a.astype(np.float64), b)).astype(a.dtype)


def _shift(call: Call, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    left = call.get("direction") == "LEFT"
    bits = a.dtype.itemsize * 8
    moved = np.left_shift(a, b) if left else np.right_shift(a, b)
    # Shifting by the width or more shifts all bits out; a signed number leaves its sign.
    beyond = 0 if left or a.dtype.kind == "u" else np.where(a < 0, -1, 0)
    return np.where(b >= bits, beyond, moved).astype(a.dtype)


_BINARY = {
    "Add": np.add, "Sub": np.subtract, "Mul": np.multiply, "And": np.logical_and,
    "Or": np.logical_or, "Xor": np.logical_xor, "Equal": np.equal, "Less": np.less,
    "Greater": np.greater, "LessOrEqual": np.less_equal, "GreaterOrEqual": np.greater_equal,
    "BitwiseAnd": np.bitwise_and, "BitwiseOr": np.bitwise_or, "BitwiseXor": np.bitwise_xor,
}  # fmt: skip
for _name, _ufunc in _BINARY.items():
    _binary(_name, lambda call, a, b, f=_ufunc: f(a, b))
_binary("Div", _divide)
_binary("Mod", _modulo)
_binary("Pow", _power)
_binary("BitShift", _shift)


@operator("PRelu")
def prelu(call: Call, x: np.ndarray, slope: np.ndarray) -> np.ndarray:
    """`slope * x` below zero; before opset 7 a one-dimensional slope went by channel."""
    if call.opset < 7 and slope.ndim == 1 and slope.size > 1:
        slope = slope.reshape((-1,) + (1,) * (x.ndim - 2))
    return np.where(x < 0, slope * x, x)


@operator("Sum", "Mean", "Max", "Min")
def variadic(call: Call, *values: np.ndarray) -> np.ndarray:
    """Elementwise over any number of inputs."""
    combine = {"Max": np.maximum, "Min": np.minimum}.get(call.op, np.add)
    total = values[0]
    for value in values[1:]:
        total = combine(total, value)
    return total / len(values) if call.op == "Mean" else total


@operator("Clip")
def clip(
    call: Call, x: np.ndarray, low: Optional[np.ndarray] = None, high: Optional[np.ndarray] = None
) -> np.ndarray:
    """Bounds are attributes before opset 11, inputs from there on; the upper one wins."""
    if call.opset < 11:
        low, high = call.get("min"), call.get("max")
    if low is not None:
        x = np.maximum(x, np.asarray(low, x.dtype))
    if high is not None:
        x = np.minimum(x, np.asarray(high, x.dtype))
    return x


@operator("Where")
def where(call: Call, condition: np.ndarray, a: np.ndarray, b: np.ndarray) -> Tensor:
    """Chooses between `a` and `b`."""
    kind = call.kinds[1]
    assert kind is not None
    return Tensor(np.where(condition, a, b), kind)


@operator("IsInf")
def is_inf(call: Call, x: np.ndarray) -> np.ndarray:
    """Infinity of the signs asked for."""
    positive = np.isposinf(x) & bool(call.get("detect_positive", 1))
    return positive | (np.isneginf(x) & bool(call.get("detect_negative", 1)))


def convert(call: Call, x: np.ndarray, source: int, target: int) -> Tensor:
    """A value converted to another element type: an explicit rounding in every mode."""
    if is_float(source) and x.dtype == np.float64:
        x = round_to(x, source)
    if is_float(target):
        wide = x.astype(np.float64)
        if source != target:
            wide = round_to(wide, target)
        return call.floats(wide, target)
    if target not in INTEGERS:
        raise TypeError(f"node '{call.name}': element type {target} is not supported")
    if target == TensorProto.BOOL:
        return Tensor(x != 0, target)
    if x.dtype.kind == "f":
        # Out of range is undefined; wrapping through int64 is what most processors do.
        x = np.trunc(np.where(np.isfinite(x), x, 0)).astype(np.int64)
    return Tensor(x.astype(INTEGERS[target]), target)


@operator("Cast")
def cast(call: Call, x: np.ndarray) -> Tensor:
    """Conversion to the element type `to`."""
    source = call.kinds[0]
    assert source is not None
    return convert(call, x, source, call.get("to"))


@operator("CastLike")
def cast_like(call: Call, x: np.ndarray, like: np.ndarray) -> Tensor:
    """Conversion to the element type of the second input."""
    source, target = call.kinds
    assert source is not None and target is not None
    return convert(call, x, source, target)


@operator("Dropout")
def dropout(
    call: Call, x: np.ndarray, ratio: Optional[np.ndarray] = None,
    training: Optional[np.ndarray] = None,
):  # fmt: skip
    """The identity: only inference is supported."""
    if training is not None and bool(training) and (ratio is None or float(ratio) != 0):
        raise NotImplementedError(f"node '{call.name}': Dropout in training mode is random")
    mask = np.ones(x.shape, np.bool_)
    if call.opset < 10:
        kind = call.kinds[0]
        assert kind is not None and kind in FORMATS
        return x, call.floats(mask, kind)
    return x, mask
