#!/usr/bin/python3
# This file is part of the Sectile project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Checks that --fp=strict computes what numpy does, operation by operation, to the last bit.

    test/models/run_strict.py --sectile=build/bin/sectile

Sums are formed in the order of the elements and nothing is contracted or reassociated, at every
instruction-set level. The last line is "N passed, N failed, N skipped" (levels).
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile

import numpy as np
import onnx
from onnx import TensorProto, helper

LENGTH = 100_003
"""Long and prime: split in parts, blocked, vectorised with a tail where that is allowed."""


def make_model(path: str) -> None:
    """y = x * x + sum(x)."""
    nodes = [
        helper.make_node("ReduceSum", ["x"], ["s"], keepdims=1),
        helper.make_node("Mul", ["x", "x"], ["q"]),
        helper.make_node("Add", ["q", "s"], ["y"]),
    ]
    x, y = (helper.make_tensor_value_info(n, TensorProto.FLOAT, [LENGTH]) for n in "xy")
    graph = helper.make_graph(nodes, "strict", [x], [y])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)]), path)


def main() -> int:
    """The command; returns its exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sectile", default="build/bin/sectile")
    arguments = parser.parse_args()
    x = np.random.default_rng(0).standard_normal(LENGTH).astype(np.float32)
    expected = x * x + np.cumsum(x, dtype=np.float32)[-1]
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    with tempfile.TemporaryDirectory() as folder:
        model, package = os.path.join(folder, "model.onnx"), os.path.join(folder, "model.stp")
        make_model(model)
        np.save(os.path.join(folder, "x.npy"), x)
        subprocess.run([arguments.sectile, "compile", "--fp=strict", model, "-o", package], check=True)
        for level in ("sse4", "avx2", "avx512"):
            run = subprocess.run(
                [arguments.sectile, "run", package, f"--input=x={folder}/x.npy",
                 f"--output-dir={folder}"],
                env={**os.environ, "SECTILE_CPU_LEVEL": level}, capture_output=True, text=True,
                check=False,
            )  # fmt: skip
            if run.returncode != 0 and "lacks" in run.stderr:
                counts["skipped"] += 1
                print(f"skipped: {level}: {run.stderr.strip()}")
                continue
            good = run.returncode == 0 and np.array_equal(np.load(f"{folder}/y.npy"), expected)
            counts["passed" if good else "failed"] += 1
            print(f"{'ok' if good else 'FAILED'}: {level} {run.stderr.strip()}")
    print(", ".join(f"{number} {state}" for state, number in counts.items()))
    return 1 if counts["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
