#!/usr/bin/python3
# This file is part of the Sectile project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Checks, verifies, compiles and runs models in MLIR and compares them with numpy in float64.

    test/Frontend/run_named_ops.py --sectile=build/bin/sectile [--only NAME]

A result in floats may be off by as many roundings of the sum of magnitudes behind it as the case states;
integers must be equal. The last line is "N passed, N failed, N skipped" (models).
"""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
from named_ops import CASES, Case, shape_of, write
from sectile_reference.cases import run_cases


def make_inputs(case: Case) -> list:
    """Random inputs: floats around zero, integers of the type's small values."""
    random = np.random.default_rng(len(case.name))
    inputs = []
    for text in case.inputs:
        shape, dtype = shape_of(text)
        if dtype.kind == "f":
            inputs.append(random.standard_normal(shape).astype(dtype))
        else:
            inputs.append(random.integers(-9, 10, shape).astype(dtype))
    return inputs


def bound_of(case: Case, inputs: list, expected: np.ndarray) -> np.ndarray:
    """What rounding explains: every term may be rounded twice, at its magnitude."""
    if expected.dtype.kind != "f":
        return np.zeros(expected.shape)
    magnitude = np.abs(expected)
    if case.terms > 4:
        # Sums: of the magnitudes of what is added.
        magnitude = np.maximum(magnitude, np.abs(case.reference(*map(np.abs, inputs))))
    return (2 * case.terms + 1) * 2.0**-24 * magnitude


def run_case(sectile: str, case: Case, folder: str) -> str:
    """What is wrong, or nothing."""
    model, package = os.path.join(folder, "model.mlir"), os.path.join(folder, "package")
    with open(model, "w", encoding="utf-8") as file:
        file.write(write(case))
    inputs = make_inputs(case)
    command = [sectile, "run", package, f"--output-dir={folder}"]
    for number, array in enumerate(inputs):
        np.save(os.path.join(folder, f"in{number}.npy"), array)
        command.append(f"--input=in{number}={folder}/in{number}.npy")
    verify = [sectile, "verify", model, "--quiet", "--trials=0"]
    compile_ = [sectile, "compile", model, "-o", package]
    for step in ([sectile, "check", model], verify, compile_, command):
        done = subprocess.run(step, capture_output=True, text=True, timeout=300)
        if done.returncode:
            return f"{step[1]}: status {done.returncode}: {done.stdout}{done.stderr}"
    actual = np.load(os.path.join(folder, "out0.npy"))
    wide = [a.astype(np.float64 if a.dtype.kind == "f" else np.int64) for a in inputs]
    expected = np.asarray(case.reference(*wide))
    if actual.shape != expected.shape or actual.dtype != shape_of(case.result)[1]:
        return f"expects {expected.shape} of {case.result}, but got {actual.shape} of {actual.dtype}"
    error = np.abs(actual.astype(expected.dtype) - expected) - bound_of(case, wide, expected)
    if not (error <= 0).all():
        at = np.unravel_index(np.nanargmax(error), error.shape)
        return f"expects {expected[at]} at {at}, but got {actual[at]}"
    return ""


def main() -> int:
    """The command; returns its exit status."""
    cases = [(case.name, lambda sectile, at, case=case: run_case(sectile, case, at)) for case in CASES]
    return run_cases(__doc__, cases)


if __name__ == "__main__":
    sys.exit(main())
