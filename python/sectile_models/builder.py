# This file is part of the Sectile project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A small builder of ONNX graphs that hides what differs between opsets."""

from __future__ import annotations

from typing import List, Optional, Sequence, Union

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

Dim = Union[int, str]
"""A static size, or (in a shape of an input) a symbol, or (in a computed shape) a value's name."""


class GraphBuilder:
    """Collects the nodes of one graph; values are named by strings.

    >>> g = GraphBuilder("tiny")
    >>> x = g.input("x", [2, 3])
    >>> g.output(g.op("Relu", x), "y", [2, 3])
    >>> len(g.model().graph.node)
    1
    """

    def __init__(self, name: str, opset: int = 17, seed: int = 0) -> None:
        self.name = name
        self.opset = opset
        self.rng = np.random.Generator(np.random.PCG64(seed))
        self._nodes: List[onnx.NodeProto] = []
        self._initializers: List[onnx.TensorProto] = []
        self._inputs: List[onnx.ValueInfoProto] = []
        self._outputs: List[onnx.ValueInfoProto] = []
        self._scope: List[str] = []
        self._counts: dict = {}

    # Naming -----------------------------------------------------------------

    def scope(self, name: str) -> "_Scope":
        """A `with` scope that prefixes node and parameter names, as module paths do."""
        return _Scope(self._scope, name)

    def _fresh(self, stem: str) -> str:
        path = "/".join([""] + self._scope + [stem])
        count = self._counts.get(path, 0)
        self._counts[path] = count + 1
        return path if count == 0 else f"{path}_{count}"

    # Interface --------------------------------------------------------------

    def input(self, name: str, shape: Sequence[Dim], dtype: int = TensorProto.FLOAT) -> str:
        """Adds a graph input; strings in `shape` are symbols."""
        self._inputs.append(helper.make_tensor_value_info(name, dtype, list(shape)))
        return name

    def output(
        self, value: str, name: str, shape: Sequence[Dim], dtype: int = TensorProto.FLOAT
    ) -> None:
        """Makes `value` a graph output called `name`, renaming it at its producer."""
        for node in self._nodes:
            for names in (node.input, node.output):
                for i, old in enumerate(names):
                    if old == value:
                        names[i] = name
        self._outputs.append(helper.make_tensor_value_info(name, dtype, list(shape)))

    # Values -----------------------------------------------------------------

    def param(self, array: np.ndarray, stem: str = "weight") -> str:
        """Adds an initialiser."""
        name = self._fresh(stem).lstrip("/").replace("/", ".")
        self._initializers.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def const(self, value: object, dtype: type = np.float32) -> str:
        """Adds a Constant node, the form exporters give to literals."""
        array = np.asarray(value, dtype)
        return self.op("Constant", value=numpy_helper.from_array(array))

    def ints(self, *values: int) -> str:
        """A one-dimensional int64 constant."""
        return self.const(list(values), np.int64)

    def normal(self, *shape: int, scale: float = 1.0, mean: float = 0.0) -> np.ndarray:
        """Seeded normal float32 values."""
        values = self.rng.standard_normal(shape, dtype=np.float32)
        return values * np.float32(scale) + np.float32(mean)

    def uniform(self, *shape: int, low: float, high: float) -> np.ndarray:
        """Seeded uniform float32 values."""
        values = self.rng.random(shape, dtype=np.float32)
        return values * np.float32(high - low) + np.float32(low)

    def op(self, kind: str, *inputs: str, outputs: int = 1, **attributes: object):
        """Adds a node; returns its output name, or a list of names if `outputs` is not 1."""
        name = self._fresh(kind)
        results = [f"{name}_output_{i}" for i in range(outputs)]
        self._nodes.append(helper.make_node(kind, list(inputs), results, name=name, **attributes))
        return results[0] if outputs == 1 else results

    # Operators whose form depends on the opset --------------------------------

    def unsqueeze(self, x: str, *axes: int) -> str:
        """Inserts dimensions of size 1."""
        if self.opset >= 13:
            return self.op("Unsqueeze", x, self.ints(*axes))
        return self.op("Unsqueeze", x, axes=list(axes))

    def squeeze(self, x: str, *axes: int) -> str:
        """Removes dimensions of size 1."""
        if self.opset >= 13:
            return self.op("Squeeze", x, self.ints(*axes))
        return self.op("Squeeze", x, axes=list(axes))

    def split(self, x: str, sizes: Sequence[int], axis: int) -> List[str]:
        """Splits along `axis` into pieces of the given sizes."""
        if self.opset >= 13:
            return self.op("Split", x, self.ints(*sizes), outputs=len(sizes), axis=axis)
        return self.op("Split", x, outputs=len(sizes), axis=axis, split=list(sizes))

    def reduce_mean(self, x: str, axis: int) -> str:
        """Mean along `axis`, kept as size 1."""
        if self.opset >= 18:
            return self.op("ReduceMean", x, self.ints(axis), keepdims=1)
        return self.op("ReduceMean", x, axes=[axis], keepdims=1)

    def slice(self, x: str, axis: int, start: Dim, end: Dim) -> str:
        """`x[start:end]` along `axis`; bounds are integers or scalar int64 values."""
        bounds = [
            self.ints(b) if isinstance(b, int) else self.unsqueeze(b, 0) for b in (start, end)
        ]
        return self.op("Slice", x, bounds[0], bounds[1], self.ints(axis), self.ints(1))

    def layer_norm(self, x: str, scale: str, bias: str, epsilon: float = 1e-5) -> str:
        """Layer normalisation over the last axis, one operator from opset 17 on."""
        if self.opset >= 17:
            return self.op("LayerNormalization", x, scale, bias, axis=-1, epsilon=epsilon)
        centred = self.op("Sub", x, self.reduce_mean(x, -1))
        variance = self.reduce_mean(self.op("Pow", centred, self.const(2.0)), -1)
        deviation = self.op("Sqrt", self.op("Add", variance, self.const(epsilon)))
        return self.op("Add", self.op("Mul", self.op("Div", centred, deviation), scale), bias)

    # Shapes -----------------------------------------------------------------

    def dim(self, x: str, axis: int, known: Dim) -> Dim:
        """Size of `x` along `axis`: `known` if it is static, else a scalar int64 value."""
        if isinstance(known, int):
            return known
        return self.op("Gather", self.op("Shape", x), self.const(axis, np.int64), axis=0)

    def shape(self, dims: Sequence[Dim]) -> str:
        """A shape tensor: one constant if all sizes are static, else Unsqueeze and Concat."""
        if all(isinstance(d, int) for d in dims):
            return self.ints(*[int(d) for d in dims])
        parts = [self.ints(d) if isinstance(d, int) else self.unsqueeze(d, 0) for d in dims]
        return self.op("Concat", *parts, axis=0)

    def reshape(self, x: str, dims: Sequence[Dim]) -> str:
        """Reshapes `x`; see `shape`."""
        return self.op("Reshape", x, self.shape(dims))

    def expand(self, x: str, dims: Sequence[Dim]) -> str:
        """Broadcasts `x` with the guard against -1 that exporters write around Expand."""
        shape = self.shape(dims)
        ones = self.op(
            "ConstantOfShape",
            self.ints(len(dims)),
            value=numpy_helper.from_array(np.array([1], np.int64)),
        )
        wildcard = self.op("Equal", shape, self.op("Mul", ones, self.const(-1, np.int64)))
        return self.op("Expand", x, self.op("Where", wildcard, ones, shape))

    # Result -----------------------------------------------------------------

    def model(self, check: bool = True) -> onnx.ModelProto:
        """The finished model, accepted by the ONNX checker where that knows the opset."""
        graph = helper.make_graph(
            self._nodes, self.name, self._inputs, self._outputs, self._initializers
        )
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", self.opset)], producer_name="sectile"
        )
        model.ir_version = 8
        if check and self.opset <= onnx.defs.onnx_opset_version():
            onnx.checker.check_model(model)
        return model


class _Scope:
    def __init__(self, stack: List[str], name: str) -> None:
        self._stack, self._name = stack, name

    def __enter__(self) -> None:
        self._stack.append(self._name)

    def __exit__(self, kind: Optional[type], *_: object) -> None:
        self._stack.pop()
