# This file is part of the Sectile project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The rule by which a result is accepted, and error tables.

There is no global tolerance. An output is good when its largest error against the float64 reference
is at most twice the best peer's own, plus one rounding of the output's type at the output's scale.
Where no peer is at hand, the reference's own evaluation in the model's types stands in for it.
Outputs of few elements are compared over several draws of the inputs, and a verdict that few draws
give against a result is tried on the most of them (MOST_DRAWS, see judge_draws).

    python3 -m sectile_reference.compare MODEL.onnx --inputs DIR --outputs DIR [--peer DIR]
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import sys
from typing import Dict, List, Mapping, Optional, Sequence

import numpy as np
import onnx

from .__main__ import file_name, load_inputs
from .evaluator import NATIVE, run
from .tensors import FORMATS, INTEGERS, Tensor, encode, is_float

_QUANTIZERS = {"QuantizeLinear", "DynamicQuantizeLinear", "QLinearMatMul", "QLinearConv"}

TIES = 0.01
"""The share of a quantised output's elements that may fall on the other side of a rounding tie."""


FEW = 32
"""Elements from which on the largest error of an output is more than luck."""

MOST_DRAWS = 16
"""Draws of the inputs at most."""


@dataclasses.dataclass
class Error:
    """How far a result is from the reference."""

    largest: float
    """Largest absolute difference; infinite if special values or shapes do not agree."""
    differing: float
    """Share of the elements that differ."""
    scale: float
    """Largest finite magnitude of the reference."""
    note: str = ""
    """What disagrees, where `largest` is infinite."""


def measure(reference: Tensor, result: np.ndarray) -> Error:
    """The error of `result`."""
    expected = reference.array
    finite = np.isfinite(expected) if is_float(reference.kind) else np.ones(expected.shape, bool)
    scale = float(np.abs(expected[finite].astype(np.float64)).max(initial=0.0))
    if expected.shape != result.shape:
        return Error(np.inf, 1, scale, f"expects shape {expected.shape}, but got {result.shape}")
    a, b = expected.astype(np.float64), result.astype(np.float64)
    special = ~finite | ~np.isfinite(b)
    if not np.array_equal(a[special], b[special], equal_nan=True):
        place = np.unravel_index(
            np.argmax(special & ~((a == b) | (np.isnan(a) & np.isnan(b)))), a.shape
        )
        return Error(
            np.inf, 1, scale, f"expects {a[place]} at {list(map(int, place))}, but got {b[place]}"
        )
    difference = np.abs(np.subtract(a, b, where=~special, out=np.zeros(a.shape)))
    share = float(np.count_nonzero(difference) / max(difference.size, 1))
    return Error(float(difference.max(initial=0.0)), share, scale)


def one_rounding(kind: int, scale: float) -> float:
    """Half a unit in the last place of the format at magnitude `scale`."""
    if kind not in FORMATS or scale == 0:
        return 0.0
    form = FORMATS[kind]
    exponent = max(int(np.floor(np.log2(scale))), form.least)
    return 0.5 * 2.0 ** (exponent - form.precision + 1)


@dataclasses.dataclass
class Verdict:
    """The comparison of one output."""

    name: str
    error: Error
    peer: float
    """The peer's own largest error."""
    bound: float
    good: bool

    def __str__(self) -> str:
        state = "good" if self.good else "WRONG"
        text = (
            f"{self.name}: {state}: error {self.error.largest:.3g}, bound {self.bound:.3g}, "
            f"peer {self.peer:.3g}, scale {self.error.scale:.3g}"
        )
        return f"{text}: {self.error.note}" if self.error.note else text


@dataclasses.dataclass
class Draw:
    """What one draw of the inputs gives, by name of output."""

    reference: Mapping[str, Tensor]
    results: Mapping[str, np.ndarray]
    peer: Mapping[str, np.ndarray]


def _pool(errors: Sequence[Error]) -> Error:
    """The errors of one output over several draws of the inputs as one."""
    worst = max(errors, key=lambda error: error.largest)
    return dataclasses.replace(
        worst,
        differing=float(np.mean([error.differing for error in errors])),
        scale=max(error.scale for error in errors),
    )


def _measure_result(expected: Tensor, result: Optional[np.ndarray]) -> Error:
    """The error of a result that may be missing or of another type."""
    if result is None:
        return Error(np.inf, 1, 0, "the output is missing")
    if not is_float(expected.kind) and result.dtype != INTEGERS[expected.kind]:
        kind = np.dtype(INTEGERS[expected.kind])
        return Error(np.inf, 1, 0, f"expects type {kind}, but got {result.dtype}")
    return measure(expected, result)


def judge_draws(model: onnx.ModelProto, draws: Sequence[Draw]) -> List[Verdict]:
    """Compares each output of `model` with the reference by the rule above, over all draws.

    Both largest errors are taken over the same draws, so that more draws sharpen the comparison
    and do not loosen it: what a peer's largest error is takes more than two elements to tell.
    """
    quantized = any(node.op_type in _QUANTIZERS for node in model.graph.node)
    verdicts = []
    for name, expected in draws[0].reference.items():
        other = _pool([measure(draw.reference[name], draw.peer[name]) for draw in draws])
        error = _pool(
            [_measure_result(draw.reference[name], draw.results.get(name)) for draw in draws]
        )
        if not np.isfinite(other.largest):
            # A peer that is wrong itself allows nothing.
            other = dataclasses.replace(other, largest=0.0, differing=0.0)
        if is_float(expected.kind):
            bound = 2 * other.largest + one_rounding(expected.kind, other.scale)
            good = error.largest <= bound
        else:
            # One code is one rounding of a quantised output, and rare: on ties only.
            elements = sum(draw.reference[name].array.size for draw in draws)
            bound = 2 * other.largest + (1 if quantized else 0)
            few = max(TIES, 2 * other.differing, 1.5 / max(elements, 1))
            good = error.largest <= bound and error.differing <= few
        verdicts.append(Verdict(name, error, other.largest, bound, good))
    return verdicts


def judge(
    model: onnx.ModelProto,
    reference: Mapping[str, Tensor],
    results: Mapping[str, np.ndarray],
    peer: Mapping[str, np.ndarray],
) -> List[Verdict]:
    """Compares each output of `model` with the reference for one draw of the inputs."""
    return judge_draws(model, [Draw(reference, results, peer)])


def draws_needed(reference: Mapping[str, Tensor]) -> int:
    """How many draws give each output that is not empty FEW elements, at most MOST_DRAWS."""
    sizes = [tensor.array.size for tensor in reference.values() if tensor.array.size > 0]
    return min(MOST_DRAWS, -(-FEW // min(sizes))) if sizes else 1


def load_outputs(model: onnx.ModelProto, folder: str) -> Dict[str, np.ndarray]:
    """The files of `folder` that are named like outputs of `model`."""
    paths = {v.name: os.path.join(folder, file_name(v.name)) for v in model.graph.output}
    return {name: np.load(path) for name, path in paths.items() if os.path.exists(path)}


def stand_in(model: onnx.ModelProto, inputs: Mapping[str, np.ndarray]) -> Dict[str, np.ndarray]:
    """What serves as peer where none is installed: the model evaluated in its own types."""
    return {name: encode(tensor) for name, tensor in run(model, inputs, NATIVE).items()}


def main() -> int:
    """The command; returns 0 if all outputs are good, 3 if not."""
    parser = argparse.ArgumentParser(prog="sectile_reference.compare", description=__doc__)
    parser.add_argument("model")
    parser.add_argument("--inputs", required=True, help="folder with NAME.npy for each input")
    parser.add_argument("--outputs", required=True, help="folder with NAME.npy for each output")
    parser.add_argument("--peer", help="folder with the outputs of a peer")
    arguments = parser.parse_args()
    model = onnx.load(arguments.model)
    inputs = load_inputs(model, arguments.inputs)
    peer: Optional[Dict[str, np.ndarray]] = None
    if arguments.peer:
        peer = load_outputs(model, arguments.peer)
    else:
        print("no peer: the bound comes from the reference's evaluation in the model's types")
        peer = stand_in(model, inputs)
    verdicts = judge(model, run(model, inputs), load_outputs(model, arguments.outputs), peer)
    for verdict in verdicts:
        print(verdict)
    return 0 if all(verdict.good for verdict in verdicts) else 3


if __name__ == "__main__":
    sys.exit(main())
