# This file is part of the Sectile project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Tensors: element types, decoding of TensorProto, rounding to a format."""

from __future__ import annotations

import dataclasses
from typing import Dict, NamedTuple

import numpy as np
from onnx import TensorProto

FLOAT, DOUBLE = TensorProto.FLOAT, TensorProto.DOUBLE
FLOAT16, BFLOAT16 = TensorProto.FLOAT16, TensorProto.BFLOAT16


class FloatFormat(NamedTuple):
    """A binary floating-point format."""

    precision: int
    """Significant bits, the implicit one included."""
    least: int
    """Exponent of the smallest normal number, as a power of two."""
    largest: float
    """The largest finite value."""


FORMATS: Dict[int, FloatFormat] = {
    FLOAT: FloatFormat(24, -126, float(np.finfo(np.float32).max)),
    DOUBLE: FloatFormat(53, -1022, float(np.finfo(np.float64).max)),
    FLOAT16: FloatFormat(11, -14, 65504.0),
    BFLOAT16: FloatFormat(8, -126, 3.3895313892515355e38),
}

INTEGERS: Dict[int, type] = {
    TensorProto.UINT8: np.uint8, TensorProto.INT8: np.int8,
    TensorProto.UINT16: np.uint16, TensorProto.INT16: np.int16,
    TensorProto.UINT32: np.uint32, TensorProto.INT32: np.int32,
    TensorProto.UINT64: np.uint64, TensorProto.INT64: np.int64,
    TensorProto.BOOL: np.bool_,
}  # fmt: skip

_TYPE_OF = {np.dtype(dtype): kind for kind, dtype in INTEGERS.items()}


@dataclasses.dataclass
class Tensor:
    """Values and the element type they stand for.

    Integers and booleans are held in their own type. Floats are held in the type that the
    evaluator's mode computes in, which may be wider than `kind`.
    """

    array: np.ndarray
    kind: int


def is_float(kind: int) -> bool:
    """Whether `kind` is a floating-point element type."""
    return kind in FORMATS


def type_of(array: np.ndarray) -> int:
    """The element type of an integer or boolean array."""
    if array.dtype not in _TYPE_OF:
        raise TypeError(f"no integer element type for {array.dtype}")
    return _TYPE_OF[array.dtype]


def round_to(array: np.ndarray, kind: int) -> np.ndarray:
    """Rounds float64 values to the nearest value of the format, ties to even; still float64."""
    form = FORMATS[kind]
    if kind == DOUBLE:
        return array
    if kind == FLOAT:
        with np.errstate(over="ignore"):
            return array.astype(np.float32).astype(np.float64)
    _, exponent = np.frexp(array)
    quantum = np.ldexp(1.0, np.maximum(exponent - 1, form.least) - (form.precision - 1))
    with np.errstate(invalid="ignore"):
        rounded = np.where(np.isfinite(array), np.rint(array / quantum) * quantum, array)
    return np.where(np.abs(rounded) > form.largest, np.copysign(np.inf, array), rounded)


def _bfloat16(bits: np.ndarray) -> np.ndarray:
    return (bits.astype(np.uint32) << 16).view(np.float32)


def decode(proto: TensorProto) -> Tensor:
    """The values of a TensorProto, each float in a type that holds it exactly."""
    shape, kind = tuple(proto.dims), proto.data_type
    if kind not in FORMATS and kind not in INTEGERS:
        raise TypeError(f"tensor '{proto.name}': element type {kind} is not supported")
    little = {FLOAT: "<f4", DOUBLE: "<f8", FLOAT16: "<f2", BFLOAT16: "<u2"}
    dtype = np.dtype(little[kind]) if kind in little else np.dtype(INTEGERS[kind])
    if proto.HasField("raw_data"):
        array = np.frombuffer(proto.raw_data, dtype)
    elif kind in (FLOAT16, BFLOAT16):
        array = np.array(proto.int32_data, np.uint16).view(dtype)
    elif kind == FLOAT:
        array = np.array(proto.float_data, dtype)
    elif kind == DOUBLE:
        array = np.array(proto.double_data, dtype)
    elif kind == TensorProto.INT64:
        array = np.array(proto.int64_data, dtype)
    elif kind in (TensorProto.UINT32, TensorProto.UINT64):
        array = np.array(proto.uint64_data, dtype)
    else:
        array = np.array(proto.int32_data, np.int32).astype(dtype)
    if kind == BFLOAT16:
        array = _bfloat16(array)
    return Tensor(array.reshape(shape), kind)


def encode(tensor: Tensor) -> np.ndarray:
    """The values in the numpy type nearest to the element type (bfloat16 as float32)."""
    dtypes = {FLOAT: np.float32, DOUBLE: np.float64, FLOAT16: np.float16, BFLOAT16: np.float32}
    if tensor.kind not in dtypes:
        return tensor.array
    with np.errstate(over="ignore"):
        values = round_to(tensor.array.astype(np.float64), tensor.kind)
        return values.astype(dtypes[tensor.kind])
