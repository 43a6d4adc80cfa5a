#!/usr/bin/python3
# This file is part of the Sectile project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compiles random graphs of constants and compares what the compiler makes of them with numpy.

    test/Graph/fold_constants.py --sectile=build/bin/sectile [--seeds N]

Each graph returns values that depend on constants alone; where all are small, none may be left to a
kernel. `sectile verify` must find nothing. Integers, data
movement, and what IEEE rounds correctly must be equal to numpy's results in the same type; a function may
be one unit in the last place off. One graph has weights of 2.4 MB: the compiler's peak memory must stay
within a few times that of what it holds anyway. The last line is "N passed, N failed, N skipped" (graphs).
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from sectile_reference.cases import run_cases

FUNCTIONS = {"Exp": np.exp, "Tanh": np.tanh, "Log": np.log, "Sin": np.sin}
SMALL_BYTES = 65536  # the bound of graph-fold-constants
PROGRAM_BYTES = 48 << 20  # what the compiler allocates for a model without weights, at most
TYPES = {
    "float16": TensorProto.FLOAT16,
    "float32": TensorProto.FLOAT,
    "float64": TensorProto.DOUBLE,
    "int32": TensorProto.INT32,
}
BINARY = {"Add": np.add, "Sub": np.subtract, "Mul": np.multiply, "Div": np.divide}


class Graph:
    """A graph of constants with the value of each tensor beside it."""

    def __init__(self, seed: int):
        self.random = np.random.default_rng(seed)
        self.nodes: list = []
        self.initializers: list = []
        self.values: dict[str, np.ndarray] = {}
        self.ulps: dict[str, int] = {}

    def constant(self, value: np.ndarray) -> str:
        """An initializer."""
        name = f"c{len(self.values)}"
        self.initializers.append(numpy_helper.from_array(np.array(value, order="C"), name))
        self.values[name], self.ulps[name] = value, 0
        return name

    def node(self, op: str, inputs: list, value: np.ndarray, ulps: int = 0, **attributes) -> str:
        """A node whose result is `value`."""
        name = f"v{len(self.values)}"
        self.nodes.append(helper.make_node(op, inputs, [name], name=name, **attributes))
        self.values[name], self.ulps[name] = np.asarray(value), ulps
        return name

    def source(self) -> str:
        """A random constant of up to three dimensions, sizes 1 and odd ones among them."""
        shape = self.random.choice([1, 2, 3, 5, 7, 17], self.random.integers(0, 4))
        if self.random.random() < 0.3:
            return self.constant(self.random.integers(-50, 50, shape).astype(np.int32))
        dtype = np.float32 if self.random.random() < 0.8 else np.float16
        return self.constant((self.random.standard_normal(shape) + 2).astype(dtype))

    def step(self, name: str) -> str:
        """Some op on a value."""
        x, random = self.values[name], self.random
        kind = random.integers(0, 10)
        if kind == 0:
            order = [int(i) for i in random.permutation(x.ndim)]
            return self.node("Transpose", [name], x.transpose(order), self.ulps[name], perm=order)
        if kind == 1:
            shape = self.constant(np.array([-1], np.int64))
            return self.node("Reshape", [name, shape], x.reshape(-1), self.ulps[name])
        if kind == 2 and x.ndim:
            starts, ends = np.zeros(x.ndim, np.int64), np.array(x.shape, np.int64)
            steps = random.integers(1, 3, x.ndim)
            index = tuple(slice(None, None, int(s)) for s in steps)
            inputs = [name] + [self.constant(v) for v in (starts, ends, np.arange(x.ndim), steps)]
            return self.node("Slice", inputs, x[index], self.ulps[name])
        if kind == 3 and x.ndim:
            both = np.concatenate([x, x[..., ::1]], axis=-1)
            return self.node("Concat", [name, name], both, self.ulps[name], axis=x.ndim - 1)
        if kind == 4 and x.ndim:
            rows = random.integers(-x.shape[0], x.shape[0], 3)
            return self.node("Gather", [name, self.constant(rows)], x[rows], self.ulps[name], axis=0)
        if kind == 5:
            wide = np.float32 if x.dtype != np.float32 else np.float64
            return self.node("Cast", [name], x.astype(wide), self.ulps[name],
                             to=TYPES[np.dtype(wide).name])
        if kind == 6 and x.dtype in (np.float16, np.float32) and self.ulps[name] == 0:
            op = str(random.choice(list(FUNCTIONS)))
            bounded = self.node("Clip", [name, self.constant(np.array(0.25, x.dtype)),
                                         self.constant(np.array(3, x.dtype))],
                                np.clip(x, x.dtype.type(0.25), x.dtype.type(3)))
            exact = FUNCTIONS[op](self.values[bounded].astype(np.float64))
            return self.node(op, [bounded], exact.astype(x.dtype), 1)
        if kind == 7 and x.dtype.kind == "f" and self.ulps[name] == 0:
            root = self.node("Abs", [name], np.abs(x))
            return self.node("Sqrt", [root], np.sqrt(self.values[root]))
        if kind == 8 and x.ndim:
            pads = random.integers(0, 3, 2 * x.ndim)
            value = np.pad(x, [(int(pads[i]), int(pads[i + x.ndim])) for i in range(x.ndim)])
            return self.node("Pad", [name, self.constant(pads)], value, self.ulps[name])
        if self.ulps[name]:
            return name
        op = str(random.choice(list(BINARY)))
        other = (random.standard_normal(x.shape[-1:]) * 3).astype(x.dtype)
        if x.dtype.kind != "f":
            op = "Mul" if op == "Div" else op
        elif op == "Div":
            other = np.where(other == 0, x.dtype.type(1), other)
        return self.node(op, [name, self.constant(other)], BINARY[op](x, other))

    def model(self, outputs: list) -> onnx.ModelProto:
        """The model that returns `outputs`, and one input that it does not use otherwise."""
        infos = [
            helper.make_tensor_value_info(
                name, TYPES[self.values[name].dtype.name], self.values[name].shape)
            for name in outputs
        ]
        x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])
        graph = helper.make_graph(self.nodes, "constants", [x], infos, self.initializers)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


SEEDS = 20
"""Random graphs."""


def random_graph(seed: int) -> tuple[Graph, list]:
    """A few chains of ops."""
    graph = Graph(seed)
    outputs = []
    for _ in range(4):
        name = graph.source()
        for _ in range(int(graph.random.integers(1, 8))):
            name = graph.step(name)
        # An output that is a constant itself is no work for the compiler.
        outputs.append(graph.node("Abs", [name], np.abs(graph.values[name]), graph.ulps[name]))
    return graph, outputs


def check_memory(sectile: str, folder: str) -> str:
    """Scaled and transposed weights of 47 MB: the result must not lie on the heap beside them."""
    graph = Graph(0)
    w = graph.constant(graph.random.standard_normal((3001, 4097)).astype(np.float32))
    s = graph.constant(graph.random.standard_normal((3001, 1)).astype(np.float32))
    scaled = graph.node("Mul", [w, s], graph.values[w] * graph.values[s])
    output = graph.node("Transpose", [scaled], graph.values[scaled].T, perm=[1, 0])
    problem = check(sectile, graph, [output], folder, has_verify=False)
    # What the importer copies where the file is not aligned, and half as much again.
    limit = PROGRAM_BYTES + graph.values[w].nbytes * 3 // 2
    done = subprocess.run(
        [sectile, "compile", os.path.join(folder, "model.onnx"), "--emit=tile",
         "-o", os.path.join(folder, "model.mlir")],
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_DATA, (limit, limit)),
    )
    if done.returncode and not problem:
        problem = f"compile in {limit >> 20} MB: status {done.returncode}: {done.stderr}"
    return problem


def check(sectile: str, graph: Graph, outputs: list, folder: str, has_verify: bool = True) -> str:
    """What is wrong, or nothing."""
    model, package = os.path.join(folder, "model.onnx"), os.path.join(folder, "package")
    onnx.save(graph.model(outputs), model)
    np.save(os.path.join(folder, "x.npy"), np.zeros(1, np.float32))
    listed = [sectile, "compile", model, "--emit=graph", "-o", os.path.join(folder, "graph.mlir")]
    compiled = [sectile, "compile", model, "-o", package]
    run = [sectile, "run", package, f"--output-dir={folder}", f"--input=x={folder}/x.npy"]
    verify = [sectile, "verify", model, "--quiet", "--trials=0"]
    for step in (listed, compiled, run, verify) if has_verify else (listed, compiled, run):
        done = subprocess.run(step, capture_output=True, text=True, timeout=300)
        if done.returncode:
            return f"{step[1]}: status {done.returncode}: {done.stdout}{done.stderr}"
    with open(os.path.join(folder, "graph.mlir"), encoding="utf-8") as file:
        is_small = max(value.nbytes for value in graph.values.values()) <= SMALL_BYTES
        if "graph.launch" in file.read() and is_small:
            return "something is left to a kernel"
    for name in outputs:
        expected = graph.values[name]
        actual = np.load(os.path.join(folder, f"{name}.npy"))
        if actual.shape != expected.shape or actual.dtype != expected.dtype:
            return f"{name}: expects {expected.dtype}{expected.shape}, but got {actual.dtype}{actual.shape}"
        if graph.ulps[name]:
            unit = np.spacing(np.abs(expected))
            good = np.abs(actual - expected) <= graph.ulps[name] * unit
        else:
            good = (actual == expected) | ((actual != actual) & (expected != expected))
        if not good.all():
            at = np.unravel_index(np.argmin(good), good.shape)
            return f"{name}: expects {expected[at]} at {at}, but got {actual[at]}"
    return ""


def main() -> int:
    """The command; returns its exit status."""
    np.seterr(all="ignore")
    cases = [
        (f"seed {seed}", lambda sectile, at, seed=seed: check(sectile, *random_graph(seed), at))
        for seed in range(SEEDS)
    ]
    return run_cases(__doc__, [*cases, ("memory", check_memory)])


if __name__ == "__main__":
    sys.exit(main())
