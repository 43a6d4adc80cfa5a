#!/usr/bin/python3
# This file is part of the Sectile project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Runs products with quantized weights at random: 4- and 8-bit integers, scales per tensor, along an axis and in
blocks that need not divide it, zero points or none, weights that are constants or inputs, transposed or not, rows
known or not, every instruction-set level, one thread and two.

    test/Frontend/dequantized_weights.py --sectile=build/bin/sectile [--cases=N] [--seed=N]

Results are compared with float64; the bound is that of a sum of as many products, each rounded in float32. The
last line is "N passed, N failed, N skipped".
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from typing import Callable, Dict, List, Tuple

import numpy as np
import onnx
from onnx import TensorProto, helper

KINDS = {"int4": (22, 4, -8, 7), "uint4": (21, 4, 0, 15), "int8": (3, 8, -128, 127), "uint8": (2, 8, 0, 255)}
"""Number in TensorProto.DataType, bits, least and greatest value."""

LEVELS = ("sse4", "avx2", "avx512")


def pack(codes: np.ndarray, bits: int) -> bytes:
    """Elements side by side, the first of a byte in its low bits."""
    per = 8 // bits
    flat = np.append(codes.ravel() & (2**bits - 1), np.zeros(-codes.size % per, np.int64)).reshape(-1, per)
    return (flat << (np.arange(per) * bits)).sum(axis=1).astype(np.uint8).tobytes()


def choose_scales(rng: np.random.Generator, shape: List[int]) -> Tuple[List[int], Dict[str, int], Callable]:
    """The shape of scales for weights of `shape`, the node's attributes, and how scales are repeated."""
    mode, axis = rng.choice(["tensor", "axis", "block"]), int(rng.integers(0, 2))
    if mode == "tensor":
        return [], {}, lambda array: array
    if mode == "axis":
        return [shape[axis]], {"axis": axis}, lambda array: np.expand_dims(array, 1 - axis)
    size = int(rng.choice([2, 5, 16, 32]))
    scales = list(shape)
    scales[axis] = -(-shape[axis] // size)
    return (scales, {"axis": axis, "block_size": size},
            lambda array: np.repeat(array, size, axis).take(range(shape[axis]), axis))  # fmt: skip


def run_case(sectile: str, rng: np.random.Generator, folder: str) -> str:
    """A random product; returns what is wrong with it, or nothing."""
    depth, columns = int(rng.choice([1, 7, 31, 64, 97, 128, 300])), int(rng.choice([1, 3, 16, 33, 64, 100, 257]))
    rows = int(rng.choice([1, 2, 5, 6, 7, 13, 33, 100]))
    name = str(rng.choice(list(KINDS)))
    number, bits, low, high = KINDS[name]
    form = str(rng.choice(["MatMul", "Gemm", "Transpose"]))
    shape = [depth, columns] if form == "MatMul" else [columns, depth]
    codes = rng.integers(low, high + 1, shape)
    scale_shape, attributes, repeat = choose_scales(rng, shape)
    scale = (rng.random(scale_shape) * 0.1 + 0.01).astype(np.float32)
    zero = rng.integers(low, high + 1, scale_shape) if rng.integers(0, 2) else None
    extent = "rows" if rng.integers(0, 2) else rows
    x = rng.normal(size=(rows, depth)).astype(np.float32)
    inputs, feeds = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [extent, depth])], {"x": x}
    constants = [TensorProto(name="s", data_type=1, dims=scale.shape, raw_data=scale.tobytes())]
    if rng.random() < 0.8:
        constants.append(TensorProto(name="w", data_type=number, dims=shape, raw_data=pack(codes, bits)))
    else:
        inputs.append(helper.make_tensor_value_info("w", number, shape))
        feeds["w"] = codes.astype(np.int8 if low < 0 else np.uint8)
    names = ["w", "s"]
    if zero is not None:
        names.append("z")
        zero = np.asarray(zero)
        constants.append(TensorProto(name="z", data_type=number, dims=zero.shape, raw_data=pack(zero, bits)))
    nodes = [helper.make_node("DequantizeLinear", names, ["wd"], **attributes)]
    if form == "Transpose":
        nodes.append(helper.make_node("Transpose", ["wd"], ["wt"], perm=[1, 0]))
    last = "wt" if form == "Transpose" else "wd"
    transposes = {"transB": 1} if form == "Gemm" else {}
    nodes.append(helper.make_node("Gemm" if transposes else "MatMul", ["x", last], ["y"], **transposes))
    result = helper.make_tensor_value_info("y", TensorProto.FLOAT, [extent, columns])
    graph = helper.make_graph(nodes, "weights", inputs, [result], constants)
    model, package = f"{folder}/model.onnx", f"{folder}/package"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10), model)
    level, threads = str(rng.choice(LEVELS)), str(rng.integers(1, 3))
    arguments = []
    for name_of, array in feeds.items():
        np.save(f"{folder}/{name_of}.npy", array)
        arguments.append(f"--input={name_of}={folder}/{name_of}.npy")
    what = f"{form} {rows} x {depth} x {columns}, {name} scales {scale_shape} {attributes} on {level}"
    for command in ([sectile, "compile", model, "-o", package],
                    [sectile, "run", package, f"--output-dir={folder}", f"--threads={threads}", *arguments]):  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, timeout=300,
                              env={**os.environ, "SECTILE_CPU_LEVEL": level})  # fmt: skip
        if done.returncode and "lacks" not in done.stderr:  # a level that this machine does not have
            return f"{what}: {command[1]}: status {done.returncode}: {done.stderr}"
        if done.returncode:
            return ""
    shift = 0 if zero is None else repeat(zero)
    weights = (codes - shift).astype(np.float32) * repeat(scale)
    weights = weights.astype(np.float64) if form == "MatMul" else weights.astype(np.float64).T
    expected, sums = x.astype(np.float64) @ weights, np.abs(x).astype(np.float64) @ np.abs(weights)
    off = np.abs(np.load(f"{folder}/y.npy") - expected) - sums * (depth + 2) * 2.0**-24
    return f"{what}: off by {off.max():.3g} more than the bound" if (off > 0).any() else ""


def main() -> int:
    """Runs all cases."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sectile", required=True)
    parser.add_argument("--cases", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    rng = np.random.default_rng(arguments.seed)
    failed = 0
    for _ in range(arguments.cases):
        with tempfile.TemporaryDirectory() as folder:
            problem = run_case(arguments.sectile, rng, folder)
        if problem:
            failed += 1
            print(f"FAILED: {problem}")
    print(f"{arguments.cases - failed} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
