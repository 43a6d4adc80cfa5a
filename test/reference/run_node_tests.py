#!/usr/bin/python3
# This file is part of the Sectile project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Checks the reference evaluator against the ONNX node tests of Debian's libonnx-testdata.

    test/reference/run_node_tests.py [--tier1] [--only SUBSTRING] [--verbose]

Tests with strings, sequences or operators that the evaluator does not know are counted as skipped.
Exits with 1 if a test fails.
"""

from __future__ import annotations

import argparse
import collections
import glob
import os
import sys
from typing import Dict, List, Optional, Tuple

import numpy as np
import onnx

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "..", "python"))

from sectile_reference import ROUNDED, Evaluator, UnsupportedError  # noqa: E402
from sectile_reference.tensors import Tensor, decode, encode, is_float  # noqa: E402

DATA = "/usr/share/libonnx-testdata/data"
SUITES = ("node", "simple", "pytorch-operator", "pytorch-converted")

TIER1 = set(
    """Constant Identity Add Sub Mul Div Pow Sqrt Neg Erf Tanh Sigmoid Relu Clip MatMul Gemm Conv
    ConvTranspose Softmax LayerNormalization InstanceNormalization ReduceMean MaxPool
    GlobalAveragePool Transpose Reshape Flatten Squeeze Unsqueeze Split Concat Slice Gather Expand
    Shape ConstantOfShape Range Equal Where Cast BatchNormalization Reciprocal QuantizeLinear
    DequantizeLinear""".split()
)

TOLERANCE = {
    # The expected values of these were computed in 16 bits.
    "float16": 2e-3,
    "default": 2e-5,
}

KNOWN = {
    "window": "the expected values were computed with pi = 3.1415",
    "FLOAT_to_BFLOAT16": "the expected values were truncated, not rounded",
}
"""Tests not counted because of a flaw of their own, by a part of their name."""


def _is_tensor(value: onnx.ValueInfoProto) -> bool:
    kind = value.type.WhichOneof("value")
    return kind in (None, "tensor_type") and value.type.tensor_type.elem_type != 8


def _load(path: str, value: onnx.ValueInfoProto) -> Tensor:
    proto = onnx.TensorProto()
    with open(path, "rb") as file:
        proto.ParseFromString(file.read())
    declared = value.type.tensor_type.elem_type
    if declared == onnx.TensorProto.BFLOAT16:  # the files call these bits uint16
        proto.data_type = declared
    return decode(proto)


def _mismatch(got: Tensor, expected: Tensor) -> Optional[str]:
    """Why `got` differs from `expected`, or None."""
    if got.kind != expected.kind:
        return f"expects element type {expected.kind}, but got {got.kind}"
    if got.array.shape != expected.array.shape:
        return f"expects shape {expected.array.shape}, but got {got.array.shape}"
    if not is_float(got.kind):
        return None if np.array_equal(got.array, expected.array) else "values differ"
    a, b = encode(got).astype(np.float64), encode(expected).astype(np.float64)
    tolerance = TOLERANCE["float16" if got.kind in (10, 16) else "default"]
    with np.errstate(invalid="ignore"):
        close = np.isclose(a, b, rtol=tolerance, atol=tolerance, equal_nan=True)
    if close.all():
        return None
    return f"{(~close).sum()} of {a.size} values differ, by up to {np.abs(a - b)[~close].max():g}"


def run_test(folder: str) -> Tuple[str, str]:
    """Runs one test; returns passed, failed or skipped, and the reason."""
    model = onnx.load(os.path.join(folder, "model.onnx"))
    values = list(model.graph.input) + list(model.graph.output)
    if not all(_is_tensor(value) for value in values):
        return "skipped", "strings, sequences or optional values"
    for part, flaw in KNOWN.items():
        if part in os.path.basename(folder):
            return "skipped", flaw
    for data in sorted(glob.glob(os.path.join(folder, "test_data_set_*"))):
        try:
            inputs: Dict[str, np.ndarray] = {}
            for i, value in enumerate(model.graph.input):
                path = os.path.join(data, f"input_{i}.pb")
                if os.path.exists(path):
                    inputs[value.name] = _load(path, value).array
            # The expected values were computed in the tensors' own types.
            outputs = Evaluator(model, ROUNDED).run(inputs)
            expected = [
                _load(os.path.join(data, f"output_{i}.pb"), value)
                for i, value in enumerate(model.graph.output)
            ]
        except (UnsupportedError, NotImplementedError) as error:
            return "skipped", str(error)
        except Exception as error:  # noqa: BLE001  a broken operator must not end the run
            return "failed", f"{type(error).__name__}: {error}"
        for (name, got), want in zip(outputs.items(), expected):
            reason = _mismatch(got, want)
            if reason:
                return "failed", f"output '{name}': {reason}"
    return "passed", ""


def operators(folder: str) -> List[str]:
    """The operators of a test's model."""
    model = onnx.load(os.path.join(folder, "model.onnx"), load_external_data=False)
    return [node.op_type for node in model.graph.node]


def main() -> int:
    """The command; returns its exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", default=DATA)
    parser.add_argument("--tier1", action="store_true", help="only tests of tier-1 operators")
    parser.add_argument("--only", default="", help="only tests whose name contains this")
    parser.add_argument("--verbose", action="store_true", help="print skipped tests too")
    arguments = parser.parse_args()
    if not os.path.isdir(arguments.data):
        print(f"skipped: no {arguments.data} (package libonnx-testdata)")
        print("0 passed, 0 failed, 1 skipped")
        return 0
    total: collections.Counter = collections.Counter()
    for suite in SUITES:
        counts: collections.Counter = collections.Counter()
        tier1: collections.Counter = collections.Counter()
        for path in sorted(glob.glob(os.path.join(arguments.data, suite, "*", "model.onnx"))):
            folder = os.path.dirname(path)
            name = os.path.basename(folder)
            if arguments.only not in name:
                continue
            first = set(operators(folder)) <= TIER1
            if arguments.tier1 and not first:
                continue
            status, reason = run_test(folder)
            counts[status] += 1
            if first:
                tier1[status] += 1
            if status == "failed" or (status == "skipped" and arguments.verbose):
                mark = " (tier 1)" if first else ""
                print(f"{status}: {suite}/{name}{mark}: {reason}")
        total.update(counts)
        for label, count in (("all", counts), ("tier 1", tier1)):
            numbers = ", ".join(f"{count[s]} {s}" for s in ("passed", "failed", "skipped"))
            print(f"{suite}, {label}: {numbers}")
    print(", ".join(f"{total[s]} {s}" for s in ("passed", "failed", "skipped")))
    return 1 if total["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
