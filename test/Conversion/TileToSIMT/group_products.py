#!/usr/bin/env python3
# This file is part of the Sectile project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Products of f16 from graphs to sm_90a's warp groups, on the emulator, against float64.

Sides in both directions, odd extents, batches, epilogues. Each must be computed by wgmma, without a
finding of the emulator, within a bound of the sum's rounding: K products, each sum rounded to f32
(relative 2^-24 of the sum of magnitudes), and the result to its type.
"""

import argparse
import pathlib
import subprocess
import sys
import tempfile

import numpy as np


def graph(batch, m, n, k, a_is_km, b_is_nk, epilogue):
    """linalg of out[b, m, n] = epilogue(a x b), its sides stored as [k, m] and [n, k] where asked."""
    lead = f"{batch}x" if batch > 1 else ""
    d = ["d0"] if batch > 1 else []
    i, j, s = ("d1", "d2", "d3") if batch > 1 else ("d0", "d1", "d2")
    dims = ", ".join(d + [i, j, s])

    def shape(*extents):
        return lead + "x".join(map(str, extents))

    def mapping(*results):
        return f"affine_map<({dims}) -> ({', '.join(d + list(results))})>"

    a = (k, m) if a_is_km else (m, k)
    b = (n, k) if b_is_nk else (k, n)
    map_a = mapping(s, i) if a_is_km else mapping(i, s)
    map_b = mapping(j, s) if b_is_nk else mapping(s, j)
    parallel = ", ".join(['"parallel"'] * (len(d) + 2))
    out = shape(m, n)
    element = "f16" if epilogue else "f32"
    text = f"""
func.func @main(%a: tensor<{shape(*a)}xf16>, %b: tensor<{shape(*b)}xf16>, %bias: tensor<{n}xf32>)
    -> tensor<{out}x{element}> {{
  %z = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<{out}xf32>
  %f = linalg.fill ins(%z : f32) outs(%e : tensor<{out}xf32>) -> tensor<{out}xf32>
  %p = linalg.generic {{indexing_maps = [{map_a}, {map_b}, {mapping(i, j)}],
                       iterator_types = [{parallel}, "reduction"]}}
      ins(%a, %b : tensor<{shape(*a)}xf16>, tensor<{shape(*b)}xf16>) outs(%f : tensor<{out}xf32>) {{
  ^bb0(%x: f16, %y: f16, %acc: f32):
    %xw = arith.extf %x : f16 to f32
    %yw = arith.extf %y : f16 to f32
    %xy = arith.mulf %xw, %yw : f32
    %r = arith.addf %acc, %xy : f32
    linalg.yield %r : f32
  }} -> tensor<{out}xf32>
"""
    if not epilogue:
        return text + f"  return %p : tensor<{out}xf32>\n}}\n"
    dims = ", ".join(d + [i, j])
    return (
        text
        + f"""
  %g = tensor.empty() : tensor<{out}xf16>
  %q = linalg.generic {{indexing_maps = [affine_map<({dims}) -> ({dims})>, affine_map<({dims}) -> ({j})>,
                                        affine_map<({dims}) -> ({dims})>], iterator_types = [{parallel}]}}
      ins(%p, %bias : tensor<{out}xf32>, tensor<{n}xf32>) outs(%g : tensor<{out}xf16>) {{
  ^bb0(%x: f32, %y: f32, %o: f16):
    %s = arith.addf %x, %y : f32
    %m = arith.maximumf %s, %z : f32
    %t = arith.truncf %m : f32 to f16
    linalg.yield %t : f16
  }} -> tensor<{out}xf16>
  return %q : tensor<{out}xf16>
}}
"""
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sectile", default="sectile")
    args = parser.parse_args()
    rng = np.random.default_rng(1)
    # Many blocks of few steps: a schedule for 132 cores takes tiles of 64 rows and more then.
    cases = [
        (1, 1000, 1032, 72, False, True, True),
        (1, 1026, 1000, 34, True, False, True),
        (1, 1024, 776, 130, True, True, False),
        (24, 200, 256, 48, False, True, False),
    ]
    failed = 0
    for batch, m, n, k, a_is_km, b_is_nk, epilogue in cases:
        name = f"{batch} x [{m}, {k}] x [{k}, {n}], {a_is_km=}, {b_is_nk=}, {epilogue=}"
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            (folder / "m.mlir").write_text(graph(batch, m, n, k, a_is_km, b_is_nk, epilogue))
            a = rng.standard_normal((batch, m, k)).astype(np.float16)
            b = rng.standard_normal((batch, k, n)).astype(np.float16)
            bias = rng.standard_normal(n).astype(np.float32)
            stored_a = a.transpose(0, 2, 1) if a_is_km else a
            stored_b = b.transpose(0, 2, 1) if b_is_nk else b
            if batch == 1:
                stored_a, stored_b = stored_a[0], stored_b[0]
            for i, value in enumerate((stored_a, stored_b, bias)):
                np.save(folder / f"in{i}.npy", np.ascontiguousarray(value))
            compile_ = [args.sectile, "compile", str(folder / "m.mlir"), "--target=sm_90a", "--quiet"]
            ptx = subprocess.run(compile_ + ["--emit=ptx", "-o", "-"], check=True, text=True,
                                 capture_output=True).stdout
            if "wgmma.mma_async" not in ptx:
                print(f"{name}: not computed by warp groups")
                failed += 1
            made = subprocess.run(compile_ + ["-o", str(folder / "m.stp")], check=True, text=True,
                                  capture_output=True)
            if "ptxas info" in made.stderr:  # products wait for each other
                print(f"{name}: {made.stderr}")
                failed += 1
            run = subprocess.run(
                [args.sectile, "run", str(folder / "m.stp"), "--quiet", "--device=emulator:sm_90a",
                 "--sanitize=races,bounds", "--seed=5", f"--output-dir={folder}"]
                + [f"--input=in{i}={folder / f'in{i}.npy'}" for i in range(3)],
                capture_output=True, text=True, check=False)
            if run.returncode != 0:
                print(f"{name}: {run.stderr}")
                failed += 1
                continue
            result = np.load(folder / "out0.npy").astype(np.float64).reshape(batch, m, n)
            wide_a, wide_b = a.astype(np.float64), b.astype(np.float64)
            expected = wide_a @ wide_b
            bound = k * 2.0**-24 * (np.abs(wide_a) @ np.abs(wide_b))
            if epilogue:
                expected = np.maximum(expected + bias, 0)
                bound += 2.0**-24 * np.abs(expected) + 2.0**-11 * np.abs(expected) + 2.0**-25
            wrong = np.abs(result - expected) > bound
            if wrong.any():
                print(f"{name}: {wrong.sum()} of {wrong.size} elements differ, first at"
                      f" {np.argwhere(wrong)[0]}")
                failed += 1
    print(f"{len(cases) - failed} of {len(cases)} products agree")
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
