# This file is part of the Sectile project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What is measured on a GPU: each case with its inputs and its result in float64.

Needs numpy alone, for it travels with the packages; `prepare.py` makes ONNX models of it.
"""

import numpy as np


class Case:
    """A graph at one size. `nodes` are (operator, inputs, output, attributes)."""

    def __init__(self, name, dtype, inputs, nodes, reference, torch, small=False):
        self.name, self.dtype, self.inputs, self.nodes = name, dtype, inputs, nodes
        self.reference, self.torch, self.small = reference, torch, small

    def make_inputs(self):
        """Deterministic inputs in (-1, 1), exact in the case's type."""
        rng = np.random.default_rng(sum(map(ord, self.name)))
        return {
            name: rng.uniform(-1, 1, shape).astype(self.dtype) for name, shape in self.inputs.items()
        }

    def bound(self, expected):
        """What a result may be off: a rounding of each of the terms of the longest sum, in f32, and
        one of the result's type; the inputs are at most 1 in magnitude."""
        terms = max(max(shape) for shape in self.inputs.values())
        unit = np.finfo(self.dtype).eps
        return 4 * terms * np.finfo(np.float32).eps + 4 * unit * np.maximum(np.abs(expected), 1e-2)


def _product(size, dtype, small=False):
    m, n, k = size
    return Case(
        f"product_{np.dtype(dtype).name}_{m}x{n}x{k}", dtype, {"a": (m, k), "b": (k, n)},
        [("MatMul", ["a", "b"], "y", {})], lambda a, b: a @ b, lambda torch, a, b: a @ b, small,
    )  # fmt: skip


def _softmax(rows, columns, dtype, small=False):
    def reference(x):
        e = np.exp(x - x.max(-1, keepdims=True))
        return e / e.sum(-1, keepdims=True)

    return Case(
        f"softmax_{np.dtype(dtype).name}_{rows}x{columns}", dtype, {"x": (rows, columns)},
        [("Softmax", ["x"], "y", {"axis": -1})], reference,
        lambda torch, x: torch.softmax(x, -1), small,
    )  # fmt: skip


def _layer_norm(rows, columns, dtype, small=False):
    def reference(x, s, t):
        centred = x - x.mean(-1, keepdims=True)
        return centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-5) * s + t

    return Case(
        f"layernorm_{np.dtype(dtype).name}_{rows}x{columns}", dtype,
        {"x": (rows, columns), "s": (columns,), "t": (columns,)},
        [("LayerNormalization", ["x", "s", "t"], "y", {"axis": -1, "epsilon": 1e-5})], reference,
        lambda torch, x, s, t: torch.nn.functional.layer_norm(x, x.shape[-1:], s, t, 1e-5), small,
    )  # fmt: skip


def _elementwise(count, dtype, small=False):
    return Case(
        f"elementwise_{np.dtype(dtype).name}_{count}", dtype, {"x": (count,), "z": (count,)},
        [("Mul", ["x", "z"], "p", {}), ("Tanh", ["p"], "q", {}), ("Add", ["q", "x"], "y", {})],
        lambda x, z: np.tanh(x * z) + x, lambda torch, x, z: torch.tanh(x * z) + x, small,
    )  # fmt: skip


def _mlp(rows, width, dtype, small=False):
    return Case(
        f"mlp_{np.dtype(dtype).name}_{rows}x{width}", dtype,
        {"x": (rows, width), "u": (width, width), "v": (width, width)},
        [("MatMul", ["x", "u"], "p", {}), ("Relu", ["p"], "q", {}), ("MatMul", ["q", "v"], "r", {}),
         ("Tanh", ["r"], "y", {})],
        lambda x, u, v: np.tanh(np.maximum(x @ u, 0) @ v),
        lambda torch, x, u, v: torch.tanh(torch.relu(x @ u) @ v), small,
    )  # fmt: skip


def all_cases():
    """Small ones, which the emulator has computed too, and those that are timed."""
    f16, f32 = np.float16, np.float32
    return [
        _product((40, 72, 64), f16, True), _product((33, 20, 17), f32, True),
        _softmax(5, 77, f32, True), _layer_norm(6, 96, f32, True), _elementwise(1000, f32, True),
        _mlp(9, 48, f32, True),
        *(_product((n, n, n), dtype) for n in (1024, 2048, 4096) for dtype in (f16, f32)),
        _product((8, 4096, 4096), f16), _softmax(4096, 4096, f32), _softmax(8192, 1024, f16),
        _layer_norm(4096, 1024, f32), _layer_norm(8192, 4096, f16), _elementwise(1 << 24, f32),
        _elementwise(1 << 24, f16), _mlp(512, 1024, f16),
    ]  # fmt: skip
