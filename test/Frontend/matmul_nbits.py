#!/usr/bin/python3
# This file is part of the Sectile project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Runs com.microsoft's MatMulNBits at random and compares it with float64: 2, 4 and 8 bits, depths that blocks do not
divide, zero points packed, as floats or none, with a bias or without, rows as they are or (accuracy_level 4) rounded to
8 bits; and tries what has to be refused.

    test/Frontend/matmul_nbits.py --sectile=build/bin/sectile [--cases=N] [--seed=N]

The last line is "N passed, N failed, N skipped".
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from typing import Dict, List

import numpy as np
import onnx
from onnx import TensorProto, helper

def pack(codes: np.ndarray, bits: int, unit: int) -> np.ndarray:
    """Rows of codes in bytes, the first in the low bits, padded to a multiple of `unit` codes."""
    padded = np.pad(codes, ((0, 0), (0, -codes.shape[1] % unit)))
    per = 8 // bits
    padded = np.pad(padded, ((0, 0), (0, -padded.shape[1] % per))).reshape(len(codes), -1, per)
    return (padded << (np.arange(per) * bits)).sum(axis=2).astype(np.uint8)


def constant(name: str, array: np.ndarray) -> TensorProto:
    """An initialiser."""
    kinds = {"float32": 1, "uint8": 2}
    return TensorProto(name=name, data_type=kinds[array.dtype.name], dims=array.shape, raw_data=array.tobytes())


def save(path: str, rows: object, depth: int, columns: int, inputs: List[str],
         constants: List[TensorProto], attributes: Dict[str, int]) -> None:  # fmt: skip
    """A model of one node."""
    node = helper.make_node("MatMulNBits", inputs, ["y"], "product", domain="com.microsoft", **attributes)
    graph = helper.make_graph(
        [node], "nbits",
        [helper.make_tensor_value_info("a", TensorProto.FLOAT, [rows, depth])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [rows, columns])], constants,
    )  # fmt: skip
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), path)


def round_to_bytes(a: np.ndarray, block: int) -> np.ndarray:
    """What an accuracy_level of 4 multiplies: integers up to 127 for the largest magnitude of each block."""
    padded = np.pad(a, ((0, 0), (0, -a.shape[1] % block))).reshape(len(a), -1, block)
    scale = np.maximum(np.abs(padded).max(axis=2, keepdims=True), np.float32(2.0**-100)) / np.float32(127)
    codes = np.clip(np.rint(padded / scale), -128, 127).astype(np.float64)
    return (codes * scale).reshape(len(a), -1)[:, : a.shape[1]]


def run_case(sectile: str, rng: np.random.Generator, folder: str) -> str:
    """A random product; returns what is wrong with it, or nothing."""
    bits, block = int(rng.choice([2, 4, 4, 8])), int(rng.choice([16, 32, 64, 128]))
    depth, columns = int(rng.choice([16, 31, 64, 100, 256, 520])), int(rng.choice([1, 5, 16, 48, 77, 130]))
    level = int(rng.choice([1, 4, 4]))
    rows, blocks = int(rng.choice([1, 3, 7, 40])), -(-depth // block)
    codes = rng.integers(0, 2**bits, (columns, depth))
    scales = (rng.random((columns, blocks)) * 0.1 + 0.01).astype(np.float32)
    zeros = np.full((columns, blocks), 2.0 ** (bits - 1))
    names, constants = ["a", "b", "s"], [constant("b", pack(codes, bits, block).reshape(columns, blocks, -1))]
    constants.append(constant("s", scales if rng.integers(0, 2) else scales.ravel()))
    form = str(rng.choice(["none", "packed", "float"]))
    if form == "packed":
        points = rng.integers(0, 2**bits, (columns, blocks))
        constants.append(constant("z", pack(points, bits, 1).ravel()))
        zeros = points.astype(np.float64)
    elif form == "float":
        points = (rng.random((columns, blocks)) * 2**bits).astype(np.float32)
        constants.append(constant("z", points.ravel()))
        zeros = points.astype(np.float64)
    names += [] if form == "none" else ["z"]
    bias = rng.normal(size=columns).astype(np.float32)
    if rng.integers(0, 2):
        names += [""] * (5 - len(names)) + ["bias"]
        constants.append(constant("bias", bias))
    else:
        bias = np.zeros(columns, np.float32)
    a = rng.normal(size=(rows, depth)).astype(np.float32)
    if rng.integers(0, 4) == 0:
        a[int(rng.integers(0, rows))] = 0
    save(f"{folder}/model.onnx", "rows" if rng.integers(0, 2) else rows, depth, columns, names, constants,
         {"K": depth, "N": columns, "bits": bits, "block_size": block, "accuracy_level": level})  # fmt: skip
    np.save(f"{folder}/a.npy", a)
    what = f"{rows} x {depth} x {columns}, {bits} bits, blocks of {block}, zero points {form}, level {level}"
    for command in ([sectile, "compile", f"{folder}/model.onnx", "-o", f"{folder}/package"],
                    [sectile, "run", f"{folder}/package", f"--input=a={folder}/a.npy", f"--output-dir={folder}"]):  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, timeout=300)
        if done.returncode:
            return f"{what}: {command[1]}: status {done.returncode}: {done.stderr}"
    repeat = lambda array: np.repeat(array, block, 1)[:, :depth]  # noqa: E731
    if level == 4:
        a = round_to_bytes(a, block)
    weights = (codes - repeat(zeros)) * repeat(scales).astype(np.float64)
    expected = a.astype(np.float64) @ weights.T + bias
    sums = np.abs(a).astype(np.float64) @ np.abs(weights).T + np.abs(bias)
    # The difference and the product of a weight round too (and, where zero points are floats, the numbers of a row), and
    # a float zero point makes both count.
    size = (codes + np.abs(repeat(zeros))) * repeat(scales).astype(np.float64)
    bound = sums * (depth + (6 if level == 4 else 4)) * 2.0**-24 + np.abs(a).astype(np.float64) @ size.T * 2.0**-23
    off = np.abs(np.load(f"{folder}/y.npy") - expected) - bound
    if (off > 0).any():
        return f"{what}: off by {off.max():.3g} more than the bound"
    return ""


REFUSED = {
    "bits": ({"bits": 3}, "expects 2, 4 or 8 bits, but got 3"),
    "accuracy_level": ({"accuracy_level": 5}, "expects an accuracy_level from 0 to 4, but got 5"),
    "block_size": ({"block_size": 0}, "expects K, N and block_size from 1 to 2^30, but got 0"),
    "K": ({"K": 64}, "expects 256 bytes of weights, but got 128"),
}


def check_refusals(sectile: str, folder: str) -> List[str]:
    """Models that are not compiled, and the reason that has to be said."""
    problems = []
    for name, (changes, reason) in REFUSED.items():
        attributes = {"K": 32, "N": 8, "bits": 4, "block_size": 16, **changes}
        constants = [constant("b", np.zeros((8, 2, 8), np.uint8)), constant("s", np.ones(16, np.float32))]
        save(f"{folder}/bad.onnx", 1, 32, 8, ["a", "b", "s"], constants, attributes)
        done = subprocess.run([sectile, "check", f"{folder}/bad.onnx"], capture_output=True, text=True)
        if done.returncode != 1 or reason not in done.stderr + done.stdout:
            problems.append(f"{name}: expects '{reason}', but got {done.returncode}: {done.stderr}{done.stdout}")
    return problems


def main() -> int:
    """Runs all cases."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sectile", required=True)
    parser.add_argument("--cases", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    rng = np.random.default_rng(arguments.seed)
    with tempfile.TemporaryDirectory() as folder:
        problems = [p for p in (run_case(arguments.sectile, rng, folder) for _ in range(arguments.cases)) if p]
        problems += check_refusals(arguments.sectile, folder)
    for problem in problems:
        print(f"FAILED: {problem}")
    total = arguments.cases + len(REFUSED)
    print(f"{total - len(problems)} passed, {len(problems)} failed, 0 skipped")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
