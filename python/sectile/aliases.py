# This file is part of the Sectile project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Inputs whose buffer an output lives in, such as K/V caches that grow in place."""

from __future__ import annotations

from typing import Any, Tuple

import numpy as np

from .dtypes import Array, dtype_code, storage_dtype
from .errors import RunError
from .tensors import Argument


def _strides(shape: Tuple[int, ...], dim: int, capacity: int, size: int) -> Tuple[int, ...]:
    """Strides in bytes of a row-major buffer for `capacity` elements along `dim`."""
    strides = []
    step = size
    for d in reversed(range(len(shape))):
        strides.append(step)
        step *= capacity if d == dim and capacity >= 0 else shape[d]
    return tuple(reversed(strides))


def bind_alias(name: str, value: Any, dim: int, capacity: int) -> Argument:
    """Input `name`, of which `value` is the part in use: a writable view `buffer[..., :size, ...]` of an
    array that is contiguous and has `capacity` elements along `dim`. It is never copied."""
    what = f"input '{name}', which an output shares the buffer of"
    if not isinstance(value, np.ndarray) or not value.flags.writeable:
        raise RunError(f"{what}: expects a writable numpy array, but got {type(value).__name__}")
    code = dtype_code(value.dtype)
    strides = _strides(value.shape, dim, capacity, value.itemsize)
    for d, (extent, stride) in enumerate(zip(value.shape, strides)):
        if extent > 1 and value.strides[d] != stride:
            raise RunError(
                f"{what}: expects a view of an array for {capacity} elements along dimension {dim}, with "
                f"strides {strides}, but got {value.strides}"
            )
    whole = value.itemsize * int(np.prod(value.shape[:dim], dtype=np.int64))
    whole *= capacity if capacity >= 0 else value.shape[dim]
    whole *= int(np.prod(value.shape[dim + 1 :], dtype=np.int64))
    owner: Array = value
    while isinstance(owner.base, np.ndarray):
        owner = owner.base
    begin = owner.ctypes.data
    if not owner.flags.c_contiguous or value.ctypes.data + whole > begin + owner.nbytes:
        raise RunError(
            f"{what}: expects {whole} bytes, for {capacity} elements along dimension {dim}, but its array "
            f"has {begin + owner.nbytes - value.ctypes.data} from there on"
        )
    return Argument(value.ctypes.data, whole, code, value.shape, owner)


def view_alias(argument: Argument, shape: Tuple[int, ...], dim: int, capacity: int) -> Array:
    """The output in the buffer of an input that `bind_alias` returned."""
    dtype = storage_dtype(argument.dtype)
    owner: Any = argument.owner
    strides = _strides(shape, dim, capacity, dtype.itemsize)
    offset = argument.address - owner.ctypes.data
    flat = owner.reshape(-1).view(np.uint8)
    return np.ndarray(shape, dtype, flat, offset, strides)
