# This file is part of the Sectile project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Walks a graph and executes its nodes in order."""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, Optional

import numpy as np
import onnx
from onnx import AttributeProto

from . import control, elementwise, networks, products, reductions, shapes  # noqa: F401
from .registry import OPERATORS, Call
from .tensors import BFLOAT16, DOUBLE, FLOAT16, Tensor, decode, is_float, round_to, type_of

EXACT = "exact"
"""Floats are computed and kept in float64; only conversions round to the type they name."""

ROUNDED = "rounded"
"""Floats are computed in float64, then each result is rounded to its own type."""

NATIVE = "native"
"""Floats are computed in their own type (16-bit ones in float32, then rounded)."""


class UnsupportedError(Exception):
    """The graph holds something that this evaluator does not know."""


def _attribute(attribute: onnx.AttributeProto) -> Any:
    kind = attribute.type
    if kind == AttributeProto.FLOAT:
        return attribute.f
    if kind == AttributeProto.INT:
        return attribute.i
    if kind == AttributeProto.STRING:
        return attribute.s.decode()
    if kind == AttributeProto.TENSOR:
        return decode(attribute.t)
    if kind == AttributeProto.GRAPH:
        return attribute.g
    if kind == AttributeProto.FLOATS:
        return list(attribute.floats)
    if kind == AttributeProto.INTS:
        return list(attribute.ints)
    if kind == AttributeProto.STRINGS:
        return [s.decode() for s in attribute.strings]
    raise UnsupportedError(f"attribute '{attribute.name}' has type {kind}")


class Scope:
    """Values by name, in a graph nested in others."""

    def __init__(self, outer: Optional["Scope"] = None) -> None:
        self.values: Dict[str, Optional[Tensor]] = {}
        self.outer = outer

    def find(self, name: str) -> Optional[Tensor]:
        """The value called `name`, searched outwards."""
        if name in self.values:
            return self.values[name]
        if self.outer is None:
            raise UnsupportedError(f"no value is called '{name}'")
        return self.outer.find(name)


class Evaluator:
    """Executes one model in one mode.

    `watch` is called with each node and its results, for looking into a graph.
    """

    def __init__(self, model: onnx.ModelProto, mode: str = EXACT, watch: Any = None) -> None:
        if mode not in (EXACT, ROUNDED, NATIVE):
            raise ValueError(f"expects a mode of exact, rounded or native, but got {mode}")
        self.model, self.mode, self.watch = model, mode, watch
        self.opsets = {entry.domain: entry.version for entry in model.opset_import}
        self.functions = {(f.domain, f.name): f for f in getattr(model, "functions", [])}

    # Arithmetic -------------------------------------------------------------

    def compute_type(self, kind: int) -> type:
        """The numpy type in which floats of element type `kind` are computed."""
        return np.float64 if self.mode != NATIVE or kind == DOUBLE else np.float32

    def adopt(self, tensor: Tensor) -> Tensor:
        """A tensor as the mode keeps it: floats in the type computed in, rounded if asked."""
        if not is_float(tensor.kind):
            return tensor
        array = np.asarray(tensor.array, self.compute_type(tensor.kind))
        if self.mode == ROUNDED:
            array = round_to(array, tensor.kind)
        elif self.mode == NATIVE and tensor.kind in (FLOAT16, BFLOAT16):
            array = round_to(array.astype(np.float64), tensor.kind).astype(np.float32)
        return Tensor(array, tensor.kind)

    # Graphs -----------------------------------------------------------------

    def run(self, inputs: Mapping[str, np.ndarray]) -> Dict[str, Tensor]:
        """Executes the model's graph; returns its outputs by name, in the graph's order."""
        graph = self.model.graph
        scope = Scope()
        initialized = {proto.name for proto in graph.initializer}
        for value in graph.input:
            if value.name in inputs:
                kind = value.type.tensor_type.elem_type
                scope.values[value.name] = self.adopt(Tensor(np.asarray(inputs[value.name]), kind))
            elif value.name not in initialized:
                raise ValueError(f"input '{value.name}' is missing")
        outputs = self.run_graph(graph, scope)
        return {value.name: tensor for value, tensor in zip(graph.output, outputs)}

    def run_graph(self, graph: onnx.GraphProto, scope: Scope) -> List[Tensor]:
        """Executes `graph`, whose inputs `scope` holds; returns its outputs."""
        constants = {proto.name: proto for proto in graph.initializer}
        if len(graph.sparse_initializer):
            raise UnsupportedError("sparse initialisers are not supported")
        last: Dict[str, int] = {}
        for i, node in enumerate(graph.node):
            # A subgraph may read any value, so nothing is dropped in a graph that has one.
            nested = any(a.type == AttributeProto.GRAPH for a in node.attribute)
            for name in node.input:
                last[name] = i
            if nested:
                last = {}
                break
        keep = {value.name for value in graph.output}
        for i, node in enumerate(graph.node):
            for name in node.input:
                if name in constants and name not in scope.values:
                    scope.values[name] = self.adopt(decode(constants[name]))
            if any(a.type == AttributeProto.GRAPH for a in node.attribute):
                for name, proto in constants.items():
                    if name not in scope.values:
                        scope.values[name] = self.adopt(decode(proto))
            self.run_node(node, scope)
            for name in node.input:
                if last.get(name) == i and name not in keep:
                    scope.values.pop(name, None)
        results = []
        for value in graph.output:
            if value.name in constants and value.name not in scope.values:
                scope.values[value.name] = self.adopt(decode(constants[value.name]))
            tensor = scope.find(value.name)
            assert tensor is not None
            results.append(tensor)
        return results

    def run_node(
        self, node: onnx.NodeProto, scope: Scope, outer: Optional[Dict[str, Any]] = None
    ) -> None:
        """Executes one node in `scope`; `outer` holds the attributes of an enclosing function."""
        domain = "" if node.domain == "ai.onnx" else node.domain
        inputs = [scope.find(name) if name else None for name in node.input]
        attributes = {}
        for attribute in node.attribute:
            if attribute.ref_attr_name:
                if outer and attribute.ref_attr_name in outer:
                    attributes[attribute.name] = outer[attribute.ref_attr_name]
            else:
                attributes[attribute.name] = _attribute(attribute)
        if (node.domain, node.op_type) in self.functions:
            results = self._run_function(node, inputs, attributes)
        else:
            if domain != "" or node.op_type not in OPERATORS:
                label = node.op_type if domain == "" else f"{domain}::{node.op_type}"
                raise UnsupportedError(f"node '{node.name}': operator {label} is not known")
            kinds = [None if t is None else t.kind for t in inputs]
            opset = self.opsets.get("", self.opsets.get("ai.onnx", 1))
            call = Call(node, attributes, opset, kinds, self, scope)
            arrays = [None if t is None else t.array for t in inputs]
            with np.errstate(all="ignore"):
                raw = self.apply(call, arrays)
            results = list(raw) if isinstance(raw, (tuple, list)) else [raw]
            results = [self._finish(call, r) for r in results]
        for name, tensor in zip(node.output, results):
            if name:
                scope.values[name] = tensor
        if self.watch is not None:
            self.watch(node, results)

    def apply(self, call: Call, arrays: List[Optional[np.ndarray]]) -> Any:
        """What one operator gives for its inputs; the seam for evaluators that disturb values."""
        return OPERATORS[call.op](call, *arrays)

    def _finish(self, call: Call, result: Any) -> Optional[Tensor]:
        if result is None:
            return None
        if isinstance(result, Tensor):
            return self.adopt(Tensor(np.asarray(result.array), result.kind))
        array = np.asarray(result)
        kind = call.result_kind() if array.dtype.kind == "f" else type_of(array)
        return self.adopt(Tensor(array, kind))

    def _run_function(
        self, node: onnx.NodeProto, inputs: List[Optional[Tensor]], attributes: Dict[str, Any]
    ) -> List[Optional[Tensor]]:
        function = self.functions[(node.domain, node.op_type)]
        scope = Scope()
        for i, name in enumerate(function.input):
            scope.values[name] = inputs[i] if i < len(inputs) else None
        outer = {a.name: _attribute(a) for a in getattr(function, "attribute_proto", [])}
        outer.update(attributes)
        saved = self.opsets
        self.opsets = {entry.domain: entry.version for entry in function.opset_import} or saved
        try:
            for inner in function.node:
                self.run_node(inner, scope, outer)
        finally:
            self.opsets = saved
        return [scope.find(name) for name in function.output]


def run(
    model: onnx.ModelProto, inputs: Mapping[str, np.ndarray], mode: str = EXACT
) -> Dict[str, Tensor]:
    """Executes `model` on `inputs`; see `Evaluator`."""
    return Evaluator(model, mode).run(inputs)
