#!/usr/bin/python3
# This file is part of the Sectile project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Runs reductions that are cut into parts, at many extents and on every CPU level, and compares with numpy.

    test/Graph/split_reductions.py --sectile=build/bin/sectile

Inputs are small integers, of which sums are exact in any order: results must be equal. The last line is
"N passed, N failed, N skipped" (models).
"""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Callable, NamedTuple

import numpy as np
from sectile_reference.cases import run_cases

LEVELS = ("sse4", "avx2", "avx512")

SUM = """    %t = arith.addf %o, %a : f32
    linalg.yield %t : f32"""
MOST = """    %t = arith.maximumf %o, %a : f32
    linalg.yield %t : f32"""
PRODUCT = """    %m = arith.mulf %a, %b : f32
    %t = arith.addf %o, %m : f32
    linalg.yield %t : f32"""


class Case(NamedTuple):
    """A model with one op of loops i, j, k: result[out] = body over the other loops."""

    name: str
    inputs: list  # pairs of map and shape; "n" is the extent to be varied
    out: str  # map of the result
    shape: str
    loops: str  # "p" or "r" for each loop
    body: str
    start: str
    reference: Callable
    extents: tuple
    before: str = ""  # arithmetic on %x, applied elementwise by an op of its own


CASES = [
    Case("sum", [("k", "n")], "", "", "r", SUM, "0.0", lambda x: x.sum(),
         (0, 1, 7, 16383, 16384, 16385, 100003, 1048576)),
    Case("most", [("k", "n")], "", "", "r", MOST, "0xFF800000", lambda x: x.max(initial=-np.inf),
         (0, 1, 33, 16384, 50001)),
    Case("rows", [("i,k", "1xn")], "i", "1", "pr", SUM, "0.0", lambda x: x.sum(1),
         (0, 1, 5, 20001, 99999)),
    Case("columns", [("k,i", "nx33")], "i", "33", "pr", SUM, "0.0", lambda x: x.sum(0),
         (0, 1, 200, 511, 512, 5001)),
    Case("plane", [("k,j", "nx31")], "", "", "rr", SUM, "0.0", lambda x: x.sum(),
         (0, 1, 528, 529, 5001)),
    Case("squares", [("k", "n")], "", "", "r", SUM, "0.0", lambda x: (x * x).sum(),
         (0, 1, 16384, 77777), "arith.mulf %e, %e"),
    Case("product", [("i,k", "5xn"), ("k,j", "nx7")], "i,j", "5x7", "ppr", PRODUCT, "0.0",
         lambda x, y: x @ y, (0, 1, 63, 1919, 1920, 1921, 30011)),
    Case("dot", [("k", "n"), ("k", "n")], "", "", "r", PRODUCT, "0.0", lambda x, y: x @ y,
         (0, 1, 65536, 200003)),
    Case("square product", [("i,k", "5xn"), ("k,j", "nx7")], "i,j", "5x7", "ppr", PRODUCT, "0.0",
         lambda x, y: (x * x) @ y, (0, 1, 4001), "arith.mulf %e, %e"),
    Case("fixed product", [("i,k", "7x70001"), ("k,j", "70001x33")], "i,j", "7x33", "ppr", PRODUCT,
         "0.0", lambda x, y: x @ y, (70001,)),
    Case("even product", [("k,i", "65536x2"), ("k,j", "65536x64")], "i,j", "2x64", "ppr", PRODUCT,
         "0.0", lambda x, y: x.T @ y, (65536,)),
]


def tensor(shape: str) -> str:
    """The type of a tensor; "n" is a size known only at run time."""
    return f"tensor<{shape.replace('n', '?') + 'x' if shape else ''}f32>"


def write(case: Case) -> str:
    """The model."""
    loops = ["i", "j", "k"] if len(case.loops) == 3 else ["i", "k"] if case.out else ["k", "j"]
    loops = loops[: len(case.loops)]
    names = ["%x", "%y"][: len(case.inputs)]
    types = [tensor(shape) for _, shape in case.inputs]
    dims = [", ".join(f'"{d}"' for d in shape.split("x")) for _, shape in case.inputs]
    arguments = ", ".join(f"{n}: {t} {{graph.dims = [{d}]}}" for n, t, d in zip(names, types, dims))
    lines = [f"func.func @main({arguments}) -> {tensor(case.shape)} {{"]
    used = list(names)
    if case.before:
        rank = len(case.inputs[0][1].split("x"))
        space = ", ".join(f"d{i}" for i in range(rank))
        kinds = ", ".join(['"parallel"'] * rank)
        lines += [
            f"  %s = linalg.generic {{indexing_maps = [affine_map<({space}) -> ({space})>, affine_map<({space}) -> ({space})>], iterator_types = [{kinds}]}} ins(%x : {types[0]}) outs(%x : {types[0]}) {{",
            "  ^bb0(%e: f32, %o: f32):",
            f"    %v = {case.before} : f32",
            "    linalg.yield %v : f32",
            f"  }} -> {types[0]}",
        ]
        used[0] = "%s"
    maps = ", ".join(f"affine_map<({','.join(loops)}) -> ({m})>" for m in
                     [m for m, _ in case.inputs] + [case.out])
    kinds = ", ".join('"parallel"' if k == "p" else '"reduction"' for k in case.loops)
    result = tensor(case.shape)
    block = ", ".join(f"%{n}: f32" for n in "ab"[: len(names)])
    lines += [
        f"  %c = arith.constant {case.start} : f32",
        f"  %empty = tensor.empty() : {result}",
        f"  %f = linalg.fill ins(%c : f32) outs(%empty : {result}) -> {result}",
        f"  %r = linalg.generic {{indexing_maps = [{maps}], iterator_types = [{kinds}]}} ins({', '.join(used)} : {', '.join(types)}) outs(%f : {result}) {{",
        f"  ^bb0({block}, %o: f32):",
        case.body,
        f"  }} -> {result}",
        f"  return %r : {result}",
        "}",
    ]
    return "\n".join(lines) + "\n"


def run(command: list, **environment: str) -> str:
    """What a command says if it fails."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=300,
                          env={**os.environ, **environment})
    return f"{command[1]}: status {done.returncode}: {done.stdout}{done.stderr}" if done.returncode else ""


def check(sectile: str, case: Case, folder: str) -> str:
    """What is wrong, or nothing."""
    model, package = os.path.join(folder, "model.mlir"), os.path.join(folder, "package")
    with open(model, "w", encoding="utf-8") as file:
        file.write(write(case))
    explained = subprocess.run([sectile, "compile", model, "-o", package, "--explain"],
                               capture_output=True, text=True)
    if explained.returncode:
        return f"compile: {explained.stderr}"
    if "is reduced in two stages" not in explained.stdout:
        return f"expects two stages, but got {explained.stdout}"
    random = np.random.default_rng(len(case.name))
    for extent in case.extents:
        command = [sectile, "run", package, f"--output-dir={folder}", "--threads=2"]
        arrays = []
        for number, (_, shape) in enumerate(case.inputs):
            sizes = [extent if d == "n" else int(d) for d in shape.split("x")]
            arrays.append(random.integers(-3, 4, sizes).astype(np.float32))
            path = os.path.join(folder, f"in{number}.npy")
            np.save(path, arrays[-1])
            command.append(f"--input=in{number}={path}")
        expected = np.asarray(case.reference(*[a.astype(np.float64) for a in arrays]))
        for level in LEVELS:
            problem = run(command, SECTILE_CPU_LEVEL=level)
            if problem:
                if "but this CPU lacks" in problem:
                    continue
                return f"extent {extent}, {level}: {problem}"
            actual = np.load(os.path.join(folder, "out0.npy"))
            if not np.array_equal(actual, expected):
                return f"extent {extent}, {level}: expects {expected}, but got {actual}"
    return ""


def main() -> int:
    """The command; returns its exit status."""
    cases = [(case.name, lambda sectile, at, case=case: check(sectile, case, at)) for case in CASES]
    return run_cases(__doc__, cases)


if __name__ == "__main__":
    sys.exit(main())
