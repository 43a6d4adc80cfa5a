# This file is part of the Sectile project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Runs a model in ONNX Runtime; for a Python that has onnxruntime and numpy, nothing else needed.

    PYTHON python/sectile_reference/peer.py MODEL.onnx --inputs DIR --outputs DIR [--standard]

With --standard the evaluator of the onnx package runs it instead, for what ONNX Runtime does not know.

`find_python` names that Python: one of SECTILE_PEER_PYTHON (separated by colons), else this one or
the python3 in PATH. A peer is never required: callers print that it is missing and go on.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from typing import Optional

import numpy as np


def find_python(module: str = "onnxruntime") -> Optional[str]:
    """A Python that can import `module`, or None."""
    candidates = os.environ.get("SECTILE_PEER_PYTHON", "").split(":")
    candidates += [sys.executable, shutil.which("python3") or ""]
    for path in dict.fromkeys(c for c in candidates if c):
        probe = subprocess.run([path, "-c", f"import {module}"], capture_output=True, check=False)
        if probe.returncode == 0:
            return path
    return None


def run_peer(
    python: str, model: str, inputs: str, outputs: str, plain: bool = False, standard: bool = False
) -> Optional[str]:
    """Runs the model in ONNX Runtime, or the onnx package, under `python`; why it could not, or None.

    `plain` leaves out ONNX Runtime's graph optimisations, some of which quantise what the model does
    not; `standard` takes the onnx package's own evaluator in its place.
    """
    command = [python, __file__, model, "--inputs", inputs, "--outputs", outputs]
    command += ["--plain"] * plain + ["--standard"] * standard
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return None
    return (done.stderr.strip().splitlines() or [f"status {done.returncode}"])[-1]


def main() -> int:
    """The command; returns its exit status, 5 if onnxruntime is not installed."""
    parser = argparse.ArgumentParser(prog="sectile_reference.peer", description=__doc__)
    parser.add_argument("model")
    parser.add_argument("--inputs", required=True)
    parser.add_argument("--outputs", required=True)
    parser.add_argument("--plain", action="store_true", help="without graph optimisations")
    parser.add_argument("--standard", action="store_true", help="by the onnx package's evaluator")
    arguments = parser.parse_args()
    if arguments.standard:
        from onnx.reference import ReferenceEvaluator

        session = ReferenceEvaluator(arguments.model)
        inputs, outputs = session.input_names, session.output_names
    else:
        try:
            import onnxruntime
        except ImportError:
            return 5
        onnxruntime.set_default_logger_severity(3)
        options = onnxruntime.SessionOptions()
        if arguments.plain:
            options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        session = onnxruntime.InferenceSession(
            arguments.model, options, providers=["CPUExecutionProvider"]
        )
        inputs = [value.name for value in session.get_inputs()]
        outputs = [value.name for value in session.get_outputs()]
    feeds = {
        name: np.load(os.path.join(arguments.inputs, name.replace("/", "_") + ".npy"))
        for name in inputs
    }
    results = session.run(None, feeds)
    os.makedirs(arguments.outputs, exist_ok=True)
    for name, array in zip(outputs, results):
        np.save(os.path.join(arguments.outputs, name.replace("/", "_") + ".npy"), array)
    return 0


if __name__ == "__main__":
    sys.exit(main())
