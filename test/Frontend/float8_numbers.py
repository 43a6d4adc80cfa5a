#!/usr/bin/python3
# This file is part of the Sectile project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Runs casts to and from 8-bit floats on every CPU level and compares them with tables of their codes.

    test/Frontend/float8_numbers.py --sectile=build/bin/sectile

The tables follow from the formats' definitions; the nearest code is searched for, ties going to the even
one. Inputs are all numbers of the format, all points in the middle between two, their neighbours, special
values and random bits. The last line is "N passed, N failed, N skipped" (models).
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from typing import NamedTuple

import numpy as np
import onnx
from onnx import TensorProto, helper

LEVELS = ("sse4", "avx2", "avx512")


class Format(NamedTuple):
    """An 8-bit float."""

    number: int  # in TensorProto.DataType
    mantissa: int
    bias: int
    has_infinity: bool
    is_fnuz: bool  # no -0; 0x80 is the only NaN

    def decode(self) -> np.ndarray:
        """The value of each of the 256 codes."""
        values = np.zeros(256)
        for code in range(256):
            magnitude, sign = code & 0x7F, -1.0 if code & 0x80 else 1.0
            exponent, fraction = magnitude >> self.mantissa, magnitude & ((1 << self.mantissa) - 1)
            one = 1 << self.mantissa
            if exponent == 0:
                value = fraction / one * 2.0 ** (1 - self.bias)
            else:
                value = (one + fraction) / one * 2.0 ** (exponent - self.bias)
            if self.is_fnuz:
                value = np.nan if code == 0x80 else value
            elif self.has_infinity and exponent == (0x7F >> self.mantissa):
                value = np.nan if fraction else np.inf
            elif not self.has_infinity and magnitude == 0x7F:
                value = np.nan
            values[code] = sign * value
        return values

    def round(self, x: np.ndarray, saturates: bool) -> np.ndarray:
        """Each number as the format's nearest."""
        codes = self.decode()[:0x80]
        grid = codes[np.isfinite(codes)]  # ascending
        most = grid[-1]
        # One more number of the largest exponent stands for what is too large.
        grid = np.append(grid, 2 * grid[-1] - grid[-2])
        magnitude = np.minimum(np.abs(x), grid[-1])
        above = np.clip(np.searchsorted(grid, magnitude), 1, len(grid) - 1)
        low, high = grid[above - 1], grid[above]
        middle = (low + high) / 2
        takes_high = (magnitude > middle) | ((magnitude == middle) & (above % 2 == 0))
        rounded = np.where(takes_high, high, low)
        overflow = most if saturates else np.inf if self.has_infinity else np.nan
        rounded = np.where(rounded > most, overflow, rounded)
        rounded = np.where(np.isnan(x), np.nan, np.copysign(rounded, x))
        return np.where(rounded == 0, 0.0, rounded) if self.is_fnuz else rounded


FORMATS = {
    "e4m3fn": Format(17, 3, 7, False, False),
    "e4m3fnuz": Format(18, 3, 8, False, True),
    "e5m2": Format(19, 2, 15, True, False),
    "e5m2fnuz": Format(20, 2, 16, False, True),
}


def make_inputs(fmt: Format) -> np.ndarray:
    """Numbers that are hard to round, and others."""
    codes = fmt.decode()
    grid = np.sort(codes[np.isfinite(codes)])
    middles = (grid[1:] + grid[:-1]) / 2
    beyond = [2 * grid[-1] - grid[-2], 1.5 * grid[-1] - 0.5 * grid[-2], 1e30]
    exact = np.concatenate([grid, middles, beyond, np.negative(beyond)]).astype(np.float32)
    near = [np.nextafter(exact, np.float32(np.inf)), np.nextafter(exact, np.float32(-np.inf))]
    special = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, 1e-45, 3e38], np.float32)
    bits = np.random.default_rng(8).integers(0, 2**32, 5000, np.uint64).astype(np.uint32)
    return np.concatenate([exact, *near, special, bits.view(np.float32)])


def make_model(fmt: Format, saturates: bool) -> onnx.ModelProto:
    """Casts from f32 and f16 there and back, through data movement, and quantization."""
    scale = helper.make_tensor("scale", TensorProto.FLOAT, [], [0.25])
    zero = TensorProto(name="zero", data_type=fmt.number, raw_data=b"\0")
    codes = TensorProto(name="codes", data_type=fmt.number, dims=[256], raw_data=bytes(range(256)))
    cast = {"to": fmt.number, "saturate": int(saturates)}
    nodes = [
        helper.make_node("Cast", ["x"], ["a"], **cast),
        helper.make_node("Cast", ["a"], ["y"], to=TensorProto.FLOAT),
        helper.make_node("Cast", ["x"], ["h"], to=TensorProto.FLOAT16),
        helper.make_node("Cast", ["h"], ["b"], **cast),
        helper.make_node("Concat", ["b", "codes"], ["c"], axis=0),
        helper.make_node("Cast", ["c"], ["z"], to=TensorProto.FLOAT16),
        helper.make_node("QuantizeLinear", ["x", "scale", "zero"], ["q"], saturate=int(saturates)),
        helper.make_node("DequantizeLinear", ["q", "scale", "zero"], ["w"]),
    ]
    kinds = {"y": TensorProto.FLOAT, "z": TensorProto.FLOAT16, "w": TensorProto.FLOAT}
    graph = helper.make_graph(
        nodes,
        "float8",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n"])],
        [helper.make_tensor_value_info(name, kind, ["m"]) for name, kind in kinds.items()],
        [scale, zero, codes],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=9)


def run(command: list, **environment: str) -> str:
    """What a command says if it fails."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=300,
                          env={**os.environ, **environment})
    return f"{command[1]}: status {done.returncode}: {done.stdout}{done.stderr}" if done.returncode else ""


def differs(name: str, actual: np.ndarray, expected: np.ndarray) -> str:
    """Where two arrays differ in more than a NaN's bits."""
    expected = expected.astype(actual.dtype)
    same = (actual == expected) & (np.signbit(actual) == np.signbit(expected))
    same |= np.isnan(actual) & np.isnan(expected)
    if same.all():
        return ""
    at = int(np.argmin(same))
    return f"{name}[{at}]: expects {expected[at]}, but got {actual[at]}"


def check_edges(sectile: str, fmt: Format, folder: str) -> str:
    """What is wrong with 8-bit floats that a model takes and gives, or nothing: every code, given as
    float32 numbers and as bytes, is moved and comes out, and is converted."""
    model, package = os.path.join(folder, "edges.onnx"), os.path.join(folder, "edges")
    nodes = [helper.make_node("Transpose", ["f"], ["g"]),
             helper.make_node("Cast", ["f"], ["y"], to=TensorProto.FLOAT)]
    kinds = {"g": (fmt.number, [128, 2]), "y": (TensorProto.FLOAT, [2, 128])}
    graph = helper.make_graph(nodes, "edges", [helper.make_tensor_value_info("f", fmt.number, [2, 128])],
                              [helper.make_tensor_value_info(n, *kind) for n, kind in kinds.items()])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=9), model)
    problem = run([sectile, "compile", model, "-o", package])
    if problem:
        return problem
    values = fmt.decode().reshape(2, 128)
    kind = "f1" if fmt.number == 19 else "V1"
    codes = np.arange(256, dtype=np.uint8).reshape(2, 128).view(kind if kind == "V1" else np.uint8)
    given = {"numbers.npy": values.astype(np.float32), "bytes.npy": codes}
    for file, array in given.items():
        np.save(os.path.join(folder, file), array)
    if kind == "f1":  # As ml_dtypes writes it; numpy alone does not.
        path = os.path.join(folder, "bytes.npy")
        with open(path, "rb") as stream:
            raw = stream.read()
        with open(path, "wb") as stream:
            stream.write(raw.replace(b"'|u1'", b"'<f1'"))
    for file in given:
        problem = run([sectile, "run", package, f"--output-dir={folder}", f"--input=f={folder}/{file}"])
        if problem:
            return f"{file}: {problem}"
        for name, expected in (("g", values.T), ("y", values)):
            problem = differs(name, np.load(os.path.join(folder, f"{name}.npy")).ravel(), expected.ravel())
            if problem:
                return f"{file}: {problem}"
    np.save(os.path.join(folder, "inexact.npy"), np.full((2, 128), 1.03, np.float32))
    problem = run([sectile, "run", package, f"--input=f={folder}/inexact.npy"])
    return "" if "holds 1.02999997" in problem else f"expects a refusal of 1.03, but got {problem!r}"


def check(sectile: str, fmt: Format, saturates: bool, folder: str) -> str:
    """What is wrong, or nothing."""
    model, package = os.path.join(folder, "model.onnx"), os.path.join(folder, "package")
    onnx.save(make_model(fmt, saturates), model)
    x = make_inputs(fmt)
    np.save(os.path.join(folder, "x.npy"), x)
    problem = run([sectile, "compile", model, "-o", package]) or run(
        [sectile, "verify", model, "--quiet", "--trials=0", "--dims=n=9"])
    if problem:
        return problem
    wide, half = x.astype(np.float64), x.astype(np.float16).astype(np.float64)
    ratio = (x / np.float32(0.25)).astype(np.float64)
    expected = {
        "y": fmt.round(wide, saturates),
        "z": np.concatenate([fmt.round(half, saturates), fmt.decode()]),
        "w": fmt.round(ratio, saturates) * 0.25,
    }
    for level in LEVELS:
        problem = run([sectile, "run", package, f"--output-dir={folder}", f"--input=x={folder}/x.npy"],
                      SECTILE_CPU_LEVEL=level)
        if "but this CPU lacks" in problem:
            continue
        if problem:
            return problem
        for name, values in expected.items():
            problem = differs(name, np.load(os.path.join(folder, f"{name}.npy")), values)
            if problem:
                return f"{level}: {problem}"
    return check_edges(sectile, fmt, folder)


def main() -> int:
    """The command; returns its exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sectile", required=True)
    arguments = parser.parse_args()
    np.seterr(all="ignore")
    passed = failed = 0
    for name, fmt in FORMATS.items():
        for saturates in (False, True):
            with tempfile.TemporaryDirectory() as folder:
                problem = check(arguments.sectile, fmt, saturates, folder)
            passed += not problem
            failed += bool(problem)
            label = f"{name}, {'saturating' if saturates else 'not saturating'}"
            print(f"FAILED: {label}: {problem}" if problem else f"ok: {label}", flush=True)
    print(f"{passed} passed, {failed} failed, 0 skipped")
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
