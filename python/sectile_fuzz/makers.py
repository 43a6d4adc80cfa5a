# This file is part of the Sectile project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The table of makers: functions that add one node, or a small pattern, to a random graph."""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Tuple

import numpy as np

from sectile_reference.tensors import is_float

from .growth import Graph, Value

Maker = Callable[[Graph], Any]

MAKERS: Dict[str, Tuple[float, int, Maker]] = {}
"""Makers by name, with their weight and the opset that first has what they use."""


def maker(weight: float = 1.0, since: int = 1) -> Callable[[Maker], Maker]:
    """Registers a maker."""

    def register(function: Maker) -> Maker:
        MAKERS[function.__name__] = (weight, since, function)
        return function

    return register


def is_integer(value: Value) -> bool:
    """Whether a value holds integers, booleans apart."""
    return not is_float(value.kind) and value.arrays[0].dtype != np.bool_


def axis_of(g: Graph, value: Value, last: bool = False) -> int:
    """A dimension, counted from either end; the last one mostly if `last`."""
    axis = value.rank - 1 if last and g.chance(0.6) else g.integer(0, value.rank - 1)
    return axis - value.rank if g.chance(0.5) else axis


def some_axes(g: Graph, value: Value) -> List[int]:
    """A set of dimensions that is not empty."""
    count = g.integer(1, value.rank)
    axes = g.rng.permutation(value.rank)[:count]
    return [int(a) - (value.rank if g.chance(0.3) else 0) for a in axes]


def partner(g: Graph, value: Value) -> Value:
    """A second operand for an elementwise operator: another value of the type, or a new weight."""
    if g.chance(0.5):

        def fits(other: Value) -> bool:
            if other.kind != value.kind:
                return False
            pairs = zip(reversed(other.dims), reversed(value.dims))
            return all(a == b or set(a) == {1} or set(b) == {1} for a, b in pairs)

        return g.pick(fits)
    dims = [d[0] if len(set(d)) == 1 else 1 for d in value.dims]
    shape = [d if g.chance(0.6) else 1 for d in dims[g.integer(0, value.rank) if dims else 0 :]]
    return g.param(g.draw(shape, value.kind), value.kind)
