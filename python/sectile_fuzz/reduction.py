# This file is part of the Sectile project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Makes a model that shows a fault smaller while it shows the same fault."""

from __future__ import annotations

import copy
from typing import Callable, Dict, List, Optional

import numpy as np
import onnx
from onnx import helper, numpy_helper

from sectile_reference import run as evaluate
from sectile_reference.tensors import encode

from .cases import Case
from .growth import NUMPY

Test = Callable[[Case], bool]
"""Whether a case still shows the fault."""

_KINDS = {np.dtype(dtype): kind for kind, dtype in NUMPY.items()}


def _prune(case: Case) -> Case:
    """Drops nodes, inputs and weights that no output needs."""
    graph = case.model.graph
    needed = {value.name for value in graph.output}
    nodes: List[onnx.NodeProto] = []
    for node in reversed(graph.node):
        if any(name in needed for name in node.output):
            needed.update(node.input)
            nodes.insert(0, node)
    model = onnx.ModelProto()
    model.CopyFrom(case.model)
    del model.graph.node[:], model.graph.input[:], model.graph.initializer[:]
    model.graph.node.extend(nodes)
    model.graph.input.extend(v for v in graph.input if v.name in needed)
    model.graph.initializer.extend(t for t in graph.initializer if t.name in needed)
    kept = {v.name for v in model.graph.input}
    feeds = [{n: a for n, a in feed.items() if n in kept} for feed in case.feeds]
    return Case(model, feeds, case.note)


def _copy(case: Case) -> Case:
    model = onnx.ModelProto()
    model.CopyFrom(case.model)
    return Case(model, [dict(feed) for feed in case.feeds], case.note)


def _with_outputs(case: Case, names: List[str]) -> Case:
    result = _copy(case)
    kept = [v for v in case.model.graph.output if v.name in names]
    del result.model.graph.output[:]
    result.model.graph.output.extend(kept)
    return _prune(result)


def _values(case: Case) -> List[Dict[str, np.ndarray]]:
    """All values of the graph in their own types, for each set of inputs."""
    everything = _copy(case)
    del everything.model.graph.output[:]
    names = [name for node in case.model.graph.node for name in node.output if name]
    everything.model.graph.output.extend(helper.make_empty_tensor_value_info(n) for n in names)
    result = []
    for feed in case.feeds:
        tensors = evaluate(everything.model, feed)
        result.append({n: t for n, t in tensors.items() if t.kind in NUMPY})
    return result


def _cut(case: Case, node: onnx.NodeProto, values: List[Dict]) -> Optional[Case]:
    """The case with a node's results as inputs that hold what the node gave."""
    result = _copy(case)
    graph = result.model.graph
    place = next(i for i, n in enumerate(graph.node) if n.output[0] == node.output[0])
    outputs = {v.name for v in graph.output}
    del graph.node[place]
    for name in node.output:
        if not name or not any(name in n.input for n in graph.node):
            continue
        if name in outputs or any(name not in v for v in values):
            return None
        tensors = [v[name] for v in values]
        shapes = list(zip(*(t.array.shape for t in tensors))) if tensors[0].array.ndim else []
        shape = [d[0] if len(set(d)) == 1 else "d" + "_".join(map(str, d)) for d in shapes]
        graph.input.append(helper.make_tensor_value_info(name, tensors[0].kind, shape))
        for feed, tensor in zip(result.feeds, tensors):
            feed[name] = encode(tensor)
    # Symbols of cut values are named by their extents, so those of the inputs must be as well.
    _rename_symbols(result)
    return _prune(result)


def _rename_symbols(case: Case) -> None:
    for value in list(case.model.graph.input):
        if value.name not in case.feeds[0]:
            continue
        shapes = [feed[value.name].shape for feed in case.feeds]
        for dim, extents in zip(value.type.tensor_type.shape.dim, zip(*shapes)):
            if dim.HasField("dim_param"):
                dim.dim_param = "d" + "_".join(map(str, extents))
    for value in case.model.graph.output:
        value.type.tensor_type.ClearField("shape")


def _hold(case: Case, name: str) -> Optional[Case]:
    """The case with one input of constant shape held by the model."""
    if len(case.feeds) != 1:
        return None
    result = _copy(case)
    array = result.feeds[0].pop(name)
    kept = [v for v in case.model.graph.input if v.name != name]
    del result.model.graph.input[:]
    result.model.graph.input.extend(kept)
    result.model.graph.initializer.append(numpy_helper.from_array(array, name))
    return result


def _bypass(case: Case, node: onnx.NodeProto, values: List[Dict], source: str) -> Optional[Case]:
    """The case with an operand of a node in place of its first result."""
    name = node.output[0]

    def tensor_of(place: int, wanted: str):  # noqa: ANN202
        if wanted in values[place]:
            tensor = values[place][wanted]
            return tensor.kind, tensor.array.shape
        if wanted in case.feeds[place]:
            array = case.feeds[place][wanted]
            return _KINDS[array.dtype], array.shape
        return None

    if any(
        tensor_of(i, name) is None or tensor_of(i, name) != tensor_of(i, source)
        for i in range(len(case.feeds))
    ):
        return None
    if name in {v.name for v in case.model.graph.output}:
        return None
    result = _copy(case)
    for other in result.model.graph.node:
        for i, operand in enumerate(other.input):
            if operand == name:
                other.input[i] = source
    return _prune(result)


def reduce_case(case: Case, shows: Test, trials: int = 300) -> Case:
    """A smaller case for which `shows` holds; tries at most `trials` others."""
    left = trials

    def better(candidate: Optional[Case]) -> bool:
        nonlocal case, left
        if candidate is None or left <= 0 or not candidate.model.graph.output:
            return False
        left -= 1
        try:
            if not shows(candidate):
                return False
        except Exception:  # pylint: disable=broad-except  # a candidate may be no valid model
            return False
        case = candidate
        return True

    for value in list(case.model.graph.output):
        if better(_with_outputs(case, [value.name])):
            break
    better(_with_first_set(case, 0)), better(_with_first_set(case, 1))
    changed = True
    while changed and left > 0:
        changed = False
        # Late nodes first: a cut there drops most.
        for node in list(reversed(case.model.graph.node)):
            if not any(n.output[0] == node.output[0] for n in case.model.graph.node):
                continue
            values = _values(case)
            if better(_cut(case, node, values)):
                changed = True
                continue
            for source in dict.fromkeys(node.input):
                if source and better(_bypass(case, node, values, source)):
                    changed = True
                    break
    return case


def _with_first_set(case: Case, number: int) -> Optional[Case]:
    if len(case.feeds) < 2:
        return None
    result = copy.copy(case)
    result.feeds = [case.feeds[number]]
    return result


def describe(case: Case) -> str:
    """The nodes of a model as text."""
    lines = []
    for value in case.model.graph.input:
        dims = [d.dim_param or d.dim_value for d in value.type.tensor_type.shape.dim]
        lines.append(f"input {value.name} {dims} of type {value.type.tensor_type.elem_type}")
    for tensor in case.model.graph.initializer:
        text = f"held {tensor.name} {list(tensor.dims)} of type {tensor.data_type}"
        small = int(np.prod(tensor.dims)) <= 8
        lines.append(text + (f" {numpy_helper.to_array(tensor).tolist()}" if small else ""))
    for node in case.model.graph.node:
        attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        inputs, outputs = ", ".join(node.input), ", ".join(node.output)
        lines.append(f"{outputs} = {node.op_type}({inputs}) {attributes or ''}".rstrip())
    lines.append("outputs " + ", ".join(v.name for v in case.model.graph.output))
    return "\n".join(lines)


