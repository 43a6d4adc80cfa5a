#!/usr/bin/python3
# This file is part of the Sectile project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compiles and runs tier-1 operators at opsets 18 to the newest and compares them with the reference.

    test/reference/run_opsets.py --sectile=build/bin/sectile [--opsets=18-27] [--level=avx2] [--verbose]

A case is good by the rule of sectile_reference.compare. The last line is "N passed, N failed, N skipped"
(outputs of cases).
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from typing import Dict, List, Tuple

import numpy as np
import onnx

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "..", "python"))

from opset_cases import make_models  # noqa: E402
from sectile_models.inputs import file_name  # noqa: E402
from sectile_reference import run as evaluate  # noqa: E402
from sectile_reference.compare import judge, load_outputs, stand_in  # noqa: E402


def run_model(
    arguments: argparse.Namespace, model: onnx.ModelProto, inputs: Dict[str, np.ndarray]
) -> Tuple[List[str], int]:
    """What is wrong with a model's outputs, and how many are good."""
    with tempfile.TemporaryDirectory() as folder:
        path, package = os.path.join(folder, "model.onnx"), os.path.join(folder, "package")
        onnx.save(model, path)
        command = [arguments.sectile, "run", package, f"--output-dir={folder}"]
        for name, array in inputs.items():
            np.save(os.path.join(folder, "in." + file_name(name)), array)
            command.append(f"--input={name}={folder}/in.{file_name(name)}")
        compile_ = [arguments.sectile, "compile", path, "-o", package]
        compile_.append(f"--cpu-levels={arguments.level}")
        for step in ([arguments.sectile, "check", path], compile_, command):
            done = subprocess.run(step, capture_output=True, text=True, timeout=600)
            if done.returncode:
                text = (done.stdout + done.stderr).strip()
                return [f"{step[1]}: status {done.returncode}: {text}"], 0
        results = load_outputs(model, folder)
        verdicts = judge(model, evaluate(model, inputs), results, stand_in(model, inputs))
    bad = [str(verdict) for verdict in verdicts if not verdict.good]
    if arguments.verbose:
        print(*verdicts, sep="\n")
    return bad, len(verdicts) - len(bad)


def main() -> int:
    """The command; returns its exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sectile", required=True)
    parser.add_argument("--opsets", default="18-27", help="FIRST-LAST")
    parser.add_argument("--level", default="avx2", help="instruction-set level to compile for")
    parser.add_argument("--verbose", action="store_true")
    arguments = parser.parse_args()
    first, last = map(int, arguments.opsets.split("-"))
    passed = failed = 0
    for opset in range(first, last + 1):
        for dynamic in (False, True):
            for name, model, inputs in make_models(opset, dynamic):
                bad, good = run_model(arguments, model, inputs)
                passed += good
                failed += len(bad)
                label = f"opset {opset}, {name}, {'dynamic' if dynamic else 'static'}"
                print(f"{label}: {good} good", flush=True)
                for text in bad:
                    print(f"FAILED: {label}: {text}", flush=True)
    print(f"{passed} passed, {failed} failed, 0 skipped")
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
