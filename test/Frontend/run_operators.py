#!/usr/bin/python3
# This file is part of the Sectile project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compiles and runs operators on odd shapes, static and dynamic, against ONNX Runtime.

    test/Frontend/run_operators.py --sectile=build/bin/sectile [--only SUBSTRING]

Floats may differ by 1e-5 of the result's largest magnitude, integers not at all. Without a Python that has
onnxruntime (SECTILE_PEER_PYTHON) only the cases that must end with an error are run. The last line is
"N passed, N failed, N skipped".
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from typing import Dict, Optional

import numpy as np
import onnx
from onnx import helper, numpy_helper

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "conformance"), os.path.join(HERE, "..", "..", "python")]

from attention_cases import make_attention_cases  # noqa: E402
from modes import make_dynamic  # noqa: E402
from operator_cases import Case, make_cases  # noqa: E402
from sectile_reference.peer import find_python, run_peer  # noqa: E402

TOLERANCE = 1e-5


def make_model(case: Case) -> onnx.ModelProto:
    """A model of the node alone."""
    names = [f"i{number}" if x is not None else "" for number, x in enumerate(case.inputs)]
    outputs = [f"o{number}" for number in range(case.outputs)]
    node = helper.make_node(case.op, names, outputs, domain=case.domain, **case.attributes)
    values = [
        helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(x.dtype), x.shape)
        if hasattr(helper, "np_dtype_to_tensor_dtype")
        else helper.make_tensor_value_info(name, onnx.mapping.NP_TYPE_TO_TENSOR_TYPE[x.dtype], x.shape)
        for number, (name, x) in enumerate(zip(names, case.inputs))
        if x is not None and number not in case.constants
    ]
    constants = [numpy_helper.from_array(case.inputs[i], names[i]) for i in case.constants]
    results = [onnx.ValueInfoProto(name=name) for name in outputs]
    graph = helper.make_graph([node], case.name, values, results, constants)
    opsets = [helper.make_operatorsetid("", case.opset)]
    if case.domain:
        opsets.append(helper.make_operatorsetid(case.domain, 1))
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def run_sectile(sectile: str, model: str, folder: str, case: Case) -> Optional[str]:
    """Compiles and runs; why it failed, or None."""
    package = os.path.join(folder, "package")
    run = [sectile, "run", package, f"--output-dir={folder}/ours", "--quiet"]
    for number, array in enumerate(case.inputs):
        if array is not None and number not in case.constants:
            run.append(f"--input=i{number}={folder}/inputs/i{number}.npy")
    for command in ([sectile, "compile", model, "-o", package, "--quiet"], run):
        done = subprocess.run(command, capture_output=True, text=True, timeout=300)
        if done.returncode:
            return f"{command[1]}: status {done.returncode}: {done.stderr.strip()}"
    return None


def compare(ours: np.ndarray, theirs: np.ndarray) -> Optional[str]:
    """What differs, or None."""
    if ours.dtype != theirs.dtype or ours.shape != theirs.shape:
        return f"expects {theirs.dtype}{theirs.shape}, but got {ours.dtype}{ours.shape}"
    if theirs.dtype.kind != "f":
        return None if np.array_equal(ours, theirs) else "values differ"
    # What is no number must be the same; zeros may have either sign.
    finite = np.isfinite(theirs)
    if not np.array_equal(ours[~finite], theirs[~finite], equal_nan=True):
        return "infinities or NaN differ"
    ours, theirs = ours[finite], theirs[finite]
    scale = max(float(np.max(np.abs(theirs), initial=0)), 1e-30)
    error = float(np.max(np.abs(ours.astype(np.float64) - theirs), initial=0))
    return None if error <= TOLERANCE * scale else f"off by {error:g} at {scale:g}"


def run_case(sectile: str, python: Optional[str], case: Case, dynamic: bool) -> Optional[str]:
    """What is wrong, or None."""
    with tempfile.TemporaryDirectory() as folder:
        model, path = make_model(case), os.path.join(folder, "model.onnx")
        onnx.save(model, path)
        inputs = os.path.join(folder, "inputs")
        os.makedirs(inputs)
        for number, array in enumerate(case.inputs):
            if array is not None:
                np.save(os.path.join(inputs, f"i{number}.npy"), array)
        theirs: Dict[str, np.ndarray] = {}
        if not case.error:
            assert python
            os.makedirs(os.path.join(folder, "theirs"))
            wrong = run_peer(python, path, inputs, os.path.join(folder, "theirs"), standard=case.standard)
            if wrong:
                return f"peer: {wrong}"
        if dynamic:
            make_dynamic(model, lambda value: len(value.type.tensor_type.shape.dim) > 1)
            onnx.save(model, path)
        wrong = run_sectile(sectile, path, folder, case)
        if case.error:
            good = wrong and wrong.startswith("run: status 1") and case.error in wrong
            return None if good else f"expects a run-time error on '{case.error}', but got: {wrong}"
        if wrong:
            return wrong
        for number in range(case.outputs):
            pair = [np.load(os.path.join(folder, who, f"o{number}.npy")) for who in ("ours", "theirs")]
            wrong = compare(*pair)
            if wrong:
                return f"output {number}: {wrong}"
    return None


def main() -> int:
    """The command; returns its exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sectile", required=True)
    parser.add_argument("--only", default="")
    arguments = parser.parse_args()
    python = find_python()
    passed = failed = skipped = 0
    for case in (*make_cases(), *make_attention_cases()):
        if arguments.only not in case.name:
            continue
        for dynamic in (False,) if case.static else (False, True):
            if not python and not case.error:
                skipped += 1
                continue
            wrong = run_case(arguments.sectile, python, case, dynamic)
            passed, failed = passed + (not wrong), failed + bool(wrong)
            if wrong:
                print(f"{case.name}{' dynamic' if dynamic else ''}: {wrong}", flush=True)
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed or passed + skipped == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
