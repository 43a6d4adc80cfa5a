# This file is part of the Sectile project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Random cases: a model and one or two sets of inputs for it, from a seed."""

from __future__ import annotations

import dataclasses
from typing import Dict, List

import numpy as np
import onnx
from onnx import numpy_helper

from sectile_reference.tensors import DOUBLE, FLOAT, FLOAT16

from . import elementwise, movement, product_makers, reduction_makers  # noqa: F401
from .growth import BOOL, INT32, INT64, Graph
from .makers import MAKERS

OPSETS = (13, 15, 17, 18, 20, 21)


@dataclasses.dataclass
class Case:
    """A model and sets of inputs; with several, sizes that differ among them are symbols."""

    model: onnx.ModelProto
    feeds: List[Dict[str, np.ndarray]]
    note: str = ""


def make_case(seed: int) -> Case:
    """The case of a seed."""
    rng = np.random.default_rng([seed, 1])
    kind = int(rng.choice([FLOAT, FLOAT, FLOAT, FLOAT, DOUBLE, FLOAT16]))
    dynamic = bool(rng.random() < 0.35)
    opset = int(rng.choice(OPSETS))
    graph = Graph(seed, opset, dynamic, kind)
    for _ in range(int(rng.integers(1, 4))):
        graph.input(kind, int(rng.choice([1, 2, 2, 3, 3, 3, 4, 4, 4, 5])))
    if rng.random() < 0.3:
        graph.input(int(rng.choice([INT32, INT64, BOOL])), int(rng.integers(0, 4)))
    names = [name for name, (_, since, _) in MAKERS.items() if since <= opset]
    # A few kinds of nodes in each graph, so that they meet each other in all constellations.
    weights = np.array([MAKERS[name][0] for name in names]) * rng.exponential(1, len(names)) ** 2
    target, tries = int(rng.integers(1, 18)), 0
    while len(graph.nodes) < target and tries < 20 * target:
        tries += 1
        name = names[int(rng.choice(len(names), p=weights / weights.sum()))]
        graph.attempt(MAKERS[name][2])
    model = graph.model()
    feeds = [graph.feeds(i) for i in range(graph.instances)]
    if not dynamic and rng.random() < 0.1:
        _hold_inputs(model, feeds)
    kinds = {FLOAT: "f32", DOUBLE: "f64", FLOAT16: "f16"}
    note = f"opset {opset}, {kinds[kind]}, {'dynamic' if dynamic else 'static'}"
    return Case(model, feeds, f"{note}, {len(model.graph.node)} nodes")


def _hold_inputs(model: onnx.ModelProto, feeds: List[Dict[str, np.ndarray]]) -> None:
    """Makes all inputs constants: the whole model is folded."""
    for name, array in feeds[0].items():
        model.graph.initializer.append(numpy_helper.from_array(array, name))
    del model.graph.input[:]
    feeds[0].clear()
