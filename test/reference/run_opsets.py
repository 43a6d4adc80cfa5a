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
from typing import Dict, List, Tuple, Union

import numpy as np
import onnx

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "..", "python"))

from opset_cases import make_models  # noqa: E402
from sectile_models.inputs import file_name  # noqa: E402
from sectile_reference import run as evaluate  # noqa: E402
from sectile_reference.compare import Draw, Verdict, judge_draws, load_outputs, stand_in  # noqa: E402

DRAWS = 8
"""On how many draws of the numbers a bad verdict is tried."""


def run_model(
    arguments: argparse.Namespace, model: onnx.ModelProto, inputs: Dict[str, np.ndarray]
) -> Union[str, Draw]:
    """What a model gives for its inputs, and the reference and its stand-in; or why it fails."""
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
                return f"{step[1]}: status {done.returncode}: {text}"
        return Draw(evaluate(model, inputs), load_outputs(model, folder), stand_in(model, inputs))


def judge_case(
    arguments: argparse.Namespace, opset: int, dynamic: bool, number: int
) -> Tuple[List[str], int]:
    """What is wrong with the outputs of model `number`, and how many are good.

    A bad verdict is luck or a fault: the largest of a few dozen roundings on one side differs by a factor from draw
    to draw. It is tried on more draws, and judged over all of them: the error that began it stays.
    """
    draws: List[Draw] = []
    bad: List[Verdict] = []
    while not draws or (bad and len(draws) < DRAWS):
        _, model, inputs = make_models(opset, dynamic, len(draws))[number]
        draw = run_model(arguments, model, inputs)
        if isinstance(draw, str):
            return [draw], 0
        draws.append(draw)
        verdicts = judge_draws(model, draws)
        bad = [verdict for verdict in verdicts if not verdict.good]
    if arguments.verbose:
        print(*verdicts, sep="\n")
    return [f"{verdict} ({len(draws)} draws)" for verdict in bad], len(verdicts) - len(bad)


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
            for number, (name, _, _) in enumerate(make_models(opset, dynamic)):
                bad, good = judge_case(arguments, opset, dynamic, number)
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
