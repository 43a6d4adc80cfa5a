# This file is part of the Sectile project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Products with weights of few bits, for `benchmarks/run --suite=lowbit`.

A name is SHAPE.FORMAT.mROWS, such as llama8b_qkv.int4.m1: FORMAT one of int2 to int8 with a scale for each 128
weights. A model multiplies inputs, one each, with as many such weights as no cache holds, one after the other, so
that each comes from memory; times are of one of them. Peers get the same numbers in codes of the fewest bits, not
below ours, that MatMulNBits has. With .a8 behind the name, rows are rounded to 8 bits, each 128 elements with a scale of
their own (accuracy_level 4 of MatMulNBits), in the time that is measured.
"""

from __future__ import annotations

import os
import re
import threading
import time
from typing import Dict, List, Tuple

import numpy as np

SHAPES: Dict[str, Tuple[int, int]] = {
    # K, N of the linear layers: Llama-3-8B, Qwen2.5-7B, Gemma-2-9B
    "llama8b_qkv": (4096, 6144), "llama8b_o": (4096, 4096), "llama8b_up": (4096, 28672), "llama8b_down": (14336, 4096),
    "qwen7b_qkv": (3584, 4608), "qwen7b_o": (3584, 3584), "qwen7b_up": (3584, 37888), "qwen7b_down": (18944, 3584),
    "gemma9b_qkv": (3584, 8192), "gemma9b_o": (4096, 3584), "gemma9b_up": (3584, 28672), "gemma9b_down": (14336, 3584),
}  # fmt: skip

ROWS = (1, 4, 8, 16, 32, 64, 128, 512)

GROUP = 128

ROTATED_BYTES = 96 << 20
"""Weights of a model, packed: more than the last cache of anything this runs on in turn."""

SUITE: Tuple[str, ...] = (
    *(f"llama8b_o.int{bits}.m1" for bits in (2, 3, 4, 5, 6, 7, 8)),
    *(f"{shape}.int4.m1" for shape in SHAPES if shape != "llama8b_o"),
    *(f"llama8b_qkv.int4.m{rows}" for rows in ROWS[1:]),
    *(f"llama8b_o.int{bits}.m1.a8" for bits in (2, 3, 4, 5, 6, 7, 8)),
    *(f"llama8b_qkv.int4.m{rows}.a8" for rows in ROWS),
)


def parse(name: str) -> Tuple[int, int, int, int]:
    """K, N, bits and rows of a name; a ValueError says what is wrong."""
    match = re.fullmatch(r"(\w+)\.int([2-8])\.m([1-9]\d*)(\.a8)?", name)
    if not match or match[1] not in SHAPES:
        raise ValueError(f"expects SHAPE.int2 to int8.mROWS or SHAPE.int2 to int8.mROWS.a8 with a shape of {', '.join(SHAPES)}, but got '{name}'")
    return (*SHAPES[match[1]], int(match[2]), int(match[3]))


def count_weights(name: str) -> int:
    """Products of a model."""
    depth, columns, bits, _ = parse(name)
    return max(2, -(-ROTATED_BYTES * 8 // (depth * columns * bits)))


def weight_bytes(name: str) -> float:
    """Bytes of one weight's codes and scales at their width."""
    depth, columns, bits, _ = parse(name)
    return depth * columns * bits / 8 + depth // GROUP * columns * 4


def pack(codes: np.ndarray, bits: int) -> bytes:
    """Codes as a stream of bits, the lowest of the first byte first."""
    if bits == 8:
        return codes.tobytes()
    stream = np.unpackbits(codes.reshape(-1, 1), axis=1, bitorder="little")[:, :bits]
    return np.packbits(stream.ravel(), bitorder="little").tobytes()


def write_models(name: str, own: str, peers: str, inputs: str) -> None:
    """Writes the models and their input, a random one."""
    import onnx
    from onnx import TensorProto, helper

    depth, columns, bits, rows = parse(name)
    wide = next(width for width in (2, 4, 8) if width >= bits)
    rng = np.random.default_rng(0)
    nodes: Dict[str, List[onnx.NodeProto]] = {own: [], peers: []}
    tensors: Dict[str, List[onnx.TensorProto]] = {own: [], peers: []}
    values: List[onnx.ValueInfoProto] = []
    outputs = []
    in_bytes = name.endswith(".a8")
    if in_bytes:
        groups = [("groups", TensorProto.INT64, [3], [rows, depth // GROUP, GROUP]), ("last", TensorProto.INT64, [1], [2]),
                  ("most", TensorProto.FLOAT, [], [127.0]),
                  ("zero", TensorProto.INT8, [rows, depth // GROUP], [0] * (rows * (depth // GROUP)))]  # fmt: skip
        tensors[own] += [helper.make_tensor(*entry) for entry in groups]
    for i in range(count_weights(name)):
        numbers = rng.integers(-(2 ** (bits - 1)), 2 ** (bits - 1), (columns, depth), dtype=np.int8)
        scales = (rng.random((columns, depth // GROUP)) * 0.01 + 0.01).astype(np.float32)
        scale = helper.make_tensor(f"s{i}", TensorProto.FLOAT, scales.shape, scales.tobytes(), raw=True)
        result, given, row = f"y{i}", f"x{i}", f"x{i}"
        values.append(helper.make_tensor_value_info(given, TensorProto.FLOAT, [rows, depth]))
        if in_bytes:
            nodes[own] += [helper.make_node("Abs", [given], [f"a{i}"]),
                           helper.make_node("Reshape", [f"a{i}", "groups"], [f"g{i}"]),
                           helper.make_node("ReduceMax", [f"g{i}", "last"], [f"m{i}"], keepdims=0),
                           helper.make_node("Div", [f"m{i}", "most"], [f"t{i}.row"]),
                           helper.make_node("QuantizeLinear", [given, f"t{i}.row", "zero"], [f"c{i}"],
                                            axis=1, block_size=GROUP),
                           helper.make_node("DequantizeLinear", [f"c{i}", f"t{i}.row", "zero"], [f"r{i}"],
                                            axis=1, block_size=GROUP)]  # fmt: skip
            row = f"r{i}"
        outputs.append(helper.make_tensor_value_info(result, TensorProto.FLOAT, [rows, columns]))
        codes = pack((numbers & (2**bits - 1)).astype(np.uint8), bits)
        tensors[own] += [helper.make_tensor(f"w{i}", TensorProto.UINT8, [len(codes)], codes, raw=True), scale]
        nodes[own] += [helper.make_node("Dequantize", [f"w{i}", f"s{i}"], [f"d{i}"], domain="ai.sectile",
                                        format=f"int{bits}", shape=[columns, depth], block=[1, GROUP]),
                       helper.make_node("Transpose", [f"d{i}"], [f"t{i}"], perm=[1, 0]),
                       helper.make_node("MatMul", [row, f"t{i}"], [result])]  # fmt: skip
        codes = pack((numbers.astype(np.int16) + 2 ** (wide - 1)).astype(np.uint8), wide)
        tensors[peers] += [helper.make_tensor(f"w{i}", TensorProto.UINT8, [columns, depth // GROUP, GROUP * wide // 8],
                                              codes, raw=True),
                           helper.make_tensor(f"s{i}", TensorProto.FLOAT, [scales.size], scales.tobytes(), raw=True)]  # fmt: skip
        nodes[peers].append(helper.make_node("MatMulNBits", [given, f"w{i}", f"s{i}"], [result], domain="com.microsoft",
                                             K=depth, N=columns, bits=wide, block_size=GROUP,
                                             accuracy_level=4 if in_bytes else 0))  # fmt: skip
    for path, domain in ((own, "ai.sectile"), (peers, "com.microsoft")):
        opsets = [helper.make_opsetid("", 21), helper.make_opsetid(domain, 1)]
        graph = helper.make_graph(nodes[path], "lowbit", values, outputs, tensors[path])
        onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=10), path)
    os.makedirs(inputs, exist_ok=True)
    for value in values:
        np.save(os.path.join(inputs, f"{value.name}.npy"), rng.normal(size=(rows, depth)).astype(np.float32))


class Stream:
    """Reads memory as fast as it comes, on some threads."""

    BYTES = 128 << 20

    def __init__(self, threads: int) -> None:
        count = self.BYTES // 4 // threads // 2
        self.arrays = [(np.ones(count, np.float32), np.ones(count, np.float32)) for _ in range(threads)]

    def probe(self) -> float:
        """GB/s of one pass."""
        workers = [threading.Thread(target=np.dot, args=pair) for pair in self.arrays]
        begin = time.perf_counter()
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        return self.BYTES / (time.perf_counter() - begin) / 1e9
