# This file is part of the Sectile project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""How far a correct evaluation of a graph may be from the exact one, element by element.

Each operator is taken to be backward stable: what it computes in a format with unit roundoff u is its
exact result for inputs that are off by a few u, again off by a few u; a sum of n terms is off by at
most n * u times the sum of their magnitudes (Higham, Accuracy and Stability of Numerical Algorithms,
2nd edition, sections 3.1 and 4.2). The graph is executed in float64 with such errors drawn at random,
several times; the largest deviation of an element, times a factor, bounds what rounding may do to it.

A second set of runs has far larger errors. Where they move an element out of proportion, a
discontinuity is near (a comparison, a rounding to integers, the choice of an extreme): that element
may be on either side of it.
"""

from __future__ import annotations

import dataclasses
from typing import Any, Dict, List, Mapping, Optional

import numpy as np
import onnx

from sectile_reference.evaluator import EXACT, Evaluator
from sectile_reference.registry import OPERATORS, Call
from sectile_reference.tensors import DOUBLE, FORMATS, Tensor, is_float

RUNS = 6
"""Executions with errors of the size that roundings have."""

FACTOR = 8.0
"""Bound over the largest deviation seen: all of RUNS draws are that small with odds of 8 ** -RUNS."""

FAR_RUNS = 3
FAR = 64.0
"""Executions with errors FAR times as large."""

STEPS = 4.0
"""Roundings within one operator, in units of the roundoff."""

_MOVES = {
    "Compress", "Concat", "Constant", "ConstantOfShape", "DepthToSpace", "Expand", "Flatten", "Gather",
    "GatherElements", "GatherND", "Identity", "Max", "MaxPool", "Min", "Neg", "Abs", "OneHot", "Pad",
    "ReduceMax", "ReduceMin", "Relu", "Reshape", "ReverseSequence", "Slice", "SpaceToDepth", "Split",
    "Squeeze", "Tile", "TopK", "Transpose", "Trilu", "Unsqueeze", "Where", "Shape", "Size", "Range",
    "GlobalMaxPool", "Clip", "Sign", "Floor", "Ceil", "Round", "EyeLike", "CastLike", "If", "Loop",
}  # fmt: skip
"""Operators that round nothing."""

_SUMS = {
    "AveragePool", "Conv", "ConvTranspose", "CumSum", "Einsum", "Gemm", "GlobalAveragePool", "MatMul",
    "Mean", "ReduceMean", "ReduceSum", "Sum", "ScatterND", "ScatterElements",
}  # fmt: skip
"""Operators whose elements are sums of products, linear in each input."""


_CANCELLING = {
    "Celu", "Elu", "Gelu", "HardSigmoid", "HardSwish", "LogSoftmax", "Mish", "ReduceLogSumExp", "Selu",
    "Softplus",
}  # fmt: skip
"""Functions whose usual formulas cancel terms as large as 1 or the operand: 1 + tanh(x), exp(x) - 1."""

_COMPARISONS = {"Equal", "Less", "LessOrEqual", "Greater", "GreaterOrEqual"}


def _count_terms(call: Call, arrays: List[Optional[np.ndarray]], result: np.ndarray) -> int:
    """Terms in an element of the result, at most."""
    first = arrays[0]
    sizes = [1 if a is None else a.size for a in arrays]
    if call.op == "MatMul":
        return int(first.shape[-1]) + 1
    if call.op in ("Conv", "ConvTranspose"):
        weight = arrays[1]
        return int(weight.size // max(1, min(weight.shape[0], weight.shape[1]))) + 1
    if call.op == "Gemm":
        return int(first.shape[0 if call.get("transA", 0) else 1]) + 1
    if call.op == "CumSum":
        return max(first.shape, default=1)
    if call.op in ("Sum", "Mean"):
        return len(arrays)
    if call.op == "Einsum":
        return max(sizes)
    return max(sizes) // max(1, result.size) + 1


def _magnitudes(call: Call, arrays: List[Optional[np.ndarray]]) -> np.ndarray:
    """The sum of the terms' magnitudes for each element of a linear operator."""
    positive = Call.__new__(Call)
    positive.__dict__.update(call.__dict__)
    positive.attributes = {
        key: abs(value) if isinstance(value, float) else value
        for key, value in call.attributes.items()
    }
    raw = OPERATORS[call.op](
        positive, *[np.abs(a) if a is not None and a.dtype.kind == "f" else a for a in arrays]
    )
    return raw.array if isinstance(raw, Tensor) else np.asarray(raw)


class Disturbed(Evaluator):
    """Executes a model with a random error in every rounding; `size` scales the errors."""

    def __init__(self, model: onnx.ModelProto, seed: int, size: float) -> None:
        super().__init__(model, EXACT)
        self.random = np.random.default_rng(seed)
        self.size = size

    def roundoff(self, kind: int) -> float:
        """Half the distance from 1 to the next value, times the size of the errors."""
        return self.size * 2.0 ** -FORMATS[kind].precision

    def disturb(self, array: np.ndarray, kind: int, steps: float) -> np.ndarray:
        """An array with errors of `steps` roundings of its elements, subnormal ones included."""
        least = 2.0 ** FORMATS[kind].least
        amplitude = steps * self.roundoff(kind) * np.maximum(np.abs(array), least)
        with np.errstate(invalid="ignore"):
            return array + amplitude * self.random.uniform(-1, 1, array.shape)

    def apply(self, call: Call, arrays: List[Optional[np.ndarray]]) -> Any:
        """One operator, its inputs and results disturbed."""
        if call.op in _COMPARISONS and is_float(call.kinds[0] or 0):
            # Roundings make numbers equal that random errors leave apart.
            a, b = np.broadcast_arrays(*arrays)
            reach = 16 * STEPS * self.roundoff(call.kinds[0]) * np.maximum(np.abs(a), np.abs(b))
            result = np.asarray(super().apply(call, arrays))
            return result ^ ((np.abs(a - b) <= reach) & (self.random.random(a.shape) < 0.7))
        if call.op in _MOVES or not any(k is not None and is_float(k) for k in call.kinds):
            if call.op not in ("Cast", "Range"):
                return super().apply(call, arrays)
        kinds = call.kinds
        narrow = min(
            (k for k in kinds if k is not None and is_float(k)),
            key=lambda k: FORMATS[k].precision, default=DOUBLE,
        )  # fmt: skip
        if call.op in ("Cast", "DequantizeLinear", "QuantizeLinear"):
            return self._finish_disturbed(super().apply(call, arrays), call, 2.0)
        near = [
            self.disturb(a, k, STEPS) if k is not None and is_float(k) else a
            for a, k in zip(arrays, kinds)
        ]
        if call.op in _SUMS:
            exact = super().apply(call, near)
            result = exact.array if isinstance(exact, Tensor) else np.asarray(exact)
            if result.dtype.kind != "f":
                return exact
            terms = _count_terms(call, arrays, result)
            scale = _magnitudes(call, arrays)
            error = terms * self.roundoff(narrow) * scale
            result = result + error * self.random.uniform(-1, 1, result.shape)
            return Tensor(result, exact.kind) if isinstance(exact, Tensor) else result
        # Norms and other reductions: their sums run over at most all of the input.
        first = arrays[0]
        raw = super().apply(call, near)
        many = raw[0] if isinstance(raw, (tuple, list)) else raw
        out = many.array if isinstance(many, Tensor) else np.asarray(many)
        terms = 1.0
        if call.op.startswith("Reduce"):
            terms = max(1.0, first.size / max(1, out.size))
        elif "Softmax" in call.op or "Normalization" in call.op or call.op in ("LRN", "LpPool"):
            terms = float(max(1, first.size // max(1, first.shape[0]) if first.ndim else 1))
        if terms > 1:
            lift = 1 + terms * self.roundoff(narrow) * self.random.uniform(-1, 1)
            peak = float(np.abs(first).max(initial=0.0))
            shift = np.sqrt(terms) * STEPS * self.roundoff(narrow) * peak
            near[0] = near[0] * lift + shift * self.random.uniform(-1, 1, first.shape)
            raw = super().apply(call, near)
        if call.op in _CANCELLING:
            scale = 1 + np.abs(first) if out.shape == first.shape else 1 + np.abs(out)
            raw = raw + STEPS * self.roundoff(narrow) * scale * self.random.uniform(-1, 1, out.shape)
        return self._finish_disturbed(raw, call, terms + STEPS)

    def _finish_disturbed(self, raw: Any, call: Call, steps: float) -> Any:
        several = isinstance(raw, (tuple, list))
        results = []
        for result in raw if several else [raw]:
            if result is None:
                results.append(None)
                continue
            array = result.array if isinstance(result, Tensor) else np.asarray(result)
            kind = result.kind if isinstance(result, Tensor) else call.result_kind()
            if array.dtype.kind == "f" and is_float(kind):
                array = self.disturb(array, kind, steps)
                result = Tensor(array, result.kind) if isinstance(result, Tensor) else array
            results.append(result)
        return results if several else results[0]


@dataclasses.dataclass
class Expected:
    """What an output must be: `|result - exact| <= bound`, except where `unstable`."""

    exact: Tensor
    bound: np.ndarray
    unstable: np.ndarray
    reshaped: bool = False
    """Whether roundings decide the output's shape."""


def expect(
    model: onnx.ModelProto, inputs: Mapping[str, np.ndarray], seed: int = 0
) -> Dict[str, Expected]:
    """The outputs of `model` and how far a correct evaluation may be from them."""
    exact = Evaluator(model, EXACT).run(inputs)
    near = [Disturbed(model, seed + i, 1.0).run(inputs) for i in range(RUNS)]
    far = [Disturbed(model, seed + RUNS + i, FAR).run(inputs) for i in range(FAR_RUNS)]
    result = {}
    for name, tensor in exact.items():
        if any(run[name].array.shape != tensor.array.shape for run in near + far):
            none = np.zeros(tensor.array.shape)
            result[name] = Expected(tensor, none, none.astype(bool), reshaped=True)
            continue
        result[name] = _bound(tensor, [r[name].array for r in near], [r[name].array for r in far])
    return result


def _bound(tensor: Tensor, near: List[np.ndarray], far: List[np.ndarray]) -> Expected:
    values = tensor.array.astype(np.float64)
    with np.errstate(invalid="ignore", over="ignore"):
        small = np.max([np.abs(run - values) for run in map(np.float64, near)], axis=0)
        large = np.max([np.abs(run - values) for run in map(np.float64, far)], axis=0)
    if not is_float(tensor.kind):
        return Expected(tensor, np.zeros(values.shape), (small > 0) | (large > 0))
    form = FORMATS[tensor.kind]
    own = np.maximum(np.abs(values), 2.0**form.least) * 2.0 ** (1 - form.precision)
    jumps = ~(large <= 4 * FAR * np.maximum(small, own))
    return Expected(tensor, FACTOR * small + own, jumps | ~np.isfinite(small))


@dataclasses.dataclass
class Deviation:
    """The element of an output that is farthest beyond its bound."""

    output: str
    text: str


def compare(expected: Mapping[str, Expected], results: Mapping[str, np.ndarray]) -> List[Deviation]:
    """The outputs that are beyond their bounds; stable elements only."""
    wrong = []
    for name, want in expected.items():
        got: Optional[np.ndarray] = results.get(name)
        if got is None:
            wrong.append(Deviation(name, "the output is missing"))
            continue
        if want.reshaped:
            continue
        exact = want.exact.array
        if got.shape != exact.shape:
            wrong.append(Deviation(name, f"expects shape {exact.shape}, but got {got.shape}"))
            continue
        a, b = exact.astype(np.float64), got.astype(np.float64)
        if not is_float(want.exact.kind):
            beyond = exact != got
        else:
            with np.errstate(invalid="ignore", over="ignore"):
                largest = FORMATS[want.exact.kind].largest
                over = (np.abs(a) > largest) & np.isinf(b) & (np.sign(a) == np.sign(b))
                same = (a == b) | (np.isnan(a) & np.isnan(b)) | over
                beyond = ~same & ~(np.abs(a - b) <= want.bound)
        beyond &= ~want.unstable
        if beyond.any():
            with np.errstate(invalid="ignore", over="ignore"):
                excess = np.where(beyond, np.abs(a - b) / np.maximum(want.bound, 1e-300), -1)
            place = np.unravel_index(int(np.argmax(np.nan_to_num(excess, nan=np.inf))), a.shape)
            wrong.append(
                Deviation(
                    name,
                    f"{int(beyond.sum())} of {a.size} elements: expects {exact[place]} at "
                    f"{[int(p) for p in place]}, but got {got[place]} (bound {want.bound[place]:.3g})",
                )
            )
    return wrong
