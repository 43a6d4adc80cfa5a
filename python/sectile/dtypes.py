# This file is part of the Sectile project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Element types: the library's numbers, their names, and what numpy and DLPack call them."""

from __future__ import annotations

from typing import Any, Dict, NamedTuple, Optional, Tuple

import numpy as np
import numpy.typing as npt

from .errors import SectileError

Array = npt.NDArray[Any]


class DType(NamedTuple):
    """One element type."""

    name: str  # as in `sectile inspect`
    numpy: Optional[str]  # None where numpy alone has no such type
    ml_dtypes: Optional[str]  # its name where ml_dtypes is installed
    dlpack: Tuple[int, int]  # code and bits
    size: int


# enum sectile_dtype in sectile.h.
DTYPES: Dict[int, DType] = {
    1: DType("f32", "float32", None, (2, 32), 4),
    2: DType("f64", "float64", None, (2, 64), 8),
    3: DType("f16", "float16", None, (2, 16), 2),
    4: DType("bf16", None, "bfloat16", (4, 16), 2),
    5: DType("i8", "int8", None, (0, 8), 1),
    6: DType("i16", "int16", None, (0, 16), 2),
    7: DType("i32", "int32", None, (0, 32), 4),
    8: DType("i64", "int64", None, (0, 64), 8),
    9: DType("u8", "uint8", None, (1, 8), 1),
    10: DType("u16", "uint16", None, (1, 16), 2),
    11: DType("u32", "uint32", None, (1, 32), 4),
    12: DType("u64", "uint64", None, (1, 64), 8),
    13: DType("bool", "bool", None, (6, 8), 1),
    14: DType("f8E4M3FN", None, "float8_e4m3fn", (10, 8), 1),
    15: DType("f8E4M3FNUZ", None, "float8_e4m3fnuz", (11, 8), 1),
    16: DType("f8E5M2", None, "float8_e5m2", (12, 8), 1),
    17: DType("f8E5M2FNUZ", None, "float8_e5m2fnuz", (13, 8), 1),
}
_BFLOAT16 = 4
_BY_NUMPY = {np.dtype(t.numpy): code for code, t in DTYPES.items() if t.numpy}
_BY_NAME = {t.ml_dtypes: code for code, t in DTYPES.items() if t.ml_dtypes}
BY_DLPACK = {t.dlpack: code for code, t in DTYPES.items()}
# Exponent bits, bias, and whether the type is without negative zero and infinities.
_SMALL_FLOATS = {14: (4, 7, False), 15: (4, 8, True), 16: (5, 15, False), 17: (5, 16, True)}


def dtype_code(dtype: np.dtype[Any]) -> int:
    """The library's number for numpy's element type."""
    code = _BY_NUMPY.get(dtype)
    if code is None and dtype.isnative:
        code = _BY_NAME.get(dtype.name)
    if code is None:
        order = "" if dtype.isnative else ", bytes swapped"
        raise SectileError(f"no element type for {dtype.name}{order}")
    return code


def storage_dtype(code: int) -> np.dtype[Any]:
    """numpy's type for elements with this number, or, where there is none, for their bits."""
    dtype = DTYPES[code]
    return np.dtype(dtype.numpy or f"u{dtype.size}")


def widen(code: int, array: Array) -> Array:
    """The values of narrow floats' bits as float32; other types as they are."""
    if code == _BFLOAT16:
        return (array.astype(np.uint32) << 16).view(np.float32)
    if code not in _SMALL_FLOATS:
        return array
    exponent_bits, bias, is_fnuz = _SMALL_FLOATS[code]
    mantissa_bits = 7 - exponent_bits
    codes = np.arange(256)
    exponent, mantissa = (
        (codes >> mantissa_bits) & (2**exponent_bits - 1),
        codes & (2**mantissa_bits - 1),
    )
    value = np.ldexp(
        mantissa + np.where(exponent > 0, 2.0**mantissa_bits, 0),
        np.maximum(exponent, 1) - bias - mantissa_bits,
    )
    if is_fnuz:
        value[0x80] = np.nan
    elif exponent_bits == 5:
        value[exponent == 31] = np.where(mantissa[exponent == 31] == 0, np.inf, np.nan)
    else:
        value[codes & 0x7F == 0x7F] = np.nan
    signed = np.where(codes & 0x80, -value, value).astype(np.float32)
    return np.asarray(signed[array])
