#!/usr/bin/python3
# This file is part of the Sectile project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compares the number formats with ml_dtypes and gguf, every code and many numbers, and block
formats with a few lines of numpy.

    test/reference/run_formats.py --program=build/bin/formats-convert

The packages come from the Python that SECTILE_PEER_PYTHON names; without them their cases are
skipped. The last line is "N passed, N failed, N skipped" (cases: one format, one direction).
Where the sources disagree, docs/formats.md says which rule holds; the checks below leave those inputs out.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from typing import Callable, Dict, List, Tuple

PEER = os.environ.get("SECTILE_PEER_PYTHON", "")
if PEER and os.path.exists(PEER) and os.path.abspath(sys.executable) != os.path.abspath(PEER):
    os.execv(PEER, [PEER, os.path.abspath(__file__), *sys.argv[1:]])

try:
    import numpy as np
except ImportError:
    np = None
try:
    import ml_dtypes
except ImportError:
    ml_dtypes = None
try:
    import gguf
except ImportError:
    gguf = None

FLOATS: Dict[str, str] = {
    "f8E5M2": "float8_e5m2",
    "f8E4M3": "float8_e4m3",
    "f8E4M3FN": "float8_e4m3fn",
    "f8E3M4": "float8_e3m4",
    "f8E4M3B11FNUZ": "float8_e4m3b11fnuz",
    "f8E5M2FNUZ": "float8_e5m2fnuz",
    "f8E4M3FNUZ": "float8_e4m3fnuz",
    "f6E3M2FN": "float6_e3m2fn",
    "f6E2M3FN": "float6_e2m3fn",
    "f4E2M1FN": "float4_e2m1fn",
    "f8E8M0FNU": "float8_e8m0fnu",
    "bf16": "bfloat16",
}
INTEGERS = ("int1", "int2", "int4", "uint1", "uint2", "uint4")
GGUF_ENCODED = ("Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "TQ1_0", "TQ2_0", "MXFP4")
GGUF_DECODED = GGUF_ENCODED + ("Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K", "IQ4_NL", "IQ4_XS", "NVFP4")
# Elements of the MX formats: ml_dtypes' name, exponent of the largest number.
MX: Dict[str, Tuple[str, int]] = {
    "mxfp8e5m2": ("float8_e5m2", 15),
    "mxfp8e4m3": ("float8_e4m3fn", 8),
    "mxfp6e3m2": ("float6_e3m2fn", 4),
    "mxfp6e2m3": ("float6_e2m3fn", 2),
    "mxfp4": ("float4_e2m1fn", 2),
}


class Program:
    """The program under test."""

    def __init__(self, path: str) -> None:
        self.path = path

    def run(self, *words: str, data: bytes = b"") -> bytes:
        """Its output; its message as an exception."""
        done = subprocess.run([self.path, *words], input=data, capture_output=True, timeout=600)
        if done.returncode:
            raise RuntimeError(done.stderr.decode().strip())
        return done.stdout

    def decode(self, name: str) -> "np.ndarray":
        """What each code stands for."""
        return np.frombuffer(self.run("decode", name), np.float64)

    def encode(self, name: str, values: "np.ndarray", overflow: str = "special") -> "np.ndarray":
        """Codes of float64 numbers, rounded to nearest."""
        data = np.asarray(values, np.float64).tobytes()
        return np.frombuffer(self.run("encode", name, "nearest", overflow, data=data), np.uint32)


def same(ours: "np.ndarray", theirs: "np.ndarray") -> "np.ndarray":
    """Which numbers are equal; NaNs are, and zeros only of one sign."""
    with np.errstate(invalid="ignore"):
        equal = (ours == theirs) & (np.signbit(ours) == np.signbit(theirs))
    return equal | (np.isnan(ours) & np.isnan(theirs))


def complain(what: str, given: "np.ndarray", ours: "np.ndarray", theirs: "np.ndarray", good: "np.ndarray") -> List[str]:
    """The first few differences, as lines."""
    bad = np.flatnonzero(~good)
    return [f"{what}: {len(bad)} differ"] * bool(len(bad)) + [
        f"  {given[i]!r}: {ours[i]!r}, but the peer has {theirs[i]!r}" for i in bad[:4]
    ]


def interesting(values: "np.ndarray", generator: "np.random.Generator") -> "np.ndarray":
    """A format's numbers, the points halfway between them, their neighbours, and random ones.

    All are float32 numbers: ml_dtypes rounds a float64 twice, through float32.
    """
    finite = np.unique(values[np.isfinite(values)])
    largest = np.abs(finite).max()
    middles = (finite[1:] + finite[:-1]) / 2
    beyond = np.array([1, 1.03, 1.0625, 1.125, 1.25, 1.5, 2, 4, 1e3]) * largest
    points = np.concatenate([finite, middles, beyond, -beyond, [0.0, -0.0]])
    points = points[np.abs(points) <= np.finfo(np.float32).max].astype(np.float32)
    up, down = (np.nextafter(points, np.float32(towards)) for towards in (np.inf, -np.inf))
    points = np.concatenate([points, up, down, np.array([np.inf, -np.inf], np.float32)])
    scale = np.exp2(generator.uniform(np.log2(np.abs(finite[finite != 0]).min()) - 2, np.log2(largest) + 0.5, 20000))
    scale = np.minimum(scale, np.finfo(np.float32).max) * generator.choice([-1, 1], len(scale))
    return np.concatenate([points, scale.astype(np.float32)])


def check_float(program: Program, name: str, peer: str) -> Tuple[List[str], List[str]]:
    """Differences in decoding all codes, and in encoding many numbers."""
    dtype = np.dtype(getattr(ml_dtypes, peer))
    ours = program.decode(name)
    codes = np.arange(len(ours), dtype=np.uint16 if dtype.itemsize == 2 else np.uint8)
    with np.errstate(all="ignore"):
        theirs = codes.view(dtype).astype(np.float64)
    decoding = complain("decode", codes, ours, theirs, same(ours, theirs))

    points = interesting(ours, np.random.default_rng(len(name)))
    if name == "f8E8M0FNU":
        # Zero and below have no code in OCP MX. Between the two smallest codes, where float32 is
        # subnormal, ml_dtypes rounds up whatever the distance.
        points = points[(points == 2.0**-127) | (points >= 2.0**-126)]
    got = ours[program.encode(name, points)]
    with np.errstate(all="ignore"):
        expected = points.astype(dtype).astype(np.float64)
    return decoding, complain("encode", points, got, expected, same(got, expected))


def check_integer(program: Program, name: str) -> Tuple[List[str], List[str]]:
    """Differences in decoding all codes, and in encoding whole numbers (all that the peer defines)."""
    dtype = np.dtype(getattr(ml_dtypes, name))
    ours = program.decode(name)
    codes = np.arange(len(ours), dtype=np.uint8)
    # Bytes hold the number itself, sign-extended.
    bits = len(ours).bit_length() - 1
    wide = codes.astype(np.int8)
    if name.startswith("int"):
        wide = np.where(wide >= len(ours) // 2, wide - len(ours), wide).astype(np.int8)
    theirs = wide.view(dtype).astype(np.float64)
    got = program.encode(name, ours)
    assert bits == int(name[-1])
    return (
        complain("decode", codes, ours, theirs, same(ours, theirs)),
        complain("encode", ours, got, codes, got == codes),
    )


def gguf_blocks(kind: "gguf.GGMLQuantizationType", generator: "np.random.Generator") -> "np.ndarray":
    """Random blocks: all bits random, so that scales include subnormal, infinite and NaN ones."""
    size = gguf.GGML_QUANT_SIZES[kind][1]
    return generator.integers(0, 256, (2000, size), dtype=np.uint8)


def check_gguf_decode(program: Program, name: str) -> List[str]:
    """Differences in decoding random blocks; ours are rounded to the float32 of the peer."""
    kind = gguf.GGMLQuantizationType[name]
    blocks = gguf_blocks(kind, np.random.default_rng(7))
    if name == "MXFP4":
        blocks = blocks[blocks[:, 0] != 0xFF]  # NaN by OCP MX; ggml does not look
    if name == "NVFP4":
        blocks = blocks[((blocks[:, :4] & 0x7F) != 0x7F).all(axis=1)]  # NaN; ggml: zero
    with np.errstate(all="ignore"):
        theirs = gguf.quants.dequantize(blocks, kind).astype(np.float64).ravel()
        exact = np.frombuffer(program.run("gguf-decode", name, data=blocks.tobytes()), np.float64)
        ours = exact.astype(np.float32).astype(np.float64)
    # An infinite scale times a zero code is NaN in both; the sign of a zero is not ggml's concern.
    good = same(ours, theirs) | (ours == theirs)
    return complain("decode", np.arange(len(ours)), ours, theirs, good)


def check_gguf_encode(program: Program, name: str) -> List[str]:
    """Differences in the bytes of random numbers, and of blocks that are zero, constant or whole."""
    kind = gguf.GGMLQuantizationType[name]
    elements = gguf.GGML_QUANT_SIZES[kind][0]
    generator = np.random.default_rng(11)
    rows = generator.standard_normal((500, elements)) * np.exp2(generator.integers(-10, 10, (500, 1)))
    whole = generator.integers(-20, 20, (500, elements))
    constant = np.repeat(generator.standard_normal((8, 1)), elements, axis=1)
    values = np.concatenate([rows, whole, constant, np.zeros((1, elements))]).astype(np.float32)
    with np.errstate(all="ignore"):
        theirs = gguf.quants.quantize(values, kind)
    ours = np.frombuffer(program.run("gguf-encode", name, data=values.tobytes()), np.uint8)
    ours = ours.reshape(theirs.shape)
    good = (ours == theirs).all(axis=1)
    return complain("encode", np.arange(len(good)), ours, theirs, good)


def cast(values: "np.ndarray", peer: str) -> "np.ndarray":
    """Numbers rounded to a type of ml_dtypes, saturating."""
    dtype = np.dtype(getattr(ml_dtypes, peer))
    largest = float(ml_dtypes.finfo(dtype).max)
    return np.clip(values, -largest, largest).astype(np.float32).astype(dtype).astype(np.float64)


def check_blocks(program: Program, text: str, groups: int, expect: Callable[["np.ndarray"], "np.ndarray"]) -> List[str]:
    """Differences in numbers that went to a block format and back; `expect` maps groups of them."""
    generator = np.random.default_rng(13)
    rows, columns = 40, 5 * groups
    scale = np.exp2(generator.integers(-8, 8, (rows, 5, 1)))
    values = (generator.standard_normal((rows, 5, groups)) * scale).astype(np.float32)
    values[0] = 0
    ours = np.frombuffer(program.run("block", text, str(columns), data=values.tobytes()), np.float64)
    theirs = expect(values.astype(np.float64)).ravel()
    return complain(text, values.ravel(), ours, theirs, ours == theirs)


def expect_mx(values: "np.ndarray", peer: str, largest_exponent: int) -> "np.ndarray":
    """OCP MX v1.0, 6.3."""
    magnitude = np.abs(values).max(axis=-1, keepdims=True)
    scale = np.exp2(np.floor(np.log2(np.maximum(magnitude, 2.0**-110))) - largest_exponent)
    return cast(values / scale, peer) * scale


def expect_mxint8(values: "np.ndarray") -> "np.ndarray":
    """OCP MX v1.0, 5.3.4: steps of 2^-6."""
    magnitude = np.abs(values).max(axis=-1, keepdims=True)
    scale = np.exp2(np.floor(np.log2(np.maximum(magnitude, 2.0**-110))))
    return np.clip(np.rint(values / scale * 64), -128, 127) / 64 * scale


def expect_nvfp4(values: "np.ndarray") -> "np.ndarray":
    """The largest magnitude of the tensor becomes 448 * 6, that of a group 6."""
    tensor = np.float64(np.float32(np.abs(values).max() / (448 * 6)))
    scale = cast(np.abs(values).max(axis=-1, keepdims=True) / tensor / 6, "float8_e4m3fn")
    whole = scale * tensor
    return cast(values / np.where(whole == 0, 1, whole), "float4_e2m1fn") * whole


def expect_asymmetric(values: "np.ndarray") -> "np.ndarray":
    """uint4 with float16 scales and an integer zero point, the range with zero in it."""
    low, high = np.minimum(values.min(-1, keepdims=True), 0), np.maximum(values.max(-1, keepdims=True), 0)
    scale = ((high - low) / 15).astype(np.float16).astype(np.float64)
    safe = np.where(scale == 0, 1, scale)
    zero = np.clip(np.rint(-low / safe), 0, 15)
    return (np.clip(np.rint(values / safe) + zero, 0, 15) - zero) * scale


def main() -> int:
    """The command; returns its exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--program", required=True, help="formats-convert")
    program = Program(parser.parse_args().program)
    cases: List[Tuple[str, object, Callable[[], List[str]]]] = []
    for name, peer in FLOATS.items():
        cases.append((f"{name} decode", ml_dtypes, lambda n=name, p=peer: check_float(program, n, p)[0]))
        cases.append((f"{name} encode", ml_dtypes, lambda n=name, p=peer: check_float(program, n, p)[1]))
    for name in INTEGERS:
        cases.append((f"{name} decode", ml_dtypes, lambda n=name: check_integer(program, n)[0]))
        cases.append((f"{name} encode", ml_dtypes, lambda n=name: check_integer(program, n)[1]))
    cases += [(f"{name} decode", gguf, lambda n=name: check_gguf_decode(program, n)) for name in GGUF_DECODED]
    cases += [(f"{name} encode", gguf, lambda n=name: check_gguf_encode(program, n)) for name in GGUF_ENCODED]
    for text, (peer, exponent) in MX.items():
        rule = lambda values, p=peer, e=exponent: expect_mx(values, p, e)
        cases.append((text, ml_dtypes, lambda t=text, r=rule: check_blocks(program, t, 32, r)))
    cases.append(("mxint8", np, lambda: check_blocks(program, "mxint8", 32, expect_mxint8)))
    cases.append(("nvfp4", ml_dtypes, lambda: check_blocks(program, "nvfp4", 16, expect_nvfp4)))
    asymmetric = "uint4 group=24 scale=f16 zero=uint4"
    cases.append((asymmetric, np, lambda: check_blocks(program, asymmetric, 24, expect_asymmetric)))

    passed = failed = skipped = 0
    for name, package, check in cases:
        if package is None or np is None:
            skipped += 1
            print(f"skipped: {name}: no second source (SECTILE_PEER_PYTHON)")
            continue
        lines = check()
        failed += bool(lines)
        passed += not lines
        if lines:
            print(f"FAILED: {name}", *lines, sep="\n")
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
