#!/usr/bin/python3
# This file is part of the Sectile project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Products with constant weights of 1 to 8 bits on GPUs, at random: the formats, groups and odd sizes of packed_weights.py,
f16, bf16 and f32, 1 to 40 rows, executed by the emulator, which looks for races and accesses outside, against float64.

    test/Frontend/packed_gpu.py --sectile=build/bin/sectile [--cases=N] [--seed=N] [--targets=sm_80,sm_90a]

The bound is that of a sum of as many products in float32 and of weights and results that are rounded to the type. Codes of
f16 and bf16 must be packed to their bits. The last line is "N passed, N failed, N skipped".
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Tuple

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent))
from packed_weights import choose_format, dense  # noqa: E402
from run_numbers import Format  # noqa: E402

# Bits of the numbers' mantissa.
TYPES = {"f16": 11, "bf16": 8, "f32": 24}


def round_to(array: np.ndarray, element: str) -> np.ndarray:
    """Nearest numbers of the type, in float32."""
    if element == "f16":
        return array.astype(np.float16).astype(np.float32)
    if element == "f32":
        return array.astype(np.float32)
    bits = array.astype(np.float32).view(np.uint32).astype(np.uint64)
    return ((bits + 0x7FFF + (bits >> 16 & 1)) & 0xFFFF0000).astype(np.uint32).view(np.float32)


def raw(array: np.ndarray, element: str) -> np.ndarray:
    """The bytes of such numbers."""
    if element == "f16":
        return array.astype(np.float16)
    return array if element == "f32" else (array.view(np.uint32) >> 16).astype(np.uint16)


def write_model(path: str, form: Format, codes: np.ndarray, scale: np.ndarray, zero: np.ndarray | None,
                block: Tuple[int, int], rows: int, element: str, turned: bool) -> None:  # fmt: skip
    """As packed_weights.py's, with scales of the weights' type, and rows in f32 that are rounded to it."""
    depth, columns = codes.shape
    held, scales, zeros = (array if array is None or not turned else np.ascontiguousarray(array.T)
                           for array in (codes, scale, zero))  # fmt: skip
    block = block[::-1] if turned else block

    def tensor(shape: Tuple[int, ...], kind: str) -> str:
        return f"tensor<{'x'.join(map(str, shape))}x{kind}>"

    q, s, w = tensor(held.shape, "i8"), tensor(scales.shape, element), tensor(held.shape, element)
    x, y, k = tensor((rows, depth), element), tensor((rows, columns), element), tensor((depth, columns), element)
    given, result = tensor((rows, depth), "f32"), tensor((rows, columns), "f32")
    hexes = f'dense<"0x{raw(scales, element).tobytes().hex().upper()}">' if scales.size != 1 else None
    lines = [f"func.func @main(%given: {given}) -> {result} {{",
             f"  %q = arith.constant {dense(held)} : {q}",
             f"  %s = arith.constant {hexes or f'dense<{float(scales.ravel()[0])!r}>'} : {s}"]  # fmt: skip
    if zeros is not None:
        lines.append(f"  %z = arith.constant {dense(zeros)} : {tensor(zeros.shape, 'i8')}")
    operands = "%q scale %s" + (" zero %z" if zeros is not None else "")
    types = ", ".join([q, s] + ([tensor(zeros.shape, "i8")] if zeros is not None else []))
    lines.append(f'  %w = graph.dequantize {operands} {{format = "{form.text}", block = [{block[0]}, {block[1]}]}}'
                 f" : ({types}) -> {w}")  # fmt: skip
    if turned:
        lines += [f"  %e = tensor.empty() : {k}",
                  f"  %t = linalg.transpose ins(%w : {w}) outs(%e : {k}) permutation = [1, 0]"]  # fmt: skip
    lines += [f"  %x = arith.truncf %given : {given} to {x}" if element != "f32" else "",
              f"  %zero = arith.constant 0.0 : {element}", f"  %i = tensor.empty() : {y}",
              f"  %f = linalg.fill ins(%zero : {element}) outs(%i : {y}) -> {y}",
              f"  %y = linalg.matmul ins({'%x' if element != 'f32' else '%given'}, %{'t' if turned else 'w'} : {x}, {k})"
              f" outs(%f : {y}) -> {y}",
              f"  %r = arith.extf %y : {y} to {result}" if element != "f32" else "",
              f"  return {'%r' if element != 'f32' else '%y'} : {result}", "}"]  # fmt: skip
    Path(path).write_text("\n".join(lines) + "\n", encoding="utf-8")


def run_case(sectile: str, rng: np.random.Generator, folder: str, bits: int, target: str) -> str:
    """A random product; what is wrong with it."""
    form = choose_format(rng, bits)
    # Smaller weights become floats when the model is compiled.
    depth, columns = [(97, 700), (130, 519), (257, 260), (288, 240), (1001, 67), (640, 104),
                      (2880, 25)][int(rng.integers(0, 7))]  # fmt: skip
    rows, group = int(rng.choice([1, 7, 16, 33])), int(rng.choice([0, 32, 48, 128]))
    per_column, turned = bool(rng.integers(0, 2)) or group != 0, bool(rng.integers(0, 2))
    element = str(rng.choice(["f16", "f16", "bf16", "f32"]))
    codes = rng.choice(np.flatnonzero(np.isfinite(form.table)), (depth, columns))
    groups = -(-depth // group) if group else 1
    scale = round_to(rng.random((groups, columns if per_column else 1)) * 0.1 + 0.05, element)
    zero = rng.integers(0, len(form.table), scale.shape) if rng.integers(0, 2) and form.isInteger else None

    def hold(array: np.ndarray) -> np.ndarray:
        return np.vectorize(form.hold, otypes=[np.int8])(array)

    def spread(array: np.ndarray) -> np.ndarray:
        return np.repeat(array, group or depth, 0)[:depth]

    write_model(f"{folder}/model.mlir", form, hold(codes), scale, None if zero is None else hold(zero),
                (group, 1 if per_column else 0), rows, element, turned)  # fmt: skip
    x = round_to(rng.normal(size=(rows, depth)), element)
    np.save(f"{folder}/in0.npy", x)
    what = (f"{rows} x {depth} x {columns}, {form.text[:40]}, groups of {group}, {'one zero point each, ' * (zero is not None)}"
            f"{element}{', transposed' * turned} on {target}")  # fmt: skip
    done = subprocess.run([sectile, "compile", f"{folder}/model.mlir", "-o", f"{folder}/package", f"--target={target}",
                           "--cache=off", "--explain"], capture_output=True, text=True, timeout=300)  # fmt: skip
    if done.returncode:
        return f"{what}: compile: status {done.returncode}: {done.stderr}"
    # Runs are filled, which may take more than is gained; the cost model says whether the product decodes them itself.
    runs = -(-depth // 128) * 128 * columns * bits / 8
    is_fused = "is computed by the product whose columns it is" in done.stdout
    if element != "f32" and bits < 8 and runs < depth * columns and is_fused and f"codes of {bits} bits packed" not in done.stdout:
        return f"{what}: codes are not packed: {done.stdout}"
    run_it = [sectile, "run", f"{folder}/package", f"--device=emulator:{target}", f"--output-dir={folder}", "--sanitize=races,bounds",
              f"--input=in0={folder}/in0.npy", f"--seed={int(rng.integers(1, 1000))}"]  # fmt: skip
    done = subprocess.run(run_it, capture_output=True, text=True, timeout=300)
    if done.returncode:
        return f"{what}: run: {done.stdout}{done.stderr}"
    table = np.array(form.table)
    shift = 0.0 if zero is None else spread(table[zero])
    weights = (table[codes] - shift) * spread(scale).astype(np.float64)
    expected, sums = x.astype(np.float64) @ weights, np.abs(x).astype(np.float64) @ np.abs(weights)
    # Weights are rounded to the type, or sums of their codes multiplied; the result is rounded to it.
    unit = 2.0 ** -TYPES[element]
    bound = sums * ((depth + 4) * 2.0**-24 + unit) + np.abs(expected) * 2 * unit + 2.0**-24
    result = np.load(f"{folder}/out0.npy").astype(np.float64)
    off = np.abs(result - expected) - bound
    return "passed" if (off <= 0).all() else f"{what}: off by {off.max():.3g} more than the bound"


def main() -> int:
    """Runs the cases."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--sectile", required=True)
    parser.add_argument("--cases", type=int, default=16)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--targets", default="sm_80,sm_90a")
    args = parser.parse_args()
    targets, results = args.targets.split(","), []
    for case in range(args.cases):
        rng = np.random.default_rng([args.seed, case])
        with tempfile.TemporaryDirectory() as folder:
            result = run_case(args.sectile, rng, folder, case % 8 + 1, targets[case // 8 % len(targets)])
        results.append(result)
        if result != "passed":
            print(f"case {case}: {result}", flush=True)
    passed = results.count("passed")
    print(f"{passed} passed, {len(results) - passed} failed, 0 skipped")
    return int(passed != len(results))


if __name__ == "__main__":
    sys.exit(main())
