# This file is part of the Sectile project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Grows a random graph beside the values that it computes.

A graph has one or more sets of inputs (`instances`). Each value is known in all of them, so that what
an operator needs of shapes and types is checked on the values themselves, and a node whose results are
not finite, too large or too many is taken back. With two instances, sizes that differ between them
are symbols.
"""

from __future__ import annotations

import dataclasses
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from sectile_reference.evaluator import EXACT, Evaluator, Scope, UnsupportedError
from sectile_reference.tensors import (
    DOUBLE, FLOAT, FLOAT16, INTEGERS, Tensor, is_float, round_to,
)  # fmt: skip

INT32, INT64, BOOL = TensorProto.INT32, TensorProto.INT64, TensorProto.BOOL

SIZES = (1, 2, 3, 4, 5, 7, 8, 9, 13, 15, 16, 17, 24, 31, 32, 33, 40, 48, 63, 64, 65, 96, 100, 130)
"""Extents of inputs: around the widths of registers and tiles."""

MOST_ELEMENTS = 20000
MOST_WORK = 4_000_000
LARGEST = {FLOAT16: 2000.0, FLOAT: 1e6, DOUBLE: 1e6}
"""Magnitudes beyond which a node is taken back: what follows would overflow or lose all digits."""

NUMPY = {FLOAT: np.float32, DOUBLE: np.float64, FLOAT16: np.float16, **INTEGERS}


class Reject(Exception):
    """The node that was tried does not fit the values at hand."""


@dataclasses.dataclass
class Value:
    """A tensor of the graph: its name, element type, and elements in each instance."""

    name: str
    kind: int
    arrays: List[np.ndarray]
    constant: bool = False

    @property
    def rank(self) -> int:
        """Number of dimensions."""
        return self.arrays[0].ndim

    @property
    def dims(self) -> List[Tuple[int, ...]]:
        """The extents, each in all instances."""
        return list(zip(*(a.shape for a in self.arrays))) if self.rank else []

    def size(self, axis: int) -> int:
        """The extent along `axis`; rejects one that differs between instances."""
        sizes = set(self.dims[axis])
        if len(sizes) != 1:
            raise Reject("the extent is a symbol")
        return sizes.pop()

    @property
    def static(self) -> bool:
        """Whether all instances have the same shape."""
        return len({a.shape for a in self.arrays}) == 1


class Graph:
    """A graph that grows; makers add to it through `op`, `param` and `pick`."""

    def __init__(self, seed: int, opset: int = 17, dynamic: bool = False, kind: int = FLOAT) -> None:
        self.rng = np.random.default_rng(seed)
        self.opset, self.kind = opset, kind
        self.instances = 2 if dynamic else 1
        self.symbols: Dict[Tuple[int, ...], str] = {}
        self.nodes: List[onnx.NodeProto] = []
        self.inputs: List[Value] = []
        self.constants: List[onnx.TensorProto] = []
        self.values: List[Value] = []
        empty = helper.make_model(
            helper.make_graph([], "empty", [], []), opset_imports=[helper.make_opsetid("", opset)]
        )
        self.evaluators = [Evaluator(empty, EXACT) for _ in range(self.instances)]
        self.scopes = [Scope() for _ in range(self.instances)]
        self.count = 0
        self.work = 0

    # Choices ------------------------------------------------------------------

    def chance(self, probability: float) -> bool:
        """True with that probability."""
        return bool(self.rng.random() < probability)

    def integer(self, low: int, high: int) -> int:
        """A number in [low, high]."""
        return int(self.rng.integers(low, high + 1))

    def choose(self, options: Sequence[Any]) -> Any:
        """One of several; rejects if there is none."""
        if not options:
            raise Reject("nothing to choose from")
        return options[int(self.rng.integers(len(options)))]

    def pick(self, accepts: Callable[[Value], bool] = lambda v: True) -> Value:
        """A value, newer ones preferred."""
        fitting = [v for v in self.values if accepts(v)]
        if not fitting:
            raise Reject("no value fits")
        back = min(int(self.rng.exponential(len(fitting) / 3 + 1)), len(fitting) - 1)
        return fitting[len(fitting) - 1 - back]

    def floats(self, rank: int = 0) -> Value:
        """A float value of at least this rank."""
        return self.pick(lambda v: is_float(v.kind) and v.rank >= rank)

    # Values ---------------------------------------------------------------------

    def draw(self, shape: Sequence[int], kind: int, low: float = -2, high: float = 2) -> np.ndarray:
        """Random elements, in [low, high], as the type rounds them."""
        if kind == BOOL:
            return self.rng.random(shape) < 0.5
        if not is_float(kind):
            low = max(low, 0) if np.iinfo(NUMPY[kind]).min == 0 else low
            return self.rng.integers(int(low), int(high) + 1, shape).astype(NUMPY[kind])
        return round_to(self.rng.uniform(low, high, shape), kind)

    def _name(self, stem: str) -> str:
        self.count += 1
        return f"{stem}_{self.count}"

    def _keep(self, value: Value) -> Value:
        for scope, array in zip(self.scopes, value.arrays):
            scope.values[value.name] = Tensor(array, value.kind)
        return value

    def input(self, kind: int, rank: int) -> Value:
        """Adds an input with random extents."""
        dims, total = [], 1
        for _ in range(rank):
            if self.instances > 1 and self.chance(0.5):
                if self.symbols and self.chance(0.6):
                    dim = self.choose(list(self.symbols))
                else:
                    sizes = self.rng.choice(SIZES, self.instances, replace=False)
                    dim = tuple(int(s) for s in sizes)
            else:
                earlier = [d for v in self.values for d in v.dims if len(set(d)) == 1]
                if earlier and self.chance(0.4):
                    dim = self.choose(earlier)
                else:
                    dim = (int(self.choose(SIZES)),) * self.instances
            if total * max(dim) > MOST_ELEMENTS // 2:
                dim = (int(self.integer(1, 3)),) * self.instances
            if len(set(dim)) > 1:
                self.symbols.setdefault(dim, f"n{len(self.symbols)}")
            total *= max(dim)
            dims.append(dim)
        arrays = [self.draw([d[i] for d in dims], kind) for i in range(self.instances)]
        value = Value(self._name("in"), kind, arrays)
        self.inputs.append(value)
        self.values.append(value)
        return self._keep(value)

    def param(self, array: np.ndarray, kind: int, held: float = 0.7) -> Value:
        """A weight: held by the model with probability `held`, otherwise an input."""
        if self.chance(held):
            name = self._name("weight")
            proto = numpy_helper.from_array(np.ascontiguousarray(array).astype(NUMPY[kind]), name)
            proto.dims[:] = array.shape
            self.constants.append(proto)
            return self._keep(Value(name, kind, [array] * self.instances, constant=True))
        value = Value(self._name("in"), kind, [array] * self.instances)
        self.inputs.append(value)
        return self._keep(value)

    def ints(self, *numbers: int, kind: int = INT64) -> Value:
        """A vector of integers that the model holds."""
        return self.param(np.array(numbers, NUMPY[kind]), kind, held=1.0)

    def scalar(self, number: float, kind: int) -> Value:
        """A scalar that the model holds."""
        array = np.asarray(number, np.float64 if is_float(kind) else NUMPY[kind])
        return self.param(round_to(array, kind) if is_float(kind) else array, kind, held=1.0)

    # Nodes ----------------------------------------------------------------------

    def op(
        self, kind: str, *inputs: Optional[Value], outputs: int = 1, largest: float = 0, **attributes: Any
    ) -> Any:  # fmt: skip
        """Adds a node and computes it; a list of values if `outputs` is not 1, None for unused ones."""
        name = self._name(kind)
        results = [f"{name}_out{i}" if i else f"{name}_out" for i in range(outputs)]
        node = helper.make_node(
            kind, [v.name if v else "" for v in inputs], results, name=name, **attributes
        )
        arrays: List[List[np.ndarray]] = [[] for _ in results]
        kinds: List[int] = []
        for evaluator, scope in zip(self.evaluators, self.scopes):
            try:
                evaluator.run_node(node, scope)
            except (UnsupportedError, KeyError, AttributeError, TypeError) as error:
                raise AssertionError(f"{kind}: the reference failed: {error!r}") from error
            except (ValueError, IndexError) as error:
                raise Reject(f"{kind}: {error}") from error
            tensors = [scope.values[result] for result in results]
            kinds = [t.kind for t in tensors]
            for place, tensor in zip(arrays, tensors):
                self._check(tensor, largest)
                place.append(tensor.array)
        self.nodes.append(node)
        values = [Value(r, k, a) for r, k, a in zip(results, kinds, arrays)]
        for value in values:
            if any(v is not None and not v.constant for v in inputs) or not inputs:
                self.values.append(value)
            else:
                value.constant = True
        self.work += sum(a.size for v in inputs if v for a in v.arrays)
        if self.work > MOST_WORK:
            raise Reject("the graph is large enough")
        return values if outputs != 1 else values[0]

    def _check(self, tensor: Tensor, largest: float) -> None:
        array = tensor.array
        if array.size > MOST_ELEMENTS or array.ndim > 6:
            raise Reject("too large")
        if is_float(tensor.kind):
            limit = largest or LARGEST.get(tensor.kind, 1e4)
            if not np.isfinite(array).all() or np.abs(array).max(initial=0.0) > limit:
                raise Reject("not finite, or too large")

    def attempt(self, maker: Callable[["Graph"], Any]) -> bool:
        """Lets a maker add nodes; takes all of them back if it rejects."""
        saved = (len(self.nodes), len(self.inputs), len(self.constants), list(self.values), self.work)
        try:
            maker(self)
            return True
        except Reject:
            self.nodes[saved[0] :], self.inputs[saved[1] :] = [], []
            self.constants[saved[2] :], self.values, self.work = [], saved[3], saved[4]
            return False

    # Result ---------------------------------------------------------------------

    def declare(self, value: Value) -> onnx.ValueInfoProto:
        """A value's type and shape as a model states them."""
        shape = [d[0] if len(set(d)) == 1 else self.symbols.get(d) for d in value.dims]
        return helper.make_tensor_value_info(value.name, value.kind, shape)

    def model(self, kept: float = 0.15) -> onnx.ModelProto:
        """The graph as a model: its outputs are all unread values and a share `kept` of the others."""
        read = {name for node in self.nodes for name in node.input}
        made = {name for node in self.nodes for name in node.output}
        outputs = [
            v
            for v in self.values
            if v.name in made and (v.name not in read or self.chance(kept)) and v.kind in NUMPY
        ]
        used = [v for v in self.inputs if v.name in read]
        graph = helper.make_graph(
            self.nodes, "fuzz", [self.declare(v) for v in used], [self.declare(v) for v in outputs],
            [c for c in self.constants if c.name in read],
        )  # fmt: skip
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)])
        model.ir_version = 8
        return model

    def feeds(self, instance: int) -> Dict[str, np.ndarray]:
        """The inputs of one instance in their own types."""
        read = {name for node in self.nodes for name in node.input}
        return {
            v.name: v.arrays[instance].astype(NUMPY[v.kind]) for v in self.inputs if v.name in read
        }
