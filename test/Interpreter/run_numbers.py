#!/usr/bin/python3
# This file is part of the Sectile project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compares graph.quantize, graph.dequantize and the tile ops of these names in the interpreter with
a few lines of numpy: every kind of format, blocks that do not divide, zero points, NaN, infinities.

    test/Interpreter/run_numbers.py --interpret=build/bin/sectile-interpret
    test/Interpreter/run_numbers.py --sectile=build/bin/sectile

With --sectile the graph ops are compiled and run instead, in turn with known extents, with unknown ones
and on constants, which the compiler computes.

The numbers of a format are computed here from its parameters, and its codes by search among all.
The last line is "N passed, N failed, N skipped".
"""

from __future__ import annotations

import argparse
import math
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Callable, Dict, List, Optional, Sequence, Tuple

import numpy as np

NF4 = [-1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635,
       -0.18477343022823334, -0.09105003625154495, 0.0, 0.07958029955625534, 0.16093020141124725,
       0.24611230194568634, 0.33791524171829224, 0.44070982933044434, 0.5626170039176941,
       0.7229568362236023, 1.0]  # fmt: skip


def float_table(exponent: int, mantissa: int, special: str, bias: Optional[int] = None) -> List[float]:
    """What the codes of a float with a sign stand for; `special` as in docs/formats.md."""
    bias = 2 ** (exponent - 1) - 1 if bias is None else bias
    table = []
    for code in range(2 ** (1 + exponent + mantissa)):
        e, m = code >> mantissa & (2**exponent - 1), code & (2**mantissa - 1)
        sign = -1.0 if code >> (exponent + mantissa) else 1.0
        fraction = m / 2**mantissa
        value = math.ldexp(1 + fraction, e - bias) if e else math.ldexp(fraction, 1 - bias)
        if special == "ieee" and e == 2**exponent - 1:
            value = math.nan if m else math.inf
        if special == "fn" and code & 0x7F == 0x7F:
            value = math.nan
        table.append(sign * value)
    return table


class Format:
    """A format: its text, what its codes stand for, and how ties are broken."""

    def __init__(self, text: str, table: Sequence[float], tie: str, signed: bool = False) -> None:
        self.text, self.table, self.tie, self.signed = text, list(table), tie, signed
        self.isInteger = tie == "number"
        self.bits = max(1, (len(self.table) - 1).bit_length())

    def decode(self, held: int) -> float:
        """The number of a code that an integer holds."""
        return self.table[min(held & (2**self.bits - 1), len(self.table) - 1)]

    def encode(self, value: float, special: bool) -> int:
        """The code of a number, by search."""
        hasNaN, hasInf = any(map(math.isnan, self.table)), math.inf in self.table
        if math.isnan(value):
            return self.find(math.nan) if hasNaN else self.encode(0.0, special)
        finite = [code for code, number in enumerate(self.table) if math.isfinite(number)]
        ends = sorted(self.table[code] for code in finite)
        if special and self.tie == "mantissa" and (hasNaN or hasInf):
            # Beyond where a further number would still round to the last one, ties away from it.
            step = ends[-1] - ends[-3] if ends[-1] == ends[-2] else ends[-1] - ends[-2]
            last_is_even = self.find(ends[-1]) % 2 == 0
            limit = ends[-1] + step / 2
            if abs(value) > limit or (abs(value) == limit and not last_is_even):
                return self.find(math.copysign(math.inf, value) if hasInf else math.nan)
        value = min(max(value, ends[0]), ends[-1])
        least = min(abs(self.table[code] - value) for code in finite)
        best = [code for code in finite if abs(self.table[code] - value) == least]
        if len([code for code in best if self.table[code] == 0]) == 2:  # of two zeros, that of its sign
            sign = math.copysign(1, value)
            best = [code for code in best if self.table[code] or math.copysign(1, self.table[code]) == sign]
        rules: Dict[str, Callable[[int], Tuple[float, ...]]] = {
            "number": lambda code: (self.table[code] % 2,),
            "code": lambda code: (code % 2,),
            "mantissa": lambda code: (code % 2,),
            "up": lambda code: (-self.table[code],),
            "first": lambda code: (code,),
        }
        return min(best, key=rules[self.tie])

    def find(self, number: float) -> int:
        """The first code of a number."""
        if math.isnan(number):
            return next(c for c, value in enumerate(self.table) if math.isnan(value))
        return self.table.index(number)

    def hold(self, code: int) -> int:
        """A code as a byte holds it."""
        if self.signed and code >= 2 ** (self.bits - 1):
            code -= 2**self.bits
        return int(np.array(code & 0xFF, np.uint8).view(np.int8))


def integer(bits: int, signed: bool, bias: int = 0, fraction: int = 0) -> Format:
    """An integer format."""
    numbers = [code - 2**bits if signed and code >= 2 ** (bits - 1) else code - bias
               for code in range(2**bits)]
    text = f"{'' if signed else 'u'}int{bits}"
    text += f".{fraction}" if fraction else ""
    text += f"-{bias}" if bias else ""
    table = [number / 2**fraction for number in numbers]
    # Without bias the number of a step is even where the code is.
    return Format(text, table, "code" if fraction else "number", signed)


FORMATS = [
    integer(8, True), integer(8, False), integer(4, True), integer(4, False), integer(4, False, 8),
    integer(3, True), integer(2, False), integer(1, True), integer(5, False, 3), integer(7, True),
    integer(6, True, fraction=4),
    Format("bipolar2", [-3, -1, 1, 3], "up"), Format("bipolar1", [-1, 1], "up"),
    Format("ternary", [-1, 0, 1], "number"),
    Format("e4m3fn", float_table(4, 3, "fn"), "mantissa"),
    Format("e5m2", float_table(5, 2, "ieee"), "mantissa"),
    Format("e2m1", float_table(2, 1, ""), "mantissa"),
    Format("e3m2", float_table(3, 2, ""), "mantissa"),
    Format("nf4", [float(np.float32(value)) for value in NF4], "first"),
    Format("codebook[-3,0.5,2,7,7.5]", [-3, 0.5, 2, 7, 7.5], "first"),
]  # fmt: skip

# Shape and block sizes.
PLACES: List[Tuple[Tuple[int, ...], Tuple[int, ...]]] = [
    ((3, 7), (0, 0)), ((3, 7), (1, 0)), ((5, 33), (1, 16)), ((5, 33), (2, 0)), ((1, 1), (1, 1)),
    ((0, 4), (1, 2)), ((2, 3, 5), (0, 1, 2)),
]  # fmt: skip


def count(shape: Sequence[int], block: Sequence[int]) -> Tuple[int, ...]:
    """How many blocks there are."""
    return tuple(-(-extent // size) if size else 1 for extent, size in zip(shape, block))


def spread(array: np.ndarray, shape: Sequence[int], block: Sequence[int]) -> np.ndarray:
    """Each block's element for all elements of the block."""
    for dim, (extent, size) in enumerate(zip(shape, block)):
        array = np.take(array, [i // size if size else 0 for i in range(extent)], dim)
    return array


class Bench:
    """Runs ops in the interpreter and compares."""

    def __init__(self, interpret: Optional[str], sectile: Optional[str]) -> None:
        self.interpret, self.sectile, self.passed, self.failed = interpret, sectile, 0, 0

    def run(self, text: str, inputs: Sequence[np.ndarray], result: str = "out0") -> np.ndarray:
        """What a function makes of its inputs."""
        with tempfile.TemporaryDirectory() as folder:
            form = (self.passed + self.failed) % 3 if self.sectile else 0
            if form == 2 and all(array.size for array in inputs):
                text, inputs = self.embed(text, inputs), []
            elif form == 1:
                # Without extents in the types but for one, which broadcasts.
                text = re.sub("[0-9]+x", lambda n: n.group() if n.group() == "1x" else "?x", text)
            Path(folder, "f.mlir").write_text(text, encoding="utf-8")
            arguments = []
            for i, array in enumerate(inputs):
                np.save(f"{folder}/in{i}.npy", array)
                arguments.append(f"--input=in{i}={folder}/in{i}.npy")
            command = [self.interpret, f"{folder}/f.mlir", "--round"]
            if self.sectile:
                command = [self.sectile, "run", f"{folder}/f.package"]
                subprocess.run([self.sectile, "compile", f"{folder}/f.mlir", "-o", command[-1]], check=True)
            subprocess.run([*command, *arguments, f"--output-dir={folder}"], check=True,
                           stdout=subprocess.DEVNULL)  # fmt: skip
            return np.load(f"{folder}/{result}.npy")

    @staticmethod
    def embed(text: str, inputs: Sequence[np.ndarray]) -> str:
        """A function with its inputs as constants: the compiler computes what it returns."""
        head, body = text.split("{", 1)
        types = re.findall("%in[0-9]+: (tensor<[^>]*>)", head)
        constants = [f'%in{i} = arith.constant dense<"0x{array.tobytes().hex()}"> : {kind}'
                     for i, (array, kind) in enumerate(zip(inputs, types))]  # fmt: skip
        return f"func.func @f() ->{head.split('->')[1]}{{" + "\n".join(["", *constants, body])

    def check(self, what: str, got: np.ndarray, expected: np.ndarray) -> None:
        """Counts a case."""
        same = np.array_equal(got, expected, equal_nan=expected.dtype.kind == "f")
        if expected.dtype.kind == "f":
            signs = ~np.isnan(expected)
            same = same and np.array_equal(np.signbit(got[signs]), np.signbit(expected[signs]))
        self.passed, self.failed = self.passed + same, self.failed + (not same)
        if not same:
            places = np.argwhere(~((got == expected) | ((got != got) & (expected != expected))))
            first = tuple(places[0]) if len(places) else "zeros"
            at = f"got {got[first]}, expected {expected[first]}" if len(places) else ""
            print(f"FAIL {what} at {first}: {at}")


def tensor(shape: Sequence[int], element: str) -> str:
    """A type."""
    return f"tensor<{''.join(f'{extent}x' for extent in shape)}{element}>"


def make(level: str, op: str, fmt: Format, shape: Sequence[int], block: Sequence[int],
         elements: Sequence[str], zero: str, extra: str = "") -> str:  # fmt: skip
    """A function of one op; `elements` of its source and its result."""
    blocks = count(shape, block)
    types = [tensor(shape, elements[0]), tensor(blocks, "f32")]
    types += [tensor(blocks, zero)] if zero else []
    attributes = f'format = "{fmt.text}"{extra}'
    if level == "graph":
        attributes += f", block = {list(block)}"
    arguments = ", ".join(f"%in{i}: {kind}" for i, kind in enumerate(types))
    result = tensor(shape, elements[1])
    return f"""func.func @f({arguments}) -> {result} {{
      %r = {level}.{op} %in0 scale %in1 {'zero %in2' if zero else ''} {{{attributes}}}
           : ({', '.join(types)}) -> {result}
      return %r : {result}
    }}"""


def try_dequantize(bench: Bench, fmt: Format, level: str, shape: Sequence[int],
                   block: Sequence[int], zero: str, rng: np.random.Generator) -> None:  # fmt: skip
    """Codes with every bit set at random, in bytes."""
    blocks = count(shape, block)
    codes = rng.integers(-128, 128, shape).astype(np.int8)
    scale = rng.normal(size=blocks).astype(np.float32)
    if scale.size > 1:
        scale.flat[0] = 0
    inputs = [codes, scale]
    decode = np.vectorize(fmt.decode, otypes=[np.float32])
    with np.errstate(all="ignore"):
        value = decode(codes.view(np.int8).astype(int)) if codes.size else codes.astype(np.float32)
        if zero:
            points = (rng.integers(-128, 128, blocks).astype(np.int8) if zero == "i8"
                      else rng.normal(size=blocks).astype(np.float32))  # fmt: skip
            inputs.append(points)
            shift = points if zero == "f32" or not points.size else decode(points.astype(int))
            value = value - spread(shift, shape, block).astype(np.float32)
        expected = value * spread(scale, shape, block)
        got = bench.run(make(level, "dequantize", fmt, shape, block, ["i8", "f32"], zero), inputs)
        bench.check(f"{level}.dequantize {fmt.text} {shape} {block} zero {zero or 'none'}", got,
                    expected)  # fmt: skip


def try_quantize(bench: Bench, fmt: Format, level: str, shape: Sequence[int],
                 block: Sequence[int], zero: str, special: bool,
                 rng: np.random.Generator) -> None:  # fmt: skip
    """Numbers around those of the format, halfway between two, and far beyond."""
    blocks = count(shape, block)
    finite = [value for value in fmt.table if math.isfinite(value)]
    values = rng.choice(finite, shape) + rng.choice(finite, shape) if np.prod(shape) else np.zeros(shape)
    values = (values / 2 * rng.choice([1, 1, 1, 0.9, 1.3], shape)).astype(np.float32)
    flat = values.reshape(-1)
    for i, value in enumerate((math.nan, math.inf, -math.inf, 1e30, -1e30, -0.0)):
        if flat.size > 2 * i:
            flat[2 * i] = value
    scale = rng.choice([0.5, 1, 2, 0.3, -1], blocks).astype(np.float32)
    if scale.size > 3:
        scale.flat[3] = 0
    inputs = [values, scale]
    with np.errstate(all="ignore"):
        ratio = (values / spread(scale, shape, block)).astype(np.float32)
        shift = np.zeros(shape, np.float32)
        if zero:
            points = (rng.integers(0, 8, blocks).astype(np.int8) if zero == "i8"
                      else rng.normal(size=blocks).astype(np.float32))  # fmt: skip
            inputs.append(points)
            if zero == "i8" and points.size:
                points = np.vectorize(fmt.decode, otypes=[np.float32])(points.astype(int))
            shift = spread(points, shape, block).astype(np.float32)
        expected = np.zeros(shape, np.int8)
        for place in np.ndindex(*shape):
            number = ratio[place]
            if zero == "i8" and fmt.isInteger:
                number = np.rint(number) + shift[place]
            elif zero:
                number = np.float32(number + shift[place])
            expected[place] = fmt.hold(fmt.encode(float(number), special))
    extra = ", special" if special else ""
    got = bench.run(make(level, "quantize", fmt, shape, block, ["f32", "i8"], zero, extra), inputs)
    if any(map(math.isnan, fmt.table)):  # which NaN is not said
        decode = np.vectorize(fmt.decode, otypes=[np.float64])
        got, expected = (decode(a.astype(int)) if a.size else a for a in (got, expected))
    bench.check(f"{level}.quantize {fmt.text} {shape} {block} zero {zero or 'none'}{extra}", got,
                expected)  # fmt: skip


def main() -> int:
    """Runs all cases."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--interpret", help="the interpreter")
    parser.add_argument("--sectile", help="the compiler")
    arguments = parser.parse_args()
    bench = Bench(arguments.interpret, arguments.sectile)
    rng = np.random.default_rng(0)
    zeros = ("", "i8", "f32")
    for number, fmt in enumerate(FORMATS):
        for i, (shape, block) in enumerate(PLACES):
            if (number + i) % 2:
                continue
            zero = zeros[(number + i) // 2 % 3]
            try_dequantize(bench, fmt, "graph", shape, block, zero, rng)
            try_quantize(bench, fmt, "graph", shape, block, zero, i % 4 < 2, rng)
        if bench.sectile:
            continue
        for zero in zeros:
            try_dequantize(bench, fmt, "tile", (4, 64), (1, 0), zero, rng)
            try_quantize(bench, fmt, "tile", (4, 64), (0, 1), zero, number % 2 == 0, rng)
    print(f"{bench.passed} passed, {bench.failed} failed, 0 skipped")
    return 1 if bench.failed else 0


if __name__ == "__main__":
    sys.exit(main())
