#!/usr/bin/python3
# This file is part of the Sectile project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Puts weights of safetensors and GGUF files into a model with `sectile quantize --weights`: what is written is compiled,
run, and compared with numpy on the numbers that the file's blocks stand for, which are decoded here; then names,
exchanged dimensions, what `sectile inspect` shows, and what is refused, with nothing written.

    test/tools/file_weights.py --sectile=build/bin/sectile

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
from typing import Any, Dict, List, Tuple

import numpy as np
import onnx
from onnx import TensorProto, helper

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "Weights"))
from make_weights import GGUF_BLOCKS, gguf, safetensors  # noqa: E402
from quantize import report  # noqa: E402

IQ4NL = np.array([-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113], np.float64)
E2M1 = np.array([0, 0.5, 1, 1.5, 2, 3, 4, 6, -0.0, -0.5, -1, -1.5, -2, -3, -4, -6])
DEPTH, COLUMNS = 512, 24


def half(data: np.ndarray) -> np.ndarray:
    """Half floats of pairs of bytes, [.., 2]."""
    return np.ascontiguousarray(data).view(np.float16).astype(np.float64)


def nibbles(data: np.ndarray) -> np.ndarray:
    """Low nibbles, then high ones."""
    return np.concatenate([data & 15, data >> 4], axis=-1).astype(np.float64)


def k_scales(data: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
    """ggml's get_scale_min_k4 on 12 bytes."""
    low, mid, high = data[:, 0:4], data[:, 4:8], data[:, 8:12]
    scales = np.concatenate([low & 63, (high & 15) | (low >> 6) << 4], axis=1)
    mins = np.concatenate([mid & 63, high >> 4 | (mid >> 6) << 4], axis=1)
    return scales.astype(np.float64), mins.astype(np.float64)


def decode_blocks(kind: str, b: np.ndarray) -> np.ndarray:
    """The numbers of blocks, [blocks, bytes] to [blocks, numbers], after ggml-quants.c."""
    count = len(b)
    if kind == "Q4_0":
        return (nibbles(b[:, 2:]) - 8) * half(b[:, :2])
    if kind == "Q4_1":
        return nibbles(b[:, 4:]) * half(b[:, :2]) + half(b[:, 2:4])
    if kind == "Q5_0":
        fifth = np.unpackbits(b[:, 2:6], axis=1, bitorder="little")
        return (nibbles(b[:, 6:]) + 16.0 * fifth - 16) * half(b[:, :2])
    if kind == "Q8_0":
        return np.ascontiguousarray(b[:, 2:]).view(np.int8) * half(b[:, :2])
    if kind == "Q2_K":
        codes = np.stack([b[:, 16 + 32 * h : 48 + 32 * h] >> 2 * s & 3 for h in range(2) for s in range(4)], axis=1)
        scales, mins = (b[:, :16] & 15) * half(b[:, 80:82]), (b[:, :16] >> 4) * half(b[:, 82:84])
        return (codes.reshape(count, 16, 16) * scales[..., None] - mins[..., None]).reshape(count, 256)
    if kind in ("Q4_K", "Q5_K"):
        scales, mins = k_scales(b[:, 4:16])
        at = 16 if kind == "Q4_K" else 48
        codes = np.concatenate([nibbles(b[:, at + 32 * i : at + 32 * i + 32]) for i in range(4)], axis=1).reshape(count, 8, 32)
        if kind == "Q5_K":
            codes += 16.0 * np.stack([b[:, 16:48] >> i & 1 for i in range(8)], axis=1)
        scales, mins = scales * half(b[:, :2]), mins * half(b[:, 2:4])
        return (codes * scales[..., None] - mins[..., None]).reshape(count, 256)
    if kind == "Q6_K":
        codes = np.empty((count, 256))
        for h in range(2):
            low, high = b[:, 64 * h : 64 * h + 64], b[:, 128 + 32 * h : 160 + 32 * h]
            for i in range(4):
                part = low[:, 32 * (i % 2) : 32 * (i % 2) + 32] >> 4 * (i // 2) & 15
                codes[:, 128 * h + 32 * i : 128 * h + 32 * i + 32] = part | (high >> 2 * i & 3) << 4
        scales = np.ascontiguousarray(b[:, 192:208]).view(np.int8) * half(b[:, 208:])
        return ((codes - 32).reshape(count, 16, 16) * scales[..., None]).reshape(count, 256)
    if kind == "TQ2_0":
        codes = np.stack([b[:, 32 * h : 32 * h + 32] >> 2 * s & 3 for h in range(2) for s in range(4)], axis=1)
        return (codes.reshape(count, 256) - 1.0) * half(b[:, 64:])
    if kind == "IQ4_NL":
        return IQ4NL[nibbles(b[:, 2:]).astype(int)] * half(b[:, :2])
    assert kind == "MXFP4"
    return E2M1[nibbles(b[:, 1:]).astype(int)] * np.exp2(b[:, :1].astype(np.float64) - 127)


def random_blocks(kind: str, rng: np.random.Generator, rows: int, depth: int) -> Tuple[bytes, np.ndarray]:
    """Blocks of random codes with scales of a size that weights have, and their numbers [rows, depth]."""
    _, elements, size = GGUF_BLOCKS[kind]
    blocks = rng.integers(0, 256, size=(rows * depth // elements, size)).astype(np.uint8)
    places = {"Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q8_0": [0], "Q2_K": [80, 82], "Q4_K": [0, 2], "Q5_K": [0, 2],
              "Q6_K": [208], "TQ2_0": [64], "IQ4_NL": [0], "MXFP4": []}[kind]  # fmt: skip
    for place in places:
        halves = (rng.normal(size=len(blocks)) * 0.01).astype(np.float16)
        halves[:: max(7, len(blocks) // 3)] = 0  # blocks that are nothing, or nothing but their minimum
        blocks[:, place : place + 2] = halves.view(np.uint8).reshape(-1, 2)
    if kind == "MXFP4":
        blocks[:, 0] = rng.integers(115, 125, size=len(blocks))
    return blocks.tobytes(), decode_blocks(kind, blocks).reshape(rows, depth)


CASES: List[Tuple[str, int, str, str, str]] = [
    # block type, opset, type of the model, product, operator that is written
    ("Q4_0", 21, "f4", "MatMul", "DequantizeLinear"), ("Q4_0", 17, "f4", "MatMul", "MatMulNBits"),
    ("Q4_0", 17, "f2", "MatMul", "MatMulNBits"), ("Q5_0", 21, "f4", "Gemm", "ai.sectile.Dequantize"),
    ("Q8_0", 21, "f4", "Gemm", "DequantizeLinear"), ("Q8_0", 21, "f2", "MatMul", "DequantizeLinear"),
    ("Q4_1", 21, "f4", "MatMul", "ai.sectile.Dequantize"), ("Q2_K", 17, "f4", "Gemm", "ai.sectile.Dequantize"),
    ("Q4_K", 21, "f4", "MatMul", "ai.sectile.Dequantize"), ("Q4_K", 21, "f2", "Gemm", "ai.sectile.Dequantize"),
    ("Q5_K", 21, "f4", "Gemm", "ai.sectile.Dequantize"), ("Q6_K", 21, "f4", "MatMul", "ai.sectile.Dequantize"),
    ("Q6_K", 21, "f2", "MatMul", "ai.sectile.Dequantize"), ("TQ2_0", 21, "f4", "MatMul", "ai.sectile.Dequantize"),
    ("IQ4_NL", 21, "f4", "Gemm", "ai.sectile.Dequantize"), ("MXFP4", 23, "f4", "MatMul", "DequantizeLinear"),
]  # fmt: skip


def save_model(path: str, dtype: str, op: str, opset: int, columns: int = COLUMNS, depth: int = DEPTH) -> None:
    """lookup[i] times w plus bias: w is [K, N], or [N, K] for Gemm."""
    number = TensorProto.FLOAT16 if dtype == "f2" else TensorProto.FLOAT
    shape = (columns, depth) if op == "Gemm" else (depth, columns)
    empty = {"layer.w": np.zeros(shape, dtype), "layer.bias": np.zeros(columns, dtype), "lookup": np.zeros((5, depth), dtype)}
    nodes = [helper.make_node("Gather", ["lookup", "i"], ["x"]),
             helper.make_node(op, ["x", "layer.w"], ["p"], name="product", **({"transB": 1} if op == "Gemm" else {})),
             helper.make_node("Add", ["p", "layer.bias"], ["y"])]  # fmt: skip
    graph = helper.make_graph(
        nodes, "one", [helper.make_tensor_value_info("i", TensorProto.INT64, ["a"])],
        [helper.make_tensor_value_info("y", number, None)],
        [TensorProto(name=n, data_type=number, dims=a.shape, raw_data=a.tobytes()) for n, a in empty.items()])  # fmt: skip
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=9), path)


def run(sectile: str, *words: str) -> "subprocess.CompletedProcess[str]":
    """The program's end."""
    return subprocess.run([sectile, *words], capture_output=True, text=True, timeout=200)


def compute(sectile: str, folder: str, model: str) -> np.ndarray:
    """The model's y for all rows of the lookup table."""
    np.save(f"{folder}/i.npy", np.arange(5))
    for words in (["compile", model, "-o", f"{folder}/package", "--cpu-levels=sse4"],
                  ["run", f"{folder}/package", f"--output-dir={folder}", f"--input=i={folder}/i.npy"]):  # fmt: skip
        done = run(sectile, *words)
        if done.returncode:
            raise RuntimeError(done.stderr)
    return np.load(f"{folder}/y.npy").astype(np.float64)


def check(got: np.ndarray, lookup: np.ndarray, weights: np.ndarray, bias: np.ndarray, dtype: str) -> str:
    """Whether y is right: sums in float32 at least, y rounded to the model's type, in f16 weights too."""
    expected = lookup @ weights + bias
    unit = 2.0**-10 if dtype == "f2" else 2.0**-23
    bound = np.abs(lookup) @ np.abs(weights) * unit * 20 + np.abs(bias) * unit
    return "" if (np.abs(got - expected) <= bound).all() else f"off by {np.abs(got - expected).max()}"


def run_case(sectile: str, folder: str, number: int) -> str:
    """What is wrong with a case, or nothing."""
    kind, opset, dtype, op, operator = CASES[number]
    rng = np.random.default_rng(number)
    save_model(f"{folder}/m.onnx", dtype, op, opset)
    data, weights = random_blocks(kind, rng, COLUMNS, DEPTH)
    table, lookup = random_blocks("Q8_0", rng, 5, DEPTH)
    bias = rng.normal(size=COLUMNS).astype(np.float32)
    Path(f"{folder}/w.gguf").write_bytes(gguf([("blk.w", kind, (COLUMNS, DEPTH), data), ("blk.bias", "F32", (COLUMNS,), bias.tobytes()),
                                               ("lookup", "Q8_0", (5, DEPTH), table), ("other", "IQ2_S", (256,), bytes(82))]))  # fmt: skip
    words = ["quantize", f"{folder}/m.onnx", "-o", f"{folder}/q.onnx", f"--weights={folder}/w.gguf", "--rename=s/^layer/blk/"]
    if number == 0:  # without the rule, names differ
        done = run(sectile, *words[:-1], "--json")
        if done.returncode or json.loads(done.stdout)["kept"] != ["layer.w", "layer.bias"]:
            return f"{done.stderr}{done.stdout}"
    if op == "MatMul":
        words.append(r"--transpose=\.w$")
    done = run(sectile, *words, "--json")
    if done.returncode:
        return done.stderr
    report = json.loads(done.stdout)
    layer, taken = report["weights"][0], {entry["name"]: entry for entry in report["taken"]}
    if (layer["operator"], layer["source"]) != (operator, kind) or layer["bytes_after"] >= layer["bytes_before"]:
        return f"{layer}"
    # Zero points in float32 in the place of minima: each is rounded once.
    if layer["relative_error"] > (1e-6 if kind in ("Q4_1", "Q2_K", "Q4_K", "Q5_K") else 0):
        return f"{layer}"
    if taken["other"]["tensor"] is not None or "plain numbers" not in taken["lookup"]["note"] or "codes" not in taken["blk.w"]["note"]:
        return f"{taken}"
    if dtype == "f2":
        lookup, bias = lookup.astype(np.float16).astype(np.float64), bias.astype(np.float16)
    return check(compute(sectile, folder, f"{folder}/q.onnx"), lookup, weights.T, bias.astype(np.float64), dtype)


def run_safetensors(sectile: str, folder: str) -> List[str]:
    """Plain numbers, of which a format is made; two files; names in a file of rules."""
    rng = np.random.default_rng(5)
    save_model(f"{folder}/m.onnx", "f4", "MatMul", 21, 16, 40)
    weights, lookup = rng.normal(size=(16, 40)).astype(np.float16), rng.normal(size=(5, 40)).astype(np.float32)
    bias = (rng.normal(size=16).astype(np.float32).view(np.uint32) >> 16).astype(np.uint16)
    Path(f"{folder}/a.safetensors").write_bytes(safetensors([("model.layer.weight", "F16", (16, 40), weights.tobytes()),
                                                             ("model.layer.b", "BF16", (16,), bias.tobytes())]))  # fmt: skip
    Path(f"{folder}/b.safetensors").write_bytes(safetensors([("table", "F32", (5, 40), lookup.tobytes())]))
    Path(f"{folder}/rules").write_text("# names of the model and of the file\ns/\\.w$/.weight/\ns/\\.bias$/.b/\n\ns|^layer|model.layer|\n", encoding="utf-8")
    words = ["quantize", f"{folder}/m.onnx", "-o", f"{folder}/q.onnx", f"--weights={folder}/a.safetensors",
             f"--weights={folder}/b.safetensors", f"--rename=@{folder}/rules", "--rename=s/^lookup$/table/",
             "--transpose=^layer"]  # fmt: skip
    widened = (bias.astype(np.uint32) << 16).view(np.float32).astype(np.float64)
    problems = []
    done = run(sectile, *words)
    good = done.returncode == 0 and "3 tensors of the file taken, 0 not in the model" in done.stdout and "transposed" in done.stdout
    problems.append(check(compute(sectile, folder, f"{folder}/q.onnx"), lookup, weights.T.astype(np.float64), widened, "f4") if good
                    else f"safetensors: {done.stdout}{done.stderr}")  # fmt: skip
    done = run(sectile, *words, "--format=int8", "--json")
    layer = json.loads(done.stdout)["weights"][0] if done.returncode == 0 else {}
    problems.append("" if 0 < layer.get("relative_error", 0) < 0.01 else f"safetensors, int8: {done.stderr}{layer}")
    return problems


def run_mixed(sectile: str, folder: str) -> List[str]:
    """Blocks that keep their codes beside a format for the rest; blocks along the wrong dimension; calibration."""
    rng = np.random.default_rng(6)
    shapes = {"a": (64, 96), "b": (96, 32), "c": (32, 64)}
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "a"], ["xa"], name="a"), helper.make_node("MatMul", ["xa", "b"], ["xb"], name="b"),
         helper.make_node("MatMul", ["xb", "c"], ["y"], name="c")], "three",
        [helper.make_tensor_value_info("x", 1, ["n", 64])], [helper.make_tensor_value_info("y", 1, None)],
        [TensorProto(name=n, data_type=1, dims=s, raw_data=bytes(4 * s[0] * s[1])) for n, s in shapes.items()])  # fmt: skip
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10), f"{folder}/m.onnx")
    a, a_numbers = random_blocks("Q4_0", rng, 96, 64)  # [N, K], turned
    b, b_numbers = random_blocks("Q5_0", rng, 96, 32)  # [K, N]: blocks along N
    c = rng.normal(size=(32, 64)).astype(np.float32)
    Path(f"{folder}/w.gguf").write_bytes(gguf([("a", "Q4_0", (96, 64), a), ("b", "Q5_0", (96, 32), b), ("c", "F32", (32, 64), c.tobytes())]))
    x = rng.normal(size=(70, 64)).astype(np.float32)
    np.savez(f"{folder}/x.npz", x=x)
    np.save(f"{folder}/x.npy", x)
    done = run(sectile, "quantize", f"{folder}/m.onnx", "-o", f"{folder}/q.onnx", f"--weights={folder}/w.gguf", "--transpose=^a$",
               "--format=int4,group=16", "--method=gptq", f"--calibrate={folder}/x.npz", "--json")  # fmt: skip
    if done.returncode:
        return [f"mixed: {done.stderr}"]
    report = json.loads(done.stdout)
    layers = {layer["weight"]: layer for layer in report["weights"]}
    notes = {entry["name"]: entry["note"] for entry in report["taken"]}
    good = layers["a"]["source"] == "Q4_0" and "output_errors" not in layers["a"] and "source" not in layers["b"]
    good &= "do not lie along" in notes["b"] and layers["b"]["output_errors"]["gptq"] <= layers["b"]["output_errors"]["rtn"]
    problems = ["" if good else f"mixed: {report}"]
    # What c met, as calibrated, is x a b with the numbers of the file.
    met = x.astype(np.float64) @ a_numbers.T @ b_numbers
    group = c.astype(np.float64).T.reshape(64, 2, 16)
    scale = (np.abs(group).max(axis=2, keepdims=True) / 7).astype(np.float32).astype(np.float64)
    rounded = (np.clip(np.rint(group / scale), -8, 7) * scale).reshape(64, 32).T
    wanted = np.linalg.norm(met @ (c - rounded)) / np.linalg.norm(met @ c)
    shown = layers["c"]["output_errors"]["rtn"]
    problems.append("" if abs(shown - wanted) <= 1e-4 * wanted else f"mixed: output error {shown}, but {wanted}")
    return problems


def run_inspect(sectile: str, folder: str) -> List[str]:
    """What is shown of files."""
    Path(f"{folder}/a.gguf").write_bytes(gguf([("t\n1", "Q4_K", (2, 256), bytes(288))], [("general.name", 8, "a name"), ("n", 9, (4, [1, 2]))]))
    Path(f"{folder}/a.safetensors").write_bytes(safetensors([("t", "BF16", (2, 3), bytes(12))], {"format": "pt"}))
    done = run(sectile, "inspect", f"{folder}/a.gguf", "--json")
    shown: Dict[str, Any] = json.loads(done.stdout) if done.returncode == 0 else {}
    tensor = {"name": "t\n1", "type": "Q4_K", "shape": [2, 256], "offset": 192, "bytes": 288}
    good = shown.get("version") == 3 and shown["metadata"][0] == {"key": "general.name", "type": "string", "value": "a name"}
    good = good and shown["metadata"][1]["type"] == "u32[2]"
    shown_tensor = shown["tensors"][0] if good else {}
    shown_tensor["offset"] = 192 if shown_tensor.get("offset", 1) % 32 == 0 else 0
    problems = ["" if good and shown_tensor == tensor else f"inspect: {done.stderr}{shown}"]
    done = run(sectile, "inspect", f"{folder}/a.safetensors")
    good = all(text in done.stdout for text in ("safetensors, 1 tensors", "format (string): pt", "[2, 3]", "BF16              1 tensors"))
    problems.append("" if good else f"inspect: {done.stderr}{done.stdout}")
    done = run(sectile, "inspect", f"{folder}/a.safetensors", "--verify")
    problems.append("" if done.returncode == 2 and "is for packages" in done.stderr else f"inspect --verify: {done.stderr}")
    Path(f"{folder}/bad.gguf").write_bytes(b"GGUF\4\0\0\0")
    done = run(sectile, "inspect", f"{folder}/bad.gguf")
    problems.append("" if done.returncode == 1 and "version 2 or 3, but got 4 (byte 8)" in done.stderr else f"inspect: {done.stderr}")
    return problems


def run_refusals(sectile: str, folder: str) -> List[str]:
    """What should be refused, with its message, and nothing written."""
    save_model(f"{folder}/m.onnx", "f4", "MatMul", 21, 32, 64)
    save_model(f"{folder}/half.onnx", "f2", "MatMul", 21, 32, 64)
    bad_scale = np.zeros((64, 18), np.uint8)
    bad_scale[3, :2] = np.array([np.nan], np.float16).view(np.uint8)
    numbers = np.ones((32, 64), np.float32)
    nan, large = numbers.copy(), numbers.copy()
    nan[1, 1], large[0, 0] = np.nan, 1e6
    w = "layer.w"
    files = {
        "turned.gguf": gguf([(w, "F32", (32, 64), numbers.tobytes())]), "shape.gguf": gguf([(w, "F32", (32, 32), bytes(4096))]),
        "scale.gguf": gguf([(w, "Q4_0", (32, 64), bad_scale.tobytes())]), "names.gguf": gguf([("v", "F32", (1,), bytes(4))]),
        "nan.safetensors": safetensors([(w, "F32", (32, 64), nan.tobytes())]), "type.gguf": gguf([(w, "IQ2_S", (64, 256), bytes(64 * 82))]),
        "large.safetensors": safetensors([(w, "F32", (32, 64), large.tobytes())]),
        "integers.safetensors": safetensors([(w, "I32", (32, 64), bytes(8192))]),
        "good.safetensors": safetensors([(w, "F32", (64, 32), numbers.tobytes())]),
        "cut.safetensors": safetensors([(w, "F32", (64, 32), numbers.tobytes())])[:-1],
    }  # fmt: skip
    for name, data in files.items():
        Path(f"{folder}/{name}").write_bytes(data)
    save_model(f"{folder}/wide.onnx", "f4", "MatMul", 21, 64, 256)
    transpose = "--transpose=w"
    problems = []
    for model, name, options, status, message in [
        ("m", "turned.gguf", [], 1, "expects the shape [64, 32] of the model's tensor 'layer.w', but got [32, 64]; --transpose=REGEX names"),
        ("m", "good.safetensors", [transpose], 1, "with dimensions exchanged; --transpose names it, but should not"),
        ("m", "shape.gguf", [], 1, "but got [32, 32]"), ("m", "scale.gguf", [transpose], 1, "the scale of block 3 is not finite"),
        ("m", "names.gguf", [], 1, "none of the model's tensors (such as 'layer.w') has the name of one (such as 'v')"),
        ("m", "nan.safetensors", [transpose], 1, "tensor 'layer.w': expects numbers, but element 65 is NaN"),
        ("wide", "type.gguf", [transpose], 1, "the blocks of its type IQ2_S are not supported"),
        ("half", "large.safetensors", [transpose], 1, "is too large for the type"),
        ("m", "integers.safetensors", [transpose], 1, "its type I32 does not go into"),
        ("m", "cut.safetensors", [], 1, "tensor 'layer.w': its bytes 0 to 8192 do not lie in the 8191 bytes of data"),
        ("m", "absent", [], 1, "cannot be opened"), ("m", "good.safetensors", ["--rename=a=b"], 1, "expects a renaming to be s/PATTERN/TEXT/"),
        ("m", "good.safetensors", ["--rename=s/(/b/"], 1, "renaming 's/(/b/'"), ("m", "good.safetensors", ["--transpose=("], 2, "--transpose"),
        ("m", "good.safetensors", ["--method=mse"], 2, "expects --format=SPEC too"),
        ("m", "good.safetensors", [f"--weights={folder}/good.safetensors"], 1, "another file has a tensor of this name"),
        ("m", "", ["--format=int4", "--rename=s/a/b/"], 2, "--rename is for --weights"),
    ]:  # fmt: skip
        source = [f"--weights={folder}/{name}"] if name else []
        done = run(sectile, "quantize", f"{folder}/{model}.onnx", "-o", f"{folder}/none.onnx", *source, *options)
        wrong = done.returncode != status or message not in done.stderr or os.path.exists(f"{folder}/none.onnx")
        problems.append(f"{name} {options}: status {done.returncode}: {done.stderr}" if wrong else "")
    return problems


def main() -> int:
    """Runs all cases."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sectile", required=True)
    arguments = parser.parse_args()
    problems = []
    for number, case in enumerate(CASES):
        with tempfile.TemporaryDirectory() as folder:
            problem = run_case(arguments.sectile, folder, number)
            problems.append(f"{case}: {problem}" if problem else "")
    for part in (run_safetensors, run_mixed, run_inspect, run_refusals):
        with tempfile.TemporaryDirectory() as folder:
            problems += part(arguments.sectile, folder)
    return report(problems)


if __name__ == "__main__":
    sys.exit(main())
