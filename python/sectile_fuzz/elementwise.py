# This file is part of the Sectile project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Makers of elementwise operators."""

from __future__ import annotations

import numpy as np
from onnx import TensorProto

from sectile_reference.tensors import DOUBLE, FLOAT, FLOAT16, is_float

from .growth import BOOL, INT32, INT64, Graph, Reject
from .makers import is_integer, maker, partner

_UNARY = (
    "Abs", "Acos", "Acosh", "Asin", "Asinh", "Atan", "Atanh", "Ceil", "Cos", "Cosh", "Erf", "Exp",
    "Floor", "Identity", "Log", "Neg", "Reciprocal", "Relu", "Round", "Sigmoid", "Sign", "Sin", "Sinh",
    "Softplus", "Softsign", "Sqrt", "Tan", "Tanh",
)  # fmt: skip


@maker(8)
def unary(g: Graph) -> None:
    """A function of one float."""
    g.op(g.choose(_UNARY), g.floats())


@maker(3)
def activation(g: Graph) -> None:
    """A function of one float with parameters."""
    x = g.floats()
    a, b = float(np.float32(g.rng.uniform(0.1, 1.5))), float(np.float32(g.rng.uniform(-0.5, 0.5)))
    forms = [
        ("LeakyRelu", dict(alpha=a)), ("Elu", dict(alpha=a)), ("Selu", {}), ("Celu", dict(alpha=a)),
        ("HardSigmoid", dict(alpha=a, beta=b)), ("ThresholdedRelu", dict(alpha=a)),
        ("Shrink", dict(lambd=a, bias=b)),
    ]  # fmt: skip
    forms += [("HardSwish", {})] * (g.opset >= 14) + [("Mish", {})] * (g.opset >= 18)
    forms += [("Gelu", dict(approximate=m)) for m in ("none", "tanh")] * (g.opset >= 20)
    name, attributes = g.choose(forms)
    if name == "Celu" and x.kind != FLOAT:
        raise Reject("Celu is of f32 only")
    g.op(name, x, **attributes)


@maker(8)
def binary(g: Graph) -> None:
    """Arithmetic on two floats."""
    x = g.floats()
    name, y = g.choose(("Add", "Sub", "Mul", "Div", "Max", "Min", "Add", "Mul")), partner(g, x)
    pair = (x, y) if g.chance(0.7) else (y, x)
    if name == "Div" and any(np.abs(a).min(initial=1.0) < 1e-2 for a in pair[1].arrays):
        raise Reject("a divisor is next to zero")
    g.op(name, *pair)


@maker(1)
def power(g: Graph) -> None:
    """A power with a constant exponent, or of positive numbers."""
    x = g.floats()
    if g.chance(0.6):
        g.op("Pow", x, g.scalar(g.choose((2.0, 3.0, 0.5, -1.0, 2.0, 1.5)), x.kind))
    else:
        g.op("Pow", g.op("Abs", x), partner(g, x))


@maker(2)
def integers(g: Graph) -> None:
    """Arithmetic on integers."""
    x = g.pick(is_integer)
    y, signed = partner(g, x), np.iinfo(x.arrays[0].dtype).min < 0
    names = ["Add", "Sub", "Mul", "Max", "Min", "Div", "Mod"]
    names += ["BitwiseAnd", "BitwiseOr", "BitwiseXor"] * (g.opset >= 18)
    name = g.choose(names)
    if name in ("Max", "Min") and x.arrays[0].dtype.itemsize < 4 and g.opset < 12:
        raise Reject("not of narrow integers")
    if name in ("Div", "Mod"):
        if any((a == 0).any() for a in y.arrays):
            raise Reject("division by zero")
        if name == "Div" and signed and any((a < 0).any() for v in (x, y) for a in v.arrays):
            # Implementations differ in where quotients of negative numbers are rounded to.
            raise Reject("a quotient of negative numbers")
    if name in ("Sub", "Mul") and any(np.abs(a.astype(float)).max(initial=0) > 1000 for a in x.arrays):
        raise Reject("may overflow")
    g.op(name, x, y)


@maker(1)
def remainder(g: Graph) -> None:
    """The remainder of floats."""
    x = g.floats()
    g.op("Mod", x, g.scalar(g.choose((0.75, 1.5, 3.0)), x.kind), fmod=1)


@maker(3)
def comparison(g: Graph) -> None:
    """A comparison, whose result is often used to choose."""
    x = g.pick(lambda v: v.kind in (FLOAT, DOUBLE, FLOAT16, INT32, INT64))
    y = partner(g, x)
    name = g.choose(("Less", "Greater", "Equal", "LessOrEqual", "GreaterOrEqual"))
    if name.endswith("OrEqual") and g.opset < 16 and x.kind not in (FLOAT, DOUBLE, INT32, INT64):
        raise Reject("not of this type")
    condition = g.op(name, x, y)
    if g.chance(0.6):
        g.op("Where", condition, *((x, y) if g.chance(0.5) else (y, x)))


@maker(1)
def logic(g: Graph) -> None:
    """Arithmetic on booleans."""
    x = g.pick(lambda v: v.kind == BOOL)
    if g.chance(0.3):
        g.op("Not", x)
    else:
        g.op(g.choose(("And", "Or", "Xor")), x, partner(g, x))


@maker(1)
def where(g: Graph) -> None:
    """A choice between a value and another, or a constant, by any condition that broadcasts."""
    x = g.pick()
    dims = [d[0] if len(set(d)) == 1 else 1 for d in x.dims]
    condition = g.param(g.draw([d if g.chance(0.6) else 1 for d in dims], BOOL), BOOL)
    y = g.scalar(g.integer(0, 1) if x.kind == BOOL else g.integer(-3 if is_float(x.kind) else 0, 3), x.kind)
    g.op("Where", condition, *((x, y) if g.chance(0.5) else (y, x)))


@maker(2)
def clip(g: Graph) -> None:
    """Bounds on either side."""
    x = g.floats()
    low = g.scalar(float(g.rng.uniform(-1.5, 0)), x.kind) if g.chance(0.8) else None
    high = g.scalar(float(g.rng.uniform(0, 1.5)), x.kind) if g.chance(0.8) else None
    g.op("Clip", *([x, low, high] if high else [x, low] if low else [x]))


@maker(3)
def cast(g: Graph) -> None:
    """A conversion between any two types that holds the values."""
    x = g.pick()
    wide = [FLOAT, DOUBLE, FLOAT16, INT32, INT64, BOOL, TensorProto.INT8, TensorProto.UINT8]
    to = g.choose([k for k in wide if k != x.kind] + [g.kind] * 3)
    if not is_float(to) and to != BOOL:
        limits = np.iinfo({INT32: np.int32, INT64: np.int64, TensorProto.INT8: np.int8}.get(to, np.uint8))
        for a in x.arrays:
            if a.size and (a.min() <= limits.min - 1 or a.max() >= limits.max + 1):
                raise Reject("does not fit the type")
    g.op("Cast", x, to=to)


@maker(1)
def slope(g: Graph) -> None:
    """A slope for negative elements, for each channel."""
    x = g.floats(2)
    shape = [x.size(1)] + [1] * (x.rank - 2)
    g.op("PRelu", x, g.param(g.draw(shape, x.kind), x.kind))


@maker(1)
def variadic(g: Graph) -> None:
    """A sum, mean or extreme of several."""
    x = g.floats()
    others = [partner(g, x) for _ in range(g.integer(1, 2))]
    g.op(g.choose(("Sum", "Mean", "Max", "Min")), x, *others)
