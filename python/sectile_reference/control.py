# This file is part of the Sectile project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Control flow: operators with subgraphs."""

from __future__ import annotations

from typing import List, Optional

import numpy as np
import onnx

from .registry import Call, operator
from .tensors import Tensor, type_of


def _run(call: Call, graph: onnx.GraphProto, values: List[Tensor]) -> List[Tensor]:
    """Executes a subgraph, whose inputs are `values`, inside the node's scope."""
    scope = type(call.scope)(call.scope)
    for formal, value in zip(graph.input, values):
        scope.values[formal.name] = value
    return call.evaluator.run_graph(graph, scope)


@operator("If")
def if_(call: Call, condition: np.ndarray) -> List[Tensor]:
    """One of two subgraphs."""
    return _run(call, call.get("then_branch" if bool(condition) else "else_branch"), [])


@operator("Loop")
def loop(
    call: Call, trips: Optional[np.ndarray], condition: Optional[np.ndarray], *initial: np.ndarray
) -> List[Tensor]:
    """Repeats a subgraph with carried values; further results are stacked."""
    body = call.get("body")
    kinds = call.kinds[2:]
    carried = [Tensor(v, k) for v, k in zip(initial, kinds) if k is not None]
    scans: List[List[Tensor]] = [[] for _ in body.output[1 + len(carried) :]]
    count, proceed = 0, condition is None or bool(condition)
    while proceed and (trips is None or count < int(trips)):
        number, going = np.asarray(count, np.int64), np.asarray(True)
        results = _run(
            call, body, [Tensor(number, type_of(number)), Tensor(going, type_of(going))] + carried
        )
        proceed = bool(results[0].array)
        carried = results[1 : 1 + len(carried)]
        for stack, value in zip(scans, results[1 + len(carried) :]):
            stack.append(value)
        count += 1
    if any(not stack for stack in scans):
        raise NotImplementedError(f"node '{call.name}': a stacked result of no iterations")
    return carried + [Tensor(np.stack([t.array for t in s]), s[0].kind) for s in scans]
