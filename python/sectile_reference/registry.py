# This file is part of the Sectile project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The table of operators and what an operator's function sees of its node."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable, Dict, List, Optional, Union

import numpy as np
import onnx

from .tensors import FLOAT, Tensor, is_float

if TYPE_CHECKING:
    from .evaluator import Evaluator

Result = Union[np.ndarray, Tensor]
Function = Callable[..., Any]

OPERATORS: Dict[str, Function] = {}
"""Functions by operator name, called as `f(call, *inputs)` with None for absent inputs.

They return an array, a `Tensor` (where the element type is not that of the first float input) or a
tuple of these.
"""


def operator(*names: str) -> Callable[[Function], Function]:
    """Registers a function for the named operators."""

    def register(function: Function) -> Function:
        for name in names:
            OPERATORS[name] = function
        return function

    return register


class Call:
    """One execution of a node: its attributes, opset and input types."""

    def __init__(
        self,
        node: onnx.NodeProto,
        attributes: Dict[str, Any],
        opset: int,
        kinds: List[Optional[int]],
        evaluator: "Evaluator",
        scope: Any,
    ) -> None:
        self.op = node.op_type
        self.name = node.name
        self.attributes = attributes
        self.opset = opset
        self.kinds = kinds
        self.outputs = len(node.output)
        self.evaluator = evaluator
        self.scope = scope

    def get(self, name: str, default: Any = None) -> Any:
        """An attribute's value, or `default`."""
        return self.attributes.get(name, default)

    def floats(self, values: Any, kind: int = FLOAT) -> Tensor:
        """Values of element type `kind`, in the type that the mode computes in."""
        return Tensor(np.asarray(values, self.evaluator.compute_type(kind)), kind)

    def result_kind(self) -> int:
        """The element type of a float result: that of the first float input."""
        return next((k for k in self.kinds if k is not None and is_float(k)), FLOAT)


def as_ints(values: Optional[np.ndarray]) -> Optional[List[int]]:
    """An integer tensor or attribute as a list, None if absent."""
    return None if values is None else [int(v) for v in np.asarray(values).ravel()]
