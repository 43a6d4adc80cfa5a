#!/usr/bin/python3
# This file is part of the Sectile project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compares `sectile quantize --calibrate` with GPTQ in numpy, written after the paper (arXiv 2210.17323): the inverse of
the damped products, its Cholesky factor, weights moved as they are reached. Inputs are small integers, so that their
products are exact in float32 and both must find the same codes. Then errors as shown, forms of data, and bad data.

    test/tools/calibrate.py --sectile=build/bin/sectile

The last line is "N passed, N failed, N skipped".
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple

import numpy as np
import onnx
from onnx import TensorProto, helper

sys.path.insert(0, str(Path(__file__).resolve().parent))
from quantize import FORMATS, decode, report  # noqa: E402


def find_scale(table: np.ndarray, group: np.ndarray, zero: bool, kind: type, steps: int) -> Tuple[float, float]:
    """The scale and zero point of least squared error among ranges from all of a group's down to half of it."""
    best, found = np.inf, (1.0, 0.0)
    lowest, largest = table.min(), table.max()
    for step in range(steps):
        low, high = (1 - step / 32) * min(0, group.min()), (1 - step / 32) * max(0, group.max())
        if zero:
            scale = float(kind(np.float32((high - low) / (largest - lowest)))) or 1.0
            point = np.clip(np.rint(lowest - low / scale), lowest, largest)
        else:
            scale, point = float(kind(np.float32(max(-low, high) / largest))) or 1.0, 0.0
        errors = ((nearest(table, group / scale + point) - point) * scale - group) ** 2
        if errors.sum() < best:
            best, found = errors.sum(), (scale, point)
    return found


def nearest(table: np.ndarray, values: np.ndarray) -> np.ndarray:
    """The number of a format next to each value."""
    return table[np.abs(table[:, None] - np.ravel(values)[None, :]).argmin(axis=0)].reshape(np.shape(values))


def round_groups(table: np.ndarray, weights: np.ndarray, group: int, zero: bool, kind: type, steps: int) -> np.ndarray:
    """Each group of each row [N, K] by itself."""
    result = np.empty_like(weights)
    for row in range(weights.shape[0]):
        for first in range(0, weights.shape[1], group):
            part = weights[row, first : first + group]
            scale, point = find_scale(table, part, zero, kind, steps)
            result[row, first : first + group] = (nearest(table, part / scale + point) - point) * scale
    return result


def gptq(table: np.ndarray, weights: np.ndarray, products: np.ndarray, group: int, zero: bool, kind: type, damp: float,
         by_use: bool) -> np.ndarray:  # fmt: skip
    """The paper's algorithm 1 without its blocks of columns, which change nothing but speed."""
    rows, depth = weights.shape
    order = np.argsort(-np.diag(products), kind="stable") if by_use else np.arange(depth)
    damped = products[np.ix_(order, order)] + damp * (np.diag(products).mean() or 1) * np.eye(depth)
    upper = np.linalg.cholesky(np.linalg.inv(damped)).T
    moved, result = weights[:, order].copy(), np.empty_like(weights)
    scales: Dict[Tuple[int, int], Tuple[float, float]] = {}
    for place, column in enumerate(order):
        if by_use or column % group == 0:
            source = weights if by_use else moved
            first = column // group * group
            for row in range(rows):
                if (row, first) not in scales:
                    scales[row, first] = find_scale(table, source[row, first : first + group], zero, kind, 17)
        pairs = np.array([scales[row, column // group * group] for row in range(rows)])
        result[:, column] = (nearest(table, moved[:, place] / pairs[:, 0] + pairs[:, 1]) - pairs[:, 1]) * pairs[:, 0]
        error = (moved[:, place] - result[:, column]) / upper[place, place]
        moved[:, place + 1 :] -= np.outer(error, upper[place, place + 1 :])
    return result


def output_errors(weights: np.ndarray, rounded: np.ndarray, products: np.ndarray) -> np.ndarray:
    """Of each row, the squared length of the difference of its products."""
    error = weights - rounded
    return np.einsum("nk,kl,nl->n", error, products, error)


def make_inputs(rng: np.random.Generator, rows: int, depth: int, kind: str) -> np.ndarray:
    """Integers below 2^6, each a mixture of others."""
    mixture = rng.normal(size=(depth, depth)) / np.sqrt(depth) + 0.3 * np.eye(depth)
    inputs = np.rint(6 * rng.normal(size=(rows, depth)) @ mixture).clip(-40, 40)
    if kind == "dead":
        inputs[:, rng.random(depth) < 0.3] = 0
    if kind == "zeros":
        inputs[:] = 0
    if kind == "copies":
        inputs[:, 1::2] = inputs[:, : depth // 2 * 2 : 2]
    return inputs


def save_model(path: str, weights: np.ndarray, op: str = "MatMul", opset: int = 21, **attributes: int) -> None:
    """x times weights, [K, N] or for Gemm with transB [N, K]."""
    number = {np.dtype(np.float16): TensorProto.FLOAT16, np.dtype(np.float32): TensorProto.FLOAT}[weights.dtype]
    tensor = TensorProto(name="w", data_type=number, dims=weights.shape, raw_data=weights.tobytes())
    graph = helper.make_graph([helper.make_node(op, ["x", "w"], ["y"], name="product", **attributes)], "one",
                              [helper.make_tensor_value_info("x", number, ["a", "b"])],
                              [helper.make_tensor_value_info("y", number, None)], [tensor])  # fmt: skip
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10), path)


def run(sectile: str, *words: str) -> "subprocess.CompletedProcess[str]":
    """The program's end."""
    return subprocess.run([sectile, "quantize", *words], capture_output=True, text=True, timeout=200)


def read_weights(path: str, spec: str) -> np.ndarray:
    """What the product of a written model multiplies with, [K, N]."""
    model = onnx.load(path)
    nodes = {output: node for node in model.graph.node for output in node.output}
    node = nodes["y"]
    form = FORMATS[spec.split(",")[0]]
    if node.op_type == "MatMulNBits":
        return decode(model, node, form)
    numbers = decode(model, nodes[node.input[1]], form)
    return numbers.T if any(a.name == "transB" and a.i for a in node.attribute) else numbers


CASES: List[Tuple[str, str, int, int, str, str]] = [
    # format, method, K, rows of inputs, kind of inputs, type of weights
    ("int4,group=32", "gptq", 97, 300, "mixed", "f4"), ("int3,group=48", "gptq", 130, 300, "mixed", "f4"),
    ("uint4,group=16,zero", "gptq", 65, 300, "mixed", "f4"), ("nf4,group=64", "gptq", 130, 200, "mixed", "f4"),
    ("e2m1,group=32", "gptq,damp=0.1", 64, 200, "mixed", "f4"), ("int4", "gptq", 77, 300, "mixed", "f4"),
    ("uint2,zero", "gptq", 70, 300, "mixed", "f4"), ("ternary,group=32", "gptq", 96, 300, "mixed", "f4"),
    ("int4,group=32", "gptq,order", 97, 300, "mixed", "f4"), ("int3", "gptq,order,damp=0.05", 141, 300, "mixed", "f4"),
    ("int4,group=32", "gptq", 97, 20, "mixed", "f4"), ("int4,group=32", "gptq", 97, 1, "mixed", "f4"),
    ("int3,group=32", "gptq", 100, 300, "dead", "f4"), ("int3,group=32", "gptq,order", 100, 300, "dead", "f4"),
    ("int4,group=7", "gptq", 50, 300, "copies", "f4"), ("int4,group=32", "gptq", 40, 30, "zeros", "f4"),
    ("int4,group=32", "gptq", 97, 300, "mixed", "f2"), ("int4,group=32", "gptq", 1, 30, "mixed", "f4"),
    ("int4,group=32", "mse", 97, 300, "mixed", "f4"), ("int4,group=32", "rtn", 97, 300, "dead", "f4"),
]  # fmt: skip


def run_case(sectile: str, folder: str, number: int) -> str:
    """What is wrong with a case, or nothing."""
    spec, method, depth, rows, kind, dtype = CASES[number]
    rng = np.random.default_rng(number)
    table = np.array(FORMATS[spec.split(",")[0]].table, np.float64)
    group = next((int(word[6:]) for word in spec.split(",") if word.startswith("group=")), depth)
    damp = next((float(word[5:]) for word in method.split(",") if word.startswith("damp=")), 0.01)
    scale_type = np.float16 if dtype == "f2" else np.float32
    weights = rng.normal(size=(21, depth)).astype(dtype)
    inputs = make_inputs(rng, rows, depth, kind)
    exact = weights.astype(np.float64)
    if number % 2:
        save_model(f"{folder}/m.onnx", weights, "Gemm", transB=1)
    else:
        save_model(f"{folder}/m.onnx", weights.T.copy())
    np.savez(f"{folder}/x.npz", x=inputs.astype(dtype))
    done = run(sectile, f"{folder}/m.onnx", "-o", f"{folder}/q.onnx", f"--format={spec}", f"--method={method}", "--json",
               f"--calibrate={folder}/x.npz")  # fmt: skip
    if done.returncode:
        return f"status {done.returncode}: {done.stderr}"
    products, zero = inputs.T @ inputs, "zero" in spec
    wanted = {"rtn": round_groups(table, exact, group, zero, scale_type, 1)}
    if method != "rtn":
        wanted["mse"] = round_groups(table, exact, group, zero, scale_type, 17)
    if method.startswith("gptq"):
        codes = gptq(table, exact, products, group, zero, scale_type, damp, "order" in method)
        # A row that a simpler method keeps better is that method's.
        for other in sorted(wanted.values(), key=lambda w: output_errors(exact, w, products).sum()):
            worse = output_errors(exact, codes, products) > output_errors(exact, other, products) * (1 + 1e-12)
            codes[worse] = other[worse]
        wanted["gptq"] = codes
    got = read_weights(f"{folder}/q.onnx", spec).T
    name = method.split(",")[0]
    if np.abs(got - wanted[name]).max() > 1e-6 * np.abs(exact).max():
        rows_off = (np.abs(got - wanted[name]).max(axis=1) > 1e-6).sum()
        return f"{rows_off} rows differ from the paper's"
    layer = json.loads(done.stdout)["weights"][0]
    whole = output_errors(exact, np.zeros_like(exact), products).sum()
    for key, rounded in wanted.items():
        output = np.sqrt(output_errors(exact, rounded, products).sum() / whole) if whole else 0
        relative = np.linalg.norm(exact - rounded) / np.linalg.norm(exact)
        if abs(layer["output_errors"][key] - output) > 1e-6 or abs(layer["relative_errors"][key] - relative) > 1e-6:
            return f"errors of {key}: {layer}, but {output} and {relative}"
    shown = layer["output_errors"]
    if name == "gptq" and shown["gptq"] > min(shown["rtn"], shown["mse"]) + 1e-9:
        return f"errors grow: {shown}"
    return "" if set(shown) == set(wanted) else f"errors of {set(shown)}"


def run_forms(sectile: str, folder: str) -> List[str]:
    """The same inputs in several forms must give the same bytes."""
    rng = np.random.default_rng(7)
    inputs = make_inputs(rng, 96, 50, "mixed").astype(np.float32)
    weights = rng.normal(size=(50, 16)).astype(np.float32)
    save_model(f"{folder}/m.onnx", weights)
    problems, first = [], b""
    np.savez(f"{folder}/a.npz", x=inputs[:32])
    np.savez_compressed(f"{folder}/b.npz", x=inputs[32:].reshape(2, 32, 50))
    np.savez_compressed(f"{folder}/x0.npz", x=inputs)
    np.savez(f"{folder}/x1.npz", x=inputs.reshape(6, 16, 50))
    np.savez(f"{folder}/x2.npz", x=np.asfortranarray(inputs))
    for form in (["x0"], ["x1"], ["x2"], ["a", "b"]):
        done = run(sectile, f"{folder}/m.onnx", "-o", f"{folder}/q.onnx", "--format=int4,group=16", "--method=gptq",
                   *(f"--calibrate={folder}/{name}.npz" for name in form))  # fmt: skip
        written = Path(f"{folder}/q.onnx").read_bytes() if done.returncode == 0 else b""
        first = first or written
        problems.append("" if written == first and written else f"data {form}: {done.stderr}")
    # A static first dimension, which an array may hold several times; the weight read [K, M] wise.
    model = onnx.load(f"{folder}/m.onnx")
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 24
    onnx.save(model, f"{folder}/static.onnx")
    done = run(sectile, f"{folder}/static.onnx", "-o", f"{folder}/q.onnx", "--format=int4,group=16", "--method=gptq",
               f"--calibrate={folder}/x0.npz", "--json")  # fmt: skip
    problems.append("" if done.returncode == 0 else f"a static batch: {done.stderr}")
    static = json.loads(done.stdout or "{}").get("weights")
    save_model(f"{folder}/turned.onnx", weights, "Gemm", transA=1)
    np.savez(f"{folder}/t.npz", x=inputs.T)
    done = run(sectile, f"{folder}/turned.onnx", "-o", f"{folder}/q.onnx", "--format=int4,group=16", "--method=gptq",
               f"--calibrate={folder}/t.npz", "--json")  # fmt: skip
    same = done.returncode == 0 and json.loads(done.stdout)["weights"] == static
    problems.append("" if same else f"transA: {done.stderr}{done.stdout}, {static}")
    return problems


def run_layers(sectile: str, folder: str) -> List[str]:
    """Layers behind layers, one weight read twice, one input read by two weights."""
    rng = np.random.default_rng(3)
    shapes = {"a": (40, 60), "b": (40, 60), "c": (60, 40)}
    arrays = {name: (rng.normal(size=shape) / 6).astype(np.float32) for name, shape in shapes.items()}
    nodes = [helper.make_node("MatMul", ["x", "a"], ["xa"], name="a"), helper.make_node("MatMul", ["x", "b"], ["xb"], name="b"),
             helper.make_node("Sigmoid", ["xa"], ["s"]), helper.make_node("Mul", ["s", "xb"], ["h"]),
             helper.make_node("MatMul", ["h", "c"], ["r"], name="c"), helper.make_node("MatMul", ["r", "a"], ["ra"], name="a2"),
             helper.make_node("MatMul", ["ra", "c"], ["y"], name="c2")]  # fmt: skip
    graph = helper.make_graph(
        nodes, "layers", [helper.make_tensor_value_info("x", 1, ["n", 5, 40])], [helper.make_tensor_value_info("y", 1, None)],
        [TensorProto(name=name, data_type=1, dims=array.shape, raw_data=array.tobytes()) for name, array in arrays.items()])  # fmt: skip
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), f"{folder}/l.onnx")
    x = rng.normal(size=(12, 5, 40)).astype(np.float32)
    np.savez(f"{folder}/l.npz", x=x)
    done = run(sectile, f"{folder}/l.onnx", "-o", f"{folder}/lq.onnx", "--format=int3,group=32", "--method=gptq", "--json",
               f"--calibrate={folder}/l.npz", "--skip=^b$")  # fmt: skip
    if done.returncode:
        return [f"layers: {done.stderr}"]
    layers = {layer["node"]: layer for layer in json.loads(done.stdout)["weights"]}
    problems = ["" if layers["b"]["stays"] == "skipped" and "shared" in layers["a2"]["stays"] else f"layers: {layers}"]
    flat = x.reshape(-1, 40).astype(np.float64)
    xa, xb = flat @ arrays["a"], flat @ arrays["b"]
    h = xb / (1 + np.exp(-xa))
    r = h @ arrays["c"]
    table = np.array(FORMATS["int3"].table, np.float64)
    for name, inputs in (("a", [flat, r]), ("c", [h, r @ arrays["a"]])):
        products = sum(part.T @ part for part in inputs)
        exact = arrays[name].T.astype(np.float64)
        simple = round_groups(table, exact, 32, False, np.float32, 17)
        wanted = np.sqrt(output_errors(exact, simple, products).sum() / output_errors(exact, 0 * exact, products).sum())
        # Inputs and their sums are rounded to float32.
        shown = layers[name]["output_errors"]
        good = abs(shown["mse"] - wanted) <= 1e-4 * wanted and shown["gptq"] < 0.9 * shown["mse"]
        problems.append("" if good else f"layer {name}: {shown}, but {wanted}")
    return problems


def run_sequential(sectile: str, folder: str) -> List[str]:
    """Layers that meet what those before them give with their codes; a small weight lies in the model, others beside."""
    rng = np.random.default_rng(11)
    shapes = {"a": (24, 10), "b": (24, 10), "c": (10, 40), "d": (40, 30)}
    arrays = {name: rng.normal(size=shape).astype(np.float32) / 3 for name, shape in shapes.items()}
    nodes = [helper.make_node("MatMul", ["x", "a"], ["xa"], name="a"), helper.make_node("MatMul", ["x", "b"], ["xb"], name="b"),
             helper.make_node("Max", ["xa", "xb"], ["h"]), helper.make_node("MatMul", ["h", "c"], ["hc"], name="c"),
             helper.make_node("Relu", ["hc"], ["r"]), helper.make_node("MatMul", ["r", "d"], ["y"], name="d")]  # fmt: skip
    graph = helper.make_graph(
        nodes, "chain", [helper.make_tensor_value_info("x", 1, ["n", 24])], [helper.make_tensor_value_info("y", 1, None)],
        [TensorProto(name=name, data_type=1, dims=array.shape, raw_data=array.tobytes()) for name, array in arrays.items()])  # fmt: skip
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10), f"{folder}/s.onnx")
    x = (rng.normal(size=(300, 8)) @ rng.normal(size=(8, 24)) + 0.2 * rng.normal(size=(300, 24))).astype(np.float32)
    np.savez(f"{folder}/s.npz", x=x)

    def forward(weights: Dict[str, np.ndarray]) -> Dict[str, np.ndarray]:
        h = np.maximum(x @ weights["a"], x @ weights["b"])
        r = np.maximum(h @ weights["c"], 0)
        return {"a": x, "b": x, "c": h, "d": r, "y": r @ weights["d"]}

    exact = {name: array.astype(np.float64) for name, array in arrays.items()}
    problems = []
    for method in ("gptq", "gptq,sequential"):
        done = run(sectile, f"{folder}/s.onnx", "-o", f"{folder}/sq.onnx", "--format=int3,group=8", f"--method={method}", "--json",
                   f"--calibrate={folder}/s.npz")  # fmt: skip
        if done.returncode:
            return [f"{method}: {done.stderr}"]
        model = onnx.load(f"{folder}/sq.onnx")
        made = {output: node for node in model.graph.node for output in node.output}
        written = {name: decode(model, made[made[value].input[1]], FORMATS["int3"])
                   for name, value in (("a", "xa"), ("b", "xb"), ("c", "hc"), ("d", "y"))}  # fmt: skip
        met = forward(written if "sequential" in method else exact)
        for layer in json.loads(done.stdout)["weights"]:
            name = layer["weight"]
            wanted = np.linalg.norm(met[name] @ (written[name] - exact[name])) / np.linalg.norm(met[name] @ exact[name])
            shown = layer["output_errors"]["gptq"]
            problems.append("" if abs(shown - wanted) <= 1e-4 * wanted else f"{method}, layer {name}: {shown}, but {wanted}")
    return problems


def run_refusals(sectile: str, folder: str) -> List[str]:
    """Bad data, with its message and nothing written."""
    save_model(f"{folder}/m.onnx", np.ones((4, 3), np.float32))
    good = np.ones((2, 4), np.float32)
    nan, infinite = good.copy(), good.copy()
    nan[1, 2], infinite[0, 1] = np.nan, np.inf
    arrays: Dict[str, Dict[str, Any]] = {
        "good": {"x": good}, "nan": {"x": nan}, "inf": {"x": infinite}, "name": {"z": good}, "more": {"x": good, "z": good},
        "type": {"x": good.astype(np.float64)}, "shape": {"x": np.ones((2, 5), np.float32)},
        "rank": {"x": np.ones(4, np.float32)}, "none": {"x": np.ones((0, 2, 4), np.float32)}, "objects": {"x": np.array([{}])},
    }  # fmt: skip
    for name, content in arrays.items():
        np.savez(f"{folder}/{name}.npz", **content)
    whole = Path(f"{folder}/good.npz").read_bytes()
    Path(f"{folder}/cut.npz").write_bytes(whole[:-10])
    Path(f"{folder}/damaged.npz").write_bytes(whole.replace(b"\x80\x3f", b"\x81\x3f", 1))
    Path(f"{folder}/text.npz").write_bytes(b"no archive at all, of no kind")
    problems = []
    cases: List[Tuple[Optional[str], str, int, str]] = [
        (None, "gptq", 2, "--method=gptq takes inputs"), ("good", "gptq,damp=0", 2, "expects --method=gptq[,order][,sequential][,damp=D]"),
        ("good", "gptq,fast", 2, "expects --method=gptq[,order]"), ("good", "rtn,order", 2, "has no options"),
        ("nan", "gptq", 1, "array 'x' has NaN at element 6"), ("inf", "gptq", 1, "are not finite or too large"),
        ("inf", "rtn", 1, "weight 'w': its inputs, as calibrated, are not finite"),
        ("name", "gptq", 1, "array 'z' has the name of no input"), ("more", "gptq", 1, "array 'z' has the name of no input"),
        ("type", "gptq", 1, "expects samples of f32[?,?] for input 'x', but got f64[2,4]"),
        ("shape", "gptq", 1, "sample 0: "), ("rank", "gptq", 1, "but got f32[4]"), ("none", "gptq", 1, "but got f32[0,2,4]"),
        ("objects", "gptq", 1, "has dtype '|O'"), ("cut", "gptq", 1, "no directory"), ("damaged", "gptq", 1, "checksum is wrong"),
        ("text", "gptq", 1, "expects a ZIP archive"), ("absent", "gptq", 1, "cannot open"),
    ]  # fmt: skip
    for data, method, status, message in cases:
        data_option = [f"--calibrate={folder}/{data}.npz"] if data else []
        done = run(sectile, f"{folder}/m.onnx", "-o", f"{folder}/none.onnx", "--format=int4", f"--method={method}", *data_option)
        wrong = done.returncode != status or message not in done.stderr or os.path.exists(f"{folder}/none.onnx")
        problems.append(f"{data} {method}: status {done.returncode}: {done.stderr}" if wrong else "")
    save_model(f"{folder}/deep.onnx", np.ones((32769, 1), np.float32))
    np.savez(f"{folder}/deep.npz", x=np.ones((1, 32769), np.float32))
    done = run(sectile, f"{folder}/deep.onnx", "-o", f"{folder}/none.onnx", "--format=int4", f"--calibrate={folder}/deep.npz")
    wrong = done.returncode != 1 or "weight 'w' sums over 32769 inputs" not in done.stderr
    problems.append(f"deep: status {done.returncode}: {done.stderr}" if wrong or os.path.exists(f"{folder}/none.onnx") else "")
    return problems


def main() -> int:
    """Runs all cases."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sectile", required=True)
    arguments = parser.parse_args()
    problems = []
    with tempfile.TemporaryDirectory() as folder:
        for number, case in enumerate(CASES):
            problem = run_case(arguments.sectile, folder, number)
            problems.append(f"{case}: {problem}" if problem else "")
        for part in (run_forms, run_layers, run_sequential, run_refusals):
            problems += part(arguments.sectile, folder)
    return report(problems)


if __name__ == "__main__":
    sys.exit(main())
