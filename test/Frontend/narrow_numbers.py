#!/usr/bin/python3
# This file is part of the Sectile project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Runs models with the element types of ONNX that take less than a byte, and with scales of type float8e8m0:
packed constants, casts, quantization with blocks that do not divide, data movement, inputs and outputs.

    test/Frontend/narrow_numbers.py --sectile=build/bin/sectile

What is expected comes from a table of each type's codes. The last line is "N passed, N failed, N skipped".
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from typing import Dict, List, NamedTuple, Tuple

import numpy as np
import onnx
from onnx import TensorProto, helper

E8M0 = 24


class Kind(NamedTuple):
    """An element type."""

    number: int  # in TensorProto.DataType
    bits: int
    table: Tuple[float, ...]  # by code

    @property
    def is_float(self) -> bool:
        """Whether elements are held as codes, not as values."""
        return self.number == 23

    def hold(self, codes: np.ndarray) -> np.ndarray:
        """Bytes that hold codes."""
        values = codes if self.is_float else np.array(self.table)[codes]
        return values.astype(np.int8 if min(self.table) < 0 and not self.is_float else np.uint8)

    def encode(self, x: np.ndarray) -> np.ndarray:
        """Codes of the nearest numbers, ties to the even code, which has the even number."""
        table = np.array(self.table)
        distance = np.abs(table[:, None] - np.clip(x, table.min(), table.max())[None])
        odd = np.broadcast_to((np.arange(len(table)) % 2)[:, None], distance.shape)
        # Of two zeros, the one of the number's sign.
        other = self.is_float & (np.signbit(table)[:, None] != np.signbit(x)[None])
        return np.lexsort((odd, other & (table[:, None] == 0), distance), axis=0)[0]


KINDS = {
    "uint4": Kind(21, 4, tuple(range(16))),
    "int4": Kind(22, 4, tuple(range(8)) + tuple(range(-8, 0))),
    "float4e2m1": Kind(23, 4, (0, 0.5, 1, 1.5, 2, 3, 4, 6, -0.0, -0.5, -1, -1.5, -2, -3, -4, -6)),
    "uint2": Kind(25, 2, tuple(range(4))),
    "int2": Kind(26, 2, (0, 1, -2, -1)),
}


def pack(name: str, kind: Kind, codes: np.ndarray) -> TensorProto:
    """A constant, the first of a byte's elements in its low bits."""
    per = 8 // kind.bits
    flat = np.append(codes.ravel(), np.zeros(-codes.size % per, np.int64)).reshape(-1, per)
    data = (flat << (np.arange(per) * kind.bits)).sum(axis=1).astype(np.uint8)
    return TensorProto(name=name, data_type=kind.number, dims=codes.shape, raw_data=data.tobytes())


def run(command: List[str]) -> None:
    """Runs a command that has to succeed."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    if done.returncode:
        raise AssertionError(f"{command[1]}: status {done.returncode}: {done.stdout}{done.stderr}")


class Case:
    """A model, its inputs and what it should give."""

    def __init__(self) -> None:
        self.nodes: List[onnx.NodeProto] = []
        self.constants: List[TensorProto] = []
        self.kinds: Dict[str, int] = {}
        self.inputs: Dict[str, np.ndarray] = {}
        self.outputs: Dict[str, np.ndarray] = {}

    def add(self, op: str, inputs: List[str], output: str, **attributes: object) -> None:
        """A node."""
        self.nodes.append(helper.make_node(op, inputs, [output], output, **attributes))

    def constant(self, name: str, array: np.ndarray, number: int = TensorProto.FLOAT) -> None:
        """A constant of float32, or of bytes of another type."""
        self.constants.append(
            TensorProto(name=name, data_type=number, dims=array.shape, raw_data=array.tobytes()))

    def give(self, name: str, array: np.ndarray, number: int = TensorProto.FLOAT) -> None:
        """An input."""
        self.inputs[name], self.kinds[name] = array, number

    def expect(self, name: str, array: np.ndarray, number: int = TensorProto.FLOAT) -> None:
        """An output."""
        self.outputs[name], self.kinds[name] = array, number

    def check(self, sectile: str, folder: str, dynamic: bool) -> None:
        """Compiles, runs and compares."""
        def describe(name: str, array: np.ndarray) -> onnx.ValueInfoProto:
            extents = [f"{name}_{i}" for i in range(array.ndim)] if dynamic else array.shape
            return helper.make_tensor_value_info(name, self.kinds[name], extents)

        graph = helper.make_graph(self.nodes, "narrow",
                                  [describe(*pair) for pair in self.inputs.items()],
                                  [describe(*pair) for pair in self.outputs.items()],
                                  self.constants)  # fmt: skip
        model, package = f"{folder}/model.onnx", f"{folder}/package"
        onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 25)], ir_version=11), model)
        run([sectile, "compile", model, "-o", package])
        arguments = []
        for name, array in self.inputs.items():
            np.save(f"{folder}/{name}.npy", array)
            arguments.append(f"--input={name}={folder}/{name}.npy")
        run([sectile, "run", package, f"--output-dir={folder}", *arguments])
        for name, expected in self.outputs.items():
            actual = np.load(f"{folder}/{name}.npy")
            same = (actual == expected) & (np.signbit(actual) == np.signbit(expected))
            assert actual.dtype == expected.dtype, f"{name}: expects {expected.dtype}, but got {actual.dtype}"
            assert actual.shape == expected.shape, f"{name}: expects {expected.shape}, but got {actual.shape}"
            at = tuple(np.argwhere(~same)[0]) if not same.all() else ()
            assert same.all(), f"{name}{list(at)}: expects {expected[at]}, but got {actual[at]}"


def hard_numbers(kind: Kind) -> np.ndarray:
    """The numbers of a type, the middles of two, what is next to those, and beyond."""
    numbers = np.unique(np.array(kind.table))
    exact = np.concatenate([numbers, (numbers[1:] + numbers[:-1]) / 2, [1e30, -1e30, np.inf, -np.inf, -0.0]])
    exact = exact.astype(np.float32)
    return np.concatenate([exact, np.nextafter(exact, np.float32(9)), np.nextafter(exact, np.float32(-9))])


def quantization(kind: Kind, rng: np.random.Generator) -> Case:
    """Packed weights in blocks of 5 along 13 rows, and numbers to codes and back."""
    case = Case()
    codes = rng.integers(0, len(kind.table), (13, 7))
    scale = rng.random((3, 7)).astype(np.float32) + np.float32(0.5)
    table = np.array(kind.table, np.float32)
    case.constants.append(pack("w", kind, codes))
    case.give("s", scale)
    rows = np.arange(13) // 5
    zeros = [] if kind.is_float else ["z"]
    shift = np.zeros((3, 7), np.float32)
    if zeros:
        zero = rng.integers(0, len(kind.table), (3, 7))
        case.constants.append(pack("z", kind, zero))
        shift = table[zero]
    case.add("DequantizeLinear", ["w", "s", *zeros], "weights", axis=0, block_size=5)
    case.expect("weights", (table[codes] - shift[rows]) * scale[rows])
    x = hard_numbers(kind)
    case.give("x", x)
    case.constant("one", np.ones((), np.float32))
    case.constants.append(pack("none", kind, np.zeros((), np.int64)))
    case.add("QuantizeLinear", ["x", "one", "none"], "q")
    case.add("DequantizeLinear", ["q", "one", "none"], "back")
    case.expect("q", kind.hold(kind.encode(x)), kind.number)
    case.expect("back", table[kind.encode(x)])
    powers = rng.integers(100, 140, 7).astype(np.uint8)
    case.constant("powers", powers, E8M0)
    case.add("DequantizeLinear", ["w", "powers"], "scaled", axis=1, output_dtype=TensorProto.FLOAT)
    case.expect("scaled", table[codes] * np.exp2(powers.astype(np.float32) - 127))
    return case


def movement(kind: Kind, rng: np.random.Generator) -> Case:
    """Elements that come in, are moved, padded and cast."""
    case = Case()
    codes, table = rng.integers(0, len(kind.table), (3, 5)), np.array(kind.table, np.float32)
    case.give("f", kind.hold(codes), kind.number)
    case.add("Transpose", ["f"], "turned")
    case.expect("turned", kind.hold(codes).T, kind.number)
    case.add("Cast", ["f"], "number", to=TensorProto.FLOAT)
    case.expect("number", table[codes])
    case.constants.append(pack("more", kind, codes[:1]))
    case.add("Concat", ["f", "more"], "longer", axis=0)
    case.add("Cast", ["longer"], "half", to=TensorProto.FLOAT16)
    case.expect("half", table[np.concatenate([codes, codes[:1]])].astype(np.float16), TensorProto.FLOAT16)
    x = rng.choice(table, (4, 3)).astype(np.float32)
    case.give("x", x)
    case.add("Cast", ["x"], "narrow", to=kind.number)
    case.expect("narrow", kind.hold(kind.encode(x.ravel())).reshape(x.shape), kind.number)
    if not kind.is_float:
        whole = rng.integers(-100, 100, 40).astype(np.int32)
        case.give("whole", whole, TensorProto.INT32)
        case.add("Cast", ["whole"], "wrapped", to=kind.number)
        case.add("Cast", ["wrapped"], "wide", to=TensorProto.INT64)
        low = whole & (2**kind.bits - 1)
        case.expect("wide", np.array(kind.table)[low].astype(np.int64), TensorProto.INT64)
    return case


def main() -> int:
    """Runs all cases."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sectile", required=True)
    sectile = parser.parse_args().sectile
    rng = np.random.default_rng(4)
    passed = failed = 0
    for name, kind in KINDS.items():
        for make in (quantization, movement):
            for dynamic in (False, True):
                with tempfile.TemporaryDirectory() as folder:
                    try:
                        make(kind, rng).check(sectile, folder, dynamic)
                        passed += 1
                    except AssertionError as problem:
                        failed += 1
                        print(f"FAILED: {name} {make.__name__} dynamic={dynamic}: {problem}")
    print(f"{passed} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    os.environ.setdefault("SECTILE_NUM_THREADS", "1")
    sys.exit(main())
