#!/usr/bin/python3
# This file is part of the Sectile project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Products with constant weights of 1 to 8 bits, at random: integers, floats, bipolar numbers, ternary and
tables of any length, scales per tensor, per column and in groups of 32, 48 and 128 along K, zero points or
none, K and N that fill no word and no panel, one row and several, f32 and f16, every instruction-set level.

    test/Frontend/packed_weights.py --sectile=build/bin/sectile [--cases=N] [--seed=N] [--sizes]

What codes stand for is computed here from the format's parameters, the product in float64; the bound is that of
a sum of as many products, each rounded in float32, and for f16 of weights and results that are rounded to it.
With --sizes the bytes that the constants of Llama-3-8B's linear layers take, of which none are written.
The last line is "N passed, N failed, N skipped".
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import List, Tuple

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "Interpreter"))
from run_numbers import NF4, Format, float_table, integer  # noqa: E402

LEVELS = ("sse4", "avx2", "avx512")


def choose_format(rng: np.random.Generator, bits: int) -> Format:
    """A format of that width, at random."""
    kinds = ["signed", "unsigned", "biased", "bipolar", "table"] + ["float"] * (bits >= 4) + ["named"] * 2
    kind = str(rng.choice(kinds))
    named = {2: Format("ternary", [-1, 0, 1], "number"), 4: Format("nf4", np.float32(NF4).tolist(), "first"),
             6: Format("e3m2", float_table(3, 2, ""), "mantissa"), 8: Format("e4m3fn", float_table(4, 3, "fn"), "mantissa")}  # fmt: skip
    if kind == "named" and bits in named:
        return named[bits]
    if kind == "float":
        exponent = int(rng.integers(2, bits - 1))
        mantissa = bits - 1 - exponent
        return Format(f"e{exponent}m{mantissa}finite", float_table(exponent, mantissa, ""), "mantissa")
    if kind == "bipolar":
        return Format(f"bipolar{bits}", [2 * code - (2**bits - 1) for code in range(2**bits)], "up")
    if kind == "table":
        count = int(rng.integers(2 ** (bits - 1) + 1, 2**bits + 1))
        table = np.sort(rng.normal(size=count).astype(np.float32)).tolist()
        return Format("codebook[" + ",".join(f"{value:.9g}" for value in table) + "]", table, "first")
    if kind == "biased":
        return integer(bits, False, int(rng.integers(1, 2**bits)))
    return integer(bits, kind == "signed")


def dense(array: np.ndarray) -> str:
    """Bytes of a constant in MLIR's text; a single element would mean all."""
    if array.size == 1:
        kind = "f" if array.dtype == np.float32 else "i"
        return f"dense<{float(array.ravel()[0])!r}>" if kind == "f" else f"dense<{int(array.ravel()[0])}>"
    return f'dense<"0x{array.tobytes().hex().upper()}">'


def write_model(path: str, form: Format, codes: np.ndarray, scale: np.ndarray, zero: np.ndarray | None,
                block: Tuple[int, int], rows: int, element: str, turned: bool,
                steps: np.ndarray | None = None, steps_block: int = 0) -> None:  # fmt: skip
    """A function that dequantizes weights and multiplies; `turned` weights are [N, K]. With `steps`, the second input's
    values, scales for each `steps_block` elements of a row (0: all), rows are rounded to 8 bits before."""
    depth, columns = codes.shape
    held, scales, zeros = (array if array is None or not turned else np.ascontiguousarray(array.T)
                           for array in (codes, scale, zero))  # fmt: skip
    block = block[::-1] if turned else block

    def tensor(shape: Tuple[int, ...], kind: str) -> str:
        return f"tensor<{'x'.join(map(str, shape))}x{kind}>"

    q, s, w = tensor(held.shape, "i8"), tensor(scales.shape, "f32"), tensor(held.shape, element)
    x, y, k = tensor((rows, depth), element), tensor((rows, columns), element), tensor((depth, columns), element)
    given = "" if steps is None else f", %steps: {tensor(steps.shape, 'f32')}"
    lines = [f"func.func @main(%x: {x}{given}) -> {y} {{",
             f"  %q = arith.constant {dense(held)} : {q}",
             f"  %s = arith.constant {dense(scales)} : {s}"]  # fmt: skip
    if zeros is not None:
        lines.append(f"  %z = arith.constant {dense(zeros)} : {tensor(zeros.shape, 'i8')}")
    operands = "%q scale %s" + (" zero %z" if zeros is not None else "")
    types = ", ".join([q, s] + ([tensor(zeros.shape, "i8")] if zeros is not None else []))
    lines.append(f'  %w = graph.dequantize {operands} {{format = "{form.text}", block = [{block[0]}, {block[1]}]}}'
                 f" : ({types}) -> {w}")  # fmt: skip
    if turned:
        lines += [f"  %e = tensor.empty() : {k}",
                  f"  %t = linalg.transpose ins(%w : {w}) outs(%e : {k}) permutation = [1, 0]"]  # fmt: skip
    left = "%x"
    if steps is not None:
        bytes_, t = tensor((rows, depth), "i8"), tensor(steps.shape, "f32")
        attributes = f'{{format = "int8", block = [1, {steps_block}]}}'
        lines += [f"  %bytes = graph.quantize %x scale %steps {attributes} : ({x}, {t}) -> {bytes_}",
                  f"  %left = graph.dequantize %bytes scale %steps {attributes} : ({bytes_}, {t}) -> {x}"]  # fmt: skip
        left = "%left"
    lines += [f"  %zero = arith.constant 0.0 : {element}", f"  %i = tensor.empty() : {y}",
              f"  %f = linalg.fill ins(%zero : {element}) outs(%i : {y}) -> {y}",
              f"  %y = linalg.matmul ins({left}, %{'t' if turned else 'w'} : {x}, {k}) outs(%f : {y}) -> {y}",
              f"  return %y : {y}", "}"]  # fmt: skip
    Path(path).write_text("\n".join(lines) + "\n", encoding="utf-8")


def run_case(sectile: str, rng: np.random.Generator, folder: str, bits: int) -> List[str]:
    """A random product on all levels; what is wrong with each, "" for one that this machine lacks."""
    form = choose_format(rng, bits)
    # Smaller weights become floats when the model is compiled.
    depth, columns = [(1, 70000), (33, 2100), (97, 700), (130, 519), (257, 260), (288, 240), (1001, 67), (4097, 17),
                      (5000, 15), (2880, 25)][int(rng.integers(0, 10))]  # fmt: skip
    rows, group = int(rng.choice([1, 7, 33])), int(rng.choice([0, 32, 48, 128]))
    per_column, turned = bool(rng.integers(0, 2)) or group != 0, bool(rng.integers(0, 2))
    element = str(rng.choice(["f32", "f32", "f16"]))
    codes = rng.choice(np.flatnonzero(np.isfinite(form.table)), (depth, columns))
    groups = -(-depth // group) if group else 1
    scale = (rng.random((groups, columns if per_column else 1)) + 0.5).astype(np.float32)
    zero = rng.integers(0, len(form.table), scale.shape) if rng.integers(0, 2) and form.isInteger else None
    block = (group, 1 if per_column else 0)

    def hold(array: np.ndarray) -> np.ndarray:
        return np.vectorize(form.hold, otypes=[np.int8])(array)

    def spread(array: np.ndarray) -> np.ndarray:
        return np.repeat(array, group or depth, 0)[:depth]

    steps, steps_block = None, int(rng.choice([0, group or 32, 64]))
    if element == "f32" and rng.integers(0, 2):
        steps = (rng.random((rows, -(-depth // (steps_block or depth)))) * 0.02 + 0.01).astype(np.float32)
    write_model(f"{folder}/model.mlir", form, hold(codes), scale, None if zero is None else hold(zero), block,
                rows, element, turned, steps, steps_block)  # fmt: skip
    kind = np.float16 if element == "f16" else np.float32
    x = rng.normal(size=(rows, depth)).astype(kind)
    np.save(f"{folder}/in0.npy", x)
    if steps is not None:
        np.save(f"{folder}/in1.npy", steps)
    what = (f"{rows} x {depth} x {columns}, {form.text[:40]}, groups of {group}, {'one zero point each, ' * (zero is not None)}"
            f"{element}{', transposed' * turned}{'' if steps is None else f', rows in bytes for {steps_block}'}")  # fmt: skip
    compile_it = [sectile, "compile", f"{folder}/model.mlir", "-o", f"{folder}/package", f"--cpu-levels={','.join(LEVELS)}",
                  "--explain"]  # fmt: skip
    done = subprocess.run(compile_it, capture_output=True, text=True, timeout=300)
    if done.returncode:
        return [f"{what}: compile: status {done.returncode}: {done.stderr}"]
    packed = f"codes of {bits} bits packed" in done.stdout
    # Whole bytes are put in order for rows in bytes, where those are multiplied as such.
    if (bits < 8 or steps is None) and packed != (bits < 8) and depth != 1 and columns > 32:
        return [f"{what}: codes are {'' if packed else 'not '}packed: {done.stdout}"]
    table = np.array(form.table)
    shift = 0.0 if zero is None else spread(table[zero])
    weights = ((table[codes] - shift).astype(np.float32) * spread(scale)).astype(np.float64)
    if steps is not None:
        each = np.repeat(steps, steps_block or depth, 1)[:, :depth]
        x = np.clip(np.rint(x / each), -128, 127) * each.astype(np.float64)
    expected, sums = x.astype(np.float64) @ weights, np.abs(x).astype(np.float64) @ np.abs(weights)
    # A row's numbers are rounded too where they are codes and a scale.
    bound = sums * (depth + (2 if steps is None else 4)) * 2.0**-24
    if element == "f16":
        bound += sums * 2.0**-11 + np.abs(expected) * 2.0**-10 + 2.0**-24
    problems = []
    for level in LEVELS:
        run_it = [sectile, "run", f"{folder}/package", f"--output-dir={folder}", f"--input=in0={folder}/in0.npy",
                  *([] if steps is None else [f"--input=in1={folder}/in1.npy"])]  # fmt: skip
        done = subprocess.run(run_it, capture_output=True, text=True, timeout=300,
                              env={**os.environ, "SECTILE_CPU_LEVEL": level})  # fmt: skip
        if done.returncode:
            problems.append("" if "lacks" in done.stderr else f"{what} on {level}: run: {done.stderr}")
            continue
        result = np.load(f"{folder}/out0.npy").astype(np.float64)
        off = np.abs(result - expected) - bound
        problems.append(f"{what} on {level}: off by {off.max():.3g} more than the bound" if not (off <= 0).all() else "passed")
    return problems


def run_verify(sectile: str, rng: np.random.Generator, folder: str, bits: int, in_bytes: bool) -> str:
    """The interpreter, which reads the bits by their declaration, before and after every pass."""
    form, depth, columns = integer(bits, True), 133, 131
    codes = rng.integers(0, len(form.table), (depth, columns))
    scale = (rng.random((-(-depth // 32), columns)) + 0.5).astype(np.float32)
    held = np.vectorize(form.hold, otypes=[np.int8])(codes)
    steps = (rng.random((2, -(-depth // 64))) * 0.02 + 0.01).astype(np.float32) if in_bytes else None
    write_model(f"{folder}/model.mlir", form, held, scale, None, (32, 1), 2, "f32", False, steps, 64)
    done = subprocess.run([sectile, "verify", f"{folder}/model.mlir", "--level=avx2"], capture_output=True, text=True,
                          timeout=300)  # fmt: skip
    unrolled = re.search(rf"equal +\S*tile-{'multiply' if in_bytes else 'unroll'}-codes", done.stdout)
    if done.returncode or not unrolled:
        return f"verify, {bits} bits{', rows in bytes' * in_bytes}: status {done.returncode}: {done.stdout}{done.stderr}"
    return "passed"


def show_sizes(sectile: str, folder: str) -> int:
    """Packed bytes of linear layers against bits x weights and scales, by what --explain says."""
    worst = 0.0
    for depth, columns in [(4096, 6144), (4096, 4096), (4096, 28672), (14336, 4096)]:
        for bits in range(1, 8):
            text = f"""
func.func @main(%x: tensor<1x{depth}xf32>) -> tensor<1x{columns}xf32> {{
  %q = arith.constant dense_resource<q> : tensor<{depth}x{columns}xi8>
  %s = arith.constant dense<0.5> : tensor<{depth // 128}x{columns}xf32>
  %w = graph.dequantize %q scale %s {{format = "int{bits}", block = [128, 1]}}
       : (tensor<{depth}x{columns}xi8>, tensor<{depth // 128}x{columns}xf32>) -> tensor<{depth}x{columns}xf32>
  %zero = arith.constant 0.0 : f32
  %i = tensor.empty() : tensor<1x{columns}xf32>
  %f = linalg.fill ins(%zero : f32) outs(%i : tensor<1x{columns}xf32>) -> tensor<1x{columns}xf32>
  %y = linalg.matmul ins(%x, %w : tensor<1x{depth}xf32>, tensor<{depth}x{columns}xf32>)
                     outs(%f : tensor<1x{columns}xf32>) -> tensor<1x{columns}xf32>
  return %y : tensor<1x{columns}xf32>
}}"""
            Path(f"{folder}/shape.mlir").write_text(text, encoding="utf-8")
            passes = "builtin.module(func.func(graph-normalize,graph-fuse),graph-outline,graph-pack-constants)"
            done = subprocess.run([sectile + "-opt", f"{folder}/shape.mlir", f"--pass-pipeline={passes}",
                                   "--remarks-filter=graph-pack-constants", "--remark-policy=all"],
                                  capture_output=True, text=True, timeout=100)  # fmt: skip
            memory = re.search(r"#tile.memory<[^>]*-> \([^)]*floordiv (\d+).*bits = (\d+) along 1>", done.stdout)
            if done.returncode or not memory or int(memory[2]) != bits:
                print(f"FAILED: {depth} x {columns}, {bits} bits: {done.stderr[:400]}")
                return 1
            panel = int(memory[1])
            packed = -(-columns // panel) * panel * -(-depth * bits // 32) * 4
            least = depth * columns * bits / 8
            worst = max(worst, packed / least - 1)
            print(f"{depth} x {columns}, {bits} bits: {packed} bytes, {packed / least - 1:.2%} over bits x weights")
    print(f"worst: {worst:.2%}")
    return 0 if worst <= 0.01 else 1


def main() -> int:
    """Runs all cases."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sectile", required=True)
    parser.add_argument("--cases", type=int, default=16)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--sizes", action="store_true")
    arguments = parser.parse_args()
    if arguments.sizes:
        with tempfile.TemporaryDirectory() as folder:
            return show_sizes(arguments.sectile, folder)
    rng = np.random.default_rng(arguments.seed)
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    for case in range(arguments.cases):
        with tempfile.TemporaryDirectory() as folder:
            for problem in run_case(arguments.sectile, rng, folder, case % 8 + 1):
                kind = {"passed": "passed", "": "skipped"}.get(problem, "failed")
                counts[kind] += 1
                if kind == "failed":
                    print(f"FAILED: {problem}")
    for bits, in_bytes in ((3, False), (4, False), (3, True), (8, True)):
        with tempfile.TemporaryDirectory() as folder:
            problem = run_verify(arguments.sectile, rng, folder, bits, in_bytes)
            counts["passed" if problem == "passed" else "failed"] += 1
            if problem != "passed":
                print(f"FAILED: {problem}")
    print(", ".join(f"{count} {kind}" for kind, count in counts.items()))
    return 1 if counts["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
