#!/usr/bin/python3
# This file is part of the Sectile project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Quantizes a small model in many formats: what `sectile quantize` writes is compiled, run, and compared with
numpy on weights that are decoded here from the written file, and those with the original ones; then what is
refused, with nothing written.

    test/tools/quantize.py --sectile=build/bin/sectile

The last line is "N passed, N failed, N skipped".
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Dict, List, Optional, Tuple

import numpy as np
import onnx
import onnx.numpy_helper
from onnx import TensorProto, helper

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "Interpreter"))
from run_numbers import NF4, Format, float_table, integer  # noqa: E402

FORMATS = {
    "int4": integer(4, True), "uint4": integer(4, False), "int8": integer(8, True), "int3": integer(3, True),
    "uint4-8": integer(4, False, 8), "uint2-2": integer(2, False, 2), "uint2": integer(2, False),
    "int5": integer(5, True), "int1": integer(1, True), "ternary": Format("ternary", [-1, 0, 1], "number"),
    "nf4": Format("nf4", np.float32(NF4).tolist(), "first"), "e3m2": Format("e3m2", float_table(3, 2, ""), "mantissa"),
    "e4m3fn": Format("e4m3fn", float_table(4, 3, "fn"), "mantissa"), "e2m1": Format("e2m1", float_table(2, 1, ""), "mantissa"),
}  # fmt: skip
"""What the codes of each format stand for."""

BITS = {3: 8, 2: 8, 17: 8, 22: 4, 21: 4, 23: 4, 25: 2, 26: 2}
"""Bits of an element by TensorProto.DataType."""

CASES: List[Tuple[str, int, str, str]] = [
    # format, opset, method, operator that is written for a MatMul
    ("int4,group=32", 21, "rtn", "DequantizeLinear"), ("int4,group=32", 17, "rtn", "MatMulNBits"),
    ("uint4,group=16,zero", 21, "mse", "DequantizeLinear"), ("uint4,group=16,zero", 17, "rtn", "MatMulNBits"),
    ("uint2-2,group=32", 17, "mse", "MatMulNBits"), ("uint2,group=64,zero", 17, "rtn", "MatMulNBits"),
    ("int8", 21, "rtn", "DequantizeLinear"), ("int3,group=48", 21, "mse", "Dequantize"),
    ("int5", 17, "rtn", "Dequantize"), ("int1,group=32", 21, "mse", "Dequantize"),
    ("ternary,group=32", 21, "mse", "Dequantize"), ("nf4,group=64", 21, "rtn", "Dequantize"),
    ("e3m2,group=128", 21, "rtn", "Dequantize"), ("e4m3fn", 21, "rtn", "DequantizeLinear"),
    ("e2m1,group=32", 23, "mse", "DequantizeLinear"), ("uint4-8,group=128", 21, "rtn", "MatMulNBits"),
]  # fmt: skip


def make_model(path: str, opset: int, seed: int, half: bool) -> Dict[str, np.ndarray]:
    """relu(x A + a) Bt + b, and x A once more; returns the constants."""
    rng = np.random.default_rng(seed)
    kind, number = (np.float16, TensorProto.FLOAT16) if half else (np.float32, TensorProto.FLOAT)
    arrays = {"A": rng.normal(size=(97, 40)), "B": rng.normal(size=(13, 40)), "b": rng.normal(size=13)}
    arrays = {name: array.astype(kind) for name, array in arrays.items()}
    nodes = [helper.make_node("MatMul", ["x", "A"], ["h"], name="first"),
             helper.make_node("Relu", ["h"], ["r"]),
             helper.make_node("Gemm", ["r", "B", "b"], ["y"], name="second", transB=1),
             helper.make_node("MatMul", ["x", "A"], ["z"], name="again")]  # fmt: skip
    graph = helper.make_graph(
        nodes, "small", [helper.make_tensor_value_info("x", number, [3, 97])],
        [helper.make_tensor_value_info("y", number, [3, 13]), helper.make_tensor_value_info("z", number, [3, 40])],
        [TensorProto(name=name, data_type=number, dims=array.shape, raw_data=array.tobytes())
         for name, array in arrays.items()])  # fmt: skip
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8), path)
    return arrays


def unpack(raw: bytes, bits: int, count: int) -> np.ndarray:
    """The first codes of a stream of bits, the lowest bit of the first byte first."""
    stream = np.unpackbits(np.frombuffer(raw, np.uint8), bitorder="little")[: count * bits].reshape(count, bits)
    return (stream * (1 << np.arange(bits))).sum(axis=1)


def decode(model: onnx.ModelProto, node: onnx.NodeProto, form: Format) -> np.ndarray:
    """Weights [K, N] that a written node multiplies with."""
    tensors = {tensor.name: tensor for tensor in model.graph.initializer}
    attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
    table = np.array(form.table)

    def floats(name: str) -> np.ndarray:
        kind = np.float16 if tensors[name].data_type == TensorProto.FLOAT16 else np.float32
        return np.frombuffer(tensors[name].raw_data, kind).astype(np.float64)

    if node.op_type == "MatMulNBits":
        depth, columns, block = attributes["K"], attributes["N"], attributes["block_size"]
        groups = -(-depth // block)
        codes = unpack(tensors[node.input[1]].raw_data, form.bits, columns * groups * block)
        codes = codes.reshape(columns, groups, block)
        zero = np.full((columns, groups, 1), 2 ** (form.bits - 1))
        if len(node.input) > 3:
            row = -(-groups * form.bits // 8)
            raw = tensors[node.input[3]].raw_data
            zero = np.stack([unpack(raw[i * row : (i + 1) * row], form.bits, groups) for i in range(columns)])[..., None]
        scales = floats(node.input[2]).reshape(columns, groups, 1)
        return ((codes - zero) * scales).reshape(columns, -1)[:, :depth].T
    held = tensors[node.input[0]]
    shape = list(held.dims) if node.op_type == "DequantizeLinear" else list(attributes["shape"])
    bits = BITS[held.data_type] if node.op_type == "DequantizeLinear" else form.bits
    numbers = table[unpack(held.raw_data, bits, shape[0] * shape[1]).reshape(shape)]
    scales = floats(node.input[1]).reshape([*tensors[node.input[1]].dims])
    zeros: Optional[np.ndarray] = None
    if len(node.input) > 2:
        size = bits if node.op_type == "DequantizeLinear" else 8
        zeros = table[unpack(tensors[node.input[2]].raw_data, size, scales.size).reshape(scales.shape)]
    if node.op_type == "DequantizeLinear":
        axis, block = attributes["axis"], attributes.get("block_size", 0)
        spread = (lambda a: np.repeat(a, block, axis).take(range(shape[axis]), axis)) if block else (
            lambda a: np.expand_dims(a, 1 - axis))  # fmt: skip
    else:
        axis = 0 if attributes["block"][0] != 1 else 1
        block = attributes["block"][axis] or shape[axis]
        spread = lambda a: np.repeat(a, block, axis).take(range(shape[axis]), axis)  # noqa: E731
    return (numbers - (0 if zeros is None else spread(zeros))) * spread(scales)


def run_case(sectile: str, folder: str, case: Tuple[str, int, str, str], half: bool) -> str:
    """What is wrong with a case, or nothing."""
    spec, opset, method, operator = case
    form = FORMATS[spec.split(",")[0]]
    arrays = make_model(f"{folder}/model.onnx", opset, 1, half)
    what = f"{spec} by {method}, opset {opset}{', f16' * half}"
    done = subprocess.run([sectile, "quantize", f"{folder}/model.onnx", "-o", f"{folder}/out.onnx", f"--format={spec}",
                           f"--method={method}"], capture_output=True, text=True, timeout=100)  # fmt: skip
    if done.returncode or "weights: " not in done.stdout:
        return f"{what}: status {done.returncode}: {done.stdout}{done.stderr}"
    model = onnx.load(f"{folder}/out.onnx")
    nodes = {output: node for node in model.graph.node for output in node.output}
    first, second = nodes["h"], nodes["y"]
    if first.op_type == "MatMul":
        first = nodes[first.input[1]]
    if first.op_type != operator:
        return f"{what}: {first.op_type} instead of {operator}"
    left, right = decode(model, first, form), decode(model, nodes[second.input[1]], form).T
    for name, got, wanted in (("A", left, arrays["A"]), ("B", right.T, arrays["B"])):
        error = np.linalg.norm(got - wanted) / np.linalg.norm(wanted.astype(np.float64))
        limit = {1: 0.8, 2: 0.6, 3: 0.35, 4: 0.2, 5: 0.1, 6: 0.1, 8: 0.03}[form.bits]
        if not error <= limit:
            return f"{what}: weight {name} is off by {error:.3g}"
    if {tensor.name for tensor in model.graph.initializer} & {"A", "B"}:
        return f"{what}: weights that nothing reads are left"
    x = np.random.default_rng(2).normal(size=(3, 97)).astype(arrays["A"].dtype)
    np.save(f"{folder}/x.npy", x)
    for command in ([sectile, "compile", f"{folder}/out.onnx", "-o", f"{folder}/package", "--cpu-levels=sse4"],
                    [sectile, "run", f"{folder}/package", f"--output-dir={folder}", f"--input=x={folder}/x.npy"]):  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, timeout=100)
        if done.returncode:
            return f"{what}: {command[1]}: {done.stderr}"
    expected = x.astype(np.float64) @ left
    unit = 2.0**-10 if half else 2.0**-23
    bound = np.abs(x).astype(np.float64) @ np.abs(left) * unit * 20
    if not (np.abs(np.load(f"{folder}/z.npy") - expected) <= bound).all():
        return f"{what}: z is wrong"
    hidden = np.maximum(expected, 0)
    bound = (bound + hidden * unit * 20) @ np.abs(right) + np.abs(arrays["b"]) * unit
    if not (np.abs(np.load(f"{folder}/y.npy") - (hidden @ right + arrays["b"])) <= bound).all():
        return f"{what}: y is wrong"
    return ""


def run_external(sectile: str, folder: str) -> List[str]:
    """Larger tensors in a file beside the result must be those that would be in it, also read from such a file."""
    make_model(f"{folder}/model.onnx", 21, 3, False)
    problems = []
    for source, extra in (("model", []), ("apart", []), ("apart", ["--external-data"])):
        skip = ["--skip=again|^B$"] if source == "model" else []
        target = "apart" if source == "model" else "out"
        for name, more in (("inside", []), (target, ["--external-data"])):
            done = subprocess.run([sectile, "quantize", f"{folder}/{source}.onnx", "-o", f"{folder}/{name}.onnx", "--format=int8",
                                   *skip, *(more or extra)], capture_output=True, text=True, timeout=100)  # fmt: skip
            problems.append(done.stderr)
        raw = onnx.load(f"{folder}/{target}.onnx", load_external_data=False)
        places = [{e.key: e.value for e in t.external_data} for t in raw.graph.initializer if t.data_location == TensorProto.EXTERNAL]
        good = places and all(p["location"] == f"{target}.onnx.data" and int(p["offset"]) % 4096 == 0 for p in places)
        problems.append("" if good else f"external data of {source}: {places}")
        arrays = [{t.name: onnx.numpy_helper.to_array(t).tobytes() for t in onnx.load(f"{folder}/{name}.onnx").graph.initializer}
                  for name in ("inside", target)]  # fmt: skip
        problems.append("" if arrays[0] == arrays[1] else f"external data of {source} differs")
        done = subprocess.run([sectile, "compile", f"{folder}/{target}.onnx", "-o", f"{folder}/package", "--cpu-levels=sse4"],
                              capture_output=True, text=True, timeout=100)  # fmt: skip
        problems.append(done.stderr)
    return problems


def run_refusals(sectile: str, folder: str) -> List[str]:
    """What should be refused, with its message, and nothing written."""
    make_model(f"{folder}/model.onnx", 21, 1, False)
    bad = onnx.load(f"{folder}/model.onnx")
    array = np.frombuffer(bad.graph.initializer[0].raw_data, np.float32).copy()
    array[5] = np.nan
    bad.graph.initializer[0].raw_data = array.tobytes()
    onnx.save(bad, f"{folder}/nan.onnx")
    short = onnx.load(f"{folder}/model.onnx")
    short.graph.initializer[0].raw_data = short.graph.initializer[0].raw_data[:-4]
    onnx.save(short, f"{folder}/short.onnx")
    outside = onnx.load(f"{folder}/model.onnx")
    outside.graph.initializer[0].ClearField("raw_data")
    outside.graph.initializer[0].data_location = TensorProto.EXTERNAL
    outside.graph.initializer[0].external_data.add(key="location", value="../secret")
    onnx.save(outside, f"{folder}/outside.onnx")
    Path(f"{folder}/text.onnx").write_text("no model", encoding="utf-8")
    problems = []
    for model, options, status, message in [
        ("model", ["--format=int9"], 2, "expects a number format"),
        ("model", ["--format=uint4"], 2, "has no negative numbers"),
        ("model", ["--format=nf4,zero"], 2, "consecutive integers"),
        ("model", ["--format=int4,group=0"], 2, "expects group to be"),
        ("model", ["--format=int4,size=3"], 2, "expects FORMAT"),
        ("model", ["--format=int4", "--method=best"], 2, "expects --method to be rtn, mse or gptq"),
        ("model", ["--format=int4", "--skip=("], 2, "--skip"),
        ("model", [], 2, "expects --format"),
        ("nan", ["--format=int4"], 1, "weight 'A': expects finite numbers, but got nan in column 5, row 0"),
        ("short", ["--format=int4"], 1, "expects 3880 elements"),
        ("outside", ["--format=int4"], 1, "must lie in the model's folder"),
        ("text", ["--format=int4"], 1, "expects an ONNX model"),
        ("absent", ["--format=int4"], 1, "cannot be opened"),
    ]:  # fmt: skip
        done = subprocess.run([sectile, "quantize", f"{folder}/{model}.onnx", "-o", f"{folder}/none.onnx", *options],
                              capture_output=True, text=True, timeout=100)  # fmt: skip
        wrong = done.returncode != status or message not in done.stderr or os.path.exists(f"{folder}/none.onnx")
        problems.append(f"{model} {options}: status {done.returncode}: {done.stderr}" if wrong else "")
    done = subprocess.run([sectile, "quantize", f"{folder}/model.onnx", "-o", f"{folder}/all.onnx", "--format=int4", "--skip=."],
                          capture_output=True, text=True, timeout=100)  # fmt: skip
    same = onnx.load(f"{folder}/all.onnx") == onnx.load(f"{folder}/model.onnx")
    problems.append("" if same and done.stdout.count("stays: skipped") == 3 else f"--skip=.: {done.stdout}")
    return problems


def report(problems: List[str]) -> int:
    """Prints what is wrong with each case, "" for nothing, and the counts; returns the exit status."""
    for problem in problems:
        if problem:
            print(f"FAILED: {problem}")
    failed = sum(map(bool, problems))
    print(f"{len(problems) - failed} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


def main() -> int:
    """Runs all cases."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sectile", required=True)
    arguments = parser.parse_args()
    problems = []
    for number, case in enumerate(CASES):
        with tempfile.TemporaryDirectory() as folder:
            problems.append(run_case(arguments.sectile, folder, case, number % 4 == 3))
    for part in (run_external, run_refusals):
        with tempfile.TemporaryDirectory() as folder:
            problems += part(arguments.sectile, folder)
    return report(problems)


if __name__ == "__main__":
    sys.exit(main())
