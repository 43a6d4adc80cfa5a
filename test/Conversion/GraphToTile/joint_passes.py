#!/usr/bin/python3
# This file is part of the Sectile project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Runs pairs of reductions over rows that no near cache holds, on every CPU level, and compares with numpy.

    test/Conversion/GraphToTile/joint_passes.py --sectile=build/bin/sectile

Among the rows are those where a rescaling law is easily wrong: nothing but -inf or the lowest float, a greatest
element that comes last, NaN. Pairs that look as if they had a law, but do not, must not share a pass. The last line
is "N passed, N failed, N skipped" (models).
"""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Callable, NamedTuple

import numpy as np
from sectile_reference.cases import run_cases

LEVELS = ("sse4", "avx2", "avx512")
LENGTH = 262147
LOWEST = float(np.finfo(np.float32).min)
UNIT = 2.0**-24

SUM_OF = "    %t = arith.addf %o, {} : f32\n    linalg.yield %t : f32"
MOST = "    %t = arith.maximumf %o, %a : f32\n    linalg.yield %t : f32"
LEAST = "    %t = arith.minimumf %o, %a : f32\n    linalg.yield %t : f32"
EXPONENTIAL = "    %d = arith.subf %a, %b : f32\n    %e = math.exp %d : f32\n"
DISTANCE = """    %u = arith.divf %b, %count : f32
    %d = arith.subf %a, %u : f32
    %q = arith.mulf %d, %d : f32
"""
SELECTED = EXPONENTIAL + """    %c = arith.cmpf ogt, %a, %least : f32
    %v = arith.select %c, %e, %zero : f32
"""


class Case(NamedTuple):
    """Two reductions over rows of %x: a first one, and one whose terms use its result %b, and which is the
    model's result. Of two that have nothing to do with each other, the difference is."""

    name: str
    first: str
    start: str
    second: str
    second_start: str
    shares: bool
    reference: Callable


def with_most(row: np.ndarray) -> np.ndarray:
    """exp(x - max x)."""
    return np.exp(row - row.max())


CASES = [
    Case("exponential", MOST, "least", EXPONENTIAL + SUM_OF.format("%e"), "zero", True,
         lambda x: with_most(x).sum()),
    Case("exponential from the lowest", MOST, "lowest", EXPONENTIAL + SUM_OF.format("%e"), "zero", True,
         lambda x: np.exp(x - max(x.max(), LOWEST)).sum()),
    Case("scaled", MOST, "least",
         EXPONENTIAL + "    %n = arith.negf %e : f32\n    %w = arith.divf %n, %half : f32\n"
         + SUM_OF.format("%w"), "zero", True, lambda x: -with_most(x).sum() / (LENGTH / 2)),
    Case("variance", SUM_OF.format("%a"), "zero", DISTANCE + SUM_OF.format("%q"), "zero", True,
         lambda x: ((x - x.mean()) ** 2).sum()),
    Case("independent", MOST, "least", LEAST, "most", True,
         lambda x: x.min() - x.max()),
    # Where all elements are -inf, the sum is 0, and without the selection NaN.
    Case("selected", MOST, "least", SELECTED + SUM_OF.format("%v"), "zero", False,
         lambda x: np.where(x > -np.inf, with_most(x), 0).sum()),
    # The greatest element is not that of what is exponentiated.
    Case("of the negated", "    %n = arith.negf %a : f32\n    %t = arith.maximumf %o, %n : f32\n"
         "    linalg.yield %t : f32", "least", EXPONENTIAL + SUM_OF.format("%e"), "zero", False,
         lambda x: np.exp(x - (-x).max()).sum()),
    # Nor is the mean.
    Case("of the squares", "    %q = arith.mulf %a, %a : f32\n" + SUM_OF.format("%q"), "zero",
         DISTANCE.replace("%q", "%r") + SUM_OF.format("%r"), "zero", False,
         lambda x: ((x - (x * x).mean()) ** 2).sum()),
    Case("of another count", SUM_OF.format("%a"), "zero",
         DISTANCE.replace("%count", "%half") + SUM_OF.format("%q"), "zero", False,
         lambda x: ((x - 2 * x.mean()) ** 2).sum()),
]  # fmt: skip


def make_rows(random: np.random.Generator) -> np.ndarray:
    """The rows."""
    rows = random.standard_normal((11, LENGTH))
    rows[1] += 100
    rows[2] = -np.inf
    rows[3] = LOWEST
    rows[4, :-1] = -np.inf
    rows[5, : LENGTH // 2] = -np.inf
    rows[6, LENGTH // 3] = np.nan
    rows[7, LENGTH // 3] = np.inf
    rows[8] = 3
    rows[9] = np.sort(rows[9]) * 10
    rows[10, 0], rows[10, -1] = 100, -300
    return rows.astype(np.float32)


def write(case: Case) -> str:
    """The model."""
    rows = f"tensor<11x{LENGTH}xf32>"

    def reduction(name: str, start: str, body: str, *more: str) -> str:
        maps = ", ".join(["#id"] + ["#row"] * (len(more) + 1))
        inputs, types = ", ".join(["%x", *more]), ", ".join([rows] + ["tensor<11xf32>"] * len(more))
        block = ", ".join(["%a: f32"] + ["%b: f32"] * len(more) + ["%o: f32"])
        return f"""  %{name}_start = linalg.fill ins(%{start} : f32) outs(%empty : tensor<11xf32>) -> tensor<11xf32>
  %{name} = linalg.generic {{indexing_maps = [{maps}], iterator_types = ["parallel", "reduction"]}}
      ins({inputs} : {types}) outs(%{name}_start : tensor<11xf32>) {{
  ^bb0({block}):
{body}
  }} -> tensor<11xf32>
"""

    follows = "%b" in case.second
    second = ("%first",) if follows else ()
    result = "%second"
    difference = ""
    if not follows:
        result = "%difference"
        difference = """  %difference = linalg.map { arith.subf } ins(%second, %first : tensor<11xf32>, tensor<11xf32>)
      outs(%empty : tensor<11xf32>)
"""
    return f"""#id = affine_map<(r, n) -> (r, n)>
#row = affine_map<(r, n) -> (r)>
func.func @main(%x: {rows}) -> tensor<11xf32> {{
  %zero = arith.constant 0.0 : f32
  %least = arith.constant 0xFF800000 : f32
  %most = arith.constant 0x7F800000 : f32
  %lowest = arith.constant 0xFF7FFFFF : f32
  %count = arith.constant {float(LENGTH)} : f32
  %half = arith.constant {LENGTH / 2} : f32
  %empty = tensor.empty() : tensor<11xf32>
{reduction("first", case.start, case.first)}{reduction("second", case.second_start, case.second, *second)}{difference}  return {result} : tensor<11xf32>
}}
"""


def check(sectile: str, case: Case, folder: str) -> str:
    """What is wrong, or nothing."""
    model, package = os.path.join(folder, "model.mlir"), os.path.join(folder, "package")
    with open(model, "w", encoding="utf-8") as file:
        file.write(write(case))
    explained = subprocess.run([sectile, "compile", model, "-o", package, "--explain"],
                               capture_output=True, text=True)  # fmt: skip
    if explained.returncode:
        return f"compile: {explained.stderr}"
    shares = "in one pass" in explained.stdout
    if shares != case.shares:
        return f"expects {'one pass' if case.shares else 'no shared pass'}: {explained.stdout}"
    rows = make_rows(np.random.default_rng(len(case.name)))
    path = os.path.join(folder, "x.npy")
    np.save(path, rows)
    with np.errstate(all="ignore"):
        expected = np.array([case.reference(row) for row in rows.astype(np.float64)])
        # Blocks of 2048 elements in 64 partial sums or fewer: 512 additions in a block on the narrowest
        # registers, two roundings for each block, and those of a term, whose exponent is off by a unit
        # of the distance from the greatest. A mean is off by as many units, which a variance squares.
        roundings = 512 + 2 * LENGTH / 2048 + 128
        scale = np.array([np.abs(row).max() for row in rows.astype(np.float64)])
        bound = 2 * roundings * UNIT * np.abs(expected) + LENGTH * (scale * roundings * UNIT) ** 2
    for level in LEVELS:
        done = subprocess.run(
            [sectile, "run", package, f"--output-dir={folder}", "--threads=2", f"--input=in0={path}"],
            capture_output=True, text=True, env={**os.environ, "SECTILE_CPU_LEVEL": level},
        )  # fmt: skip
        if "but this CPU lacks" in done.stderr:
            continue
        if done.returncode:
            return f"{level}: {done.stderr}"
        actual = np.load(os.path.join(folder, "out0.npy")).astype(np.float64)
        with np.errstate(all="ignore"):
            rounded = expected.astype(np.float32).astype(np.float64)
            good = (actual == rounded) | (np.isnan(actual) & np.isnan(expected))
            good |= np.abs(actual - expected) <= np.maximum(bound, 1e-38)
            # A sum of elements that no float holds has no mean.
            good |= (case.start == "zero") & np.isfinite(scale) & (scale * LENGTH > -LOWEST)
        if not good.all():
            row = int(np.argmin(good))
            return f"{level}: row {row}: expects {expected[row]}, but got {actual[row]}"
    return ""


def main() -> int:
    """The command; returns its exit status."""
    cases = [(case.name, lambda sectile, at, case=case: check(sectile, case, at)) for case in CASES]
    return run_cases(__doc__, cases)


if __name__ == "__main__":
    sys.exit(main())
