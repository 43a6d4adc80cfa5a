# This file is part of the Sectile project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Models that static output is tried with: each stands for something the host program has to do."""

from __future__ import annotations

import dataclasses
from typing import Dict, List, Tuple

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

F32, I64, I8, F16, BOOL = 1, 7, 3, 10, 9


@dataclasses.dataclass
class Case:
    """A model, and inputs for it."""

    name: str
    model: onnx.ModelProto
    inputs: Dict[str, np.ndarray]
    dims: Dict[str, int] = dataclasses.field(default_factory=dict)
    """Values of the function's parameters."""
    options: Tuple[str, ...] = ()
    shared: Dict[str, str] = dataclasses.field(default_factory=dict)
    """Outputs in buffers of inputs."""
    capacity: int = 0
    """Of shared buffers, along dimension 1."""
    room: Dict[str, Tuple[int, ...]] = dataclasses.field(default_factory=dict)
    """Bounds of outputs whose extents the run decides."""


def model_of(
    name: str,
    nodes: List[onnx.NodeProto],
    inputs: List[Tuple],
    outputs: List[Tuple],
    constants: Dict[str, np.ndarray],
    opset: int = 17,
) -> onnx.ModelProto:
    """A model; inputs and outputs are (name, element type, shape)."""
    graph = helper.make_graph(
        nodes,
        name,
        [helper.make_tensor_value_info(*value) for value in inputs],
        [helper.make_tensor_value_info(*value) for value in outputs],
        [numpy_helper.from_array(array, of) for of, array in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def _rng(name: str) -> np.random.Generator:
    return np.random.default_rng([ord(letter) for letter in name])


def _floats(rng: np.random.Generator, *shape: int, scale: float = 1.0) -> np.ndarray:
    return (rng.standard_normal(shape) * scale).astype(np.float32)


def perceptron() -> Case:
    """Two products with constants, softmax; the number of rows is a parameter."""
    rng, node = _rng("perceptron"), helper.make_node
    nodes = [
        node("MatMul", ["x", "w1"], ["a"]), node("Add", ["a", "b1"], ["b"]), node("Relu", ["b"], ["c"]),
        node("MatMul", ["c", "w2"], ["d"]), node("Softmax", ["d"], ["y"], axis=-1),
    ]  # fmt: skip
    constants = {
        "w1": _floats(rng, 20, 33, scale=0.2), "b1": _floats(rng, 33), "w2": _floats(rng, 33, 7, scale=0.2)
    }  # fmt: skip
    model = model_of("p", nodes, [("x", F32, ["batch", 20])], [("y", F32, ["batch", 7])], constants)
    return Case("perceptron", model, {"x": _floats(rng, 3, 20)}, {"batch": 3})


def empty() -> Case:
    """The same with no rows at all."""
    case = perceptron()
    return dataclasses.replace(
        case, name="empty", inputs={"x": np.zeros((0, 20), np.float32)}, dims={"batch": 0}
    )


def embedding() -> Case:
    """Indices that are checked, a normalisation."""
    rng, node = _rng("embedding"), helper.make_node
    nodes = [node("Gather", ["t", "i"], ["a"]), node("LayerNormalization", ["a", "s", "b"], ["y"])]
    constants = {"t": _floats(rng, 50, 24), "s": _floats(rng, 24), "b": _floats(rng, 24)}
    model = model_of("e", nodes, [("i", I64, ["n"])], [("y", F32, ["n", 24])], constants)
    return Case("embedding", model, {"i": np.array([3, -1, 49, 0, 7])}, {"n": 5})


def convolution() -> Case:
    """Images, all sizes known: the arena is a macro."""
    rng, node = _rng("convolution"), helper.make_node
    nodes = [
        node("Conv", ["x", "k"], ["a"], pads=[1, 1, 1, 1]), node("Relu", ["a"], ["b"]),
        node("MaxPool", ["b"], ["p"], kernel_shape=[2, 2], strides=[2, 2]),
        node("GlobalAveragePool", ["p"], ["g"]), node("Flatten", ["g"], ["f"]), node("MatMul", ["f", "w"], ["y"]),
    ]  # fmt: skip
    constants = {"k": _floats(rng, 8, 3, 3, 3, scale=0.2), "w": _floats(rng, 8, 5)}
    model = model_of("c", nodes, [("x", F32, [1, 3, 13, 14])], [("y", F32, [1, 5])], constants)
    return Case("convolution", model, {"x": _floats(rng, 1, 3, 13, 14)})


def attention() -> Case:
    """Private memory that grows with a parameter."""
    rng, node = _rng("attention"), helper.make_node
    nodes = [
        node("Transpose", ["k"], ["t"], perm=[0, 2, 1]), node("MatMul", ["q", "t"], ["s"]),
        node("Softmax", ["s"], ["p"], axis=-1), node("MatMul", ["p", "v"], ["y"]),
    ]  # fmt: skip
    values = [(name, F32, [2, "seq", 16]) for name in "qkv"]
    model = model_of("a", nodes, values, [("y", F32, [2, "seq", 16])], {})
    return Case(
        "attention", model, {name: _floats(rng, 2, 13, 16) for name in "qkv"}, {"seq": 13}
    )


SPECIAL = [0.0, -0.0, 0.5, -0.5, 1.5, 2.5, -2.5, 0.49999997, 8388607.5, -8388608.0, 1e30, np.inf, -np.inf,
           np.nan, 1e-40, 1.1754942e-38, 3.4028235e38, 4.0, 2.0, 0.99999994, 1e-45]  # fmt: skip
"""Ties, zeros, denormals, the ends of what f32 holds, and what is no number."""


def functions() -> Case:
    """What some CPUs have no instruction for: to the last bit, special values among them."""
    rng, node = _rng("functions"), helper.make_node
    kinds = ["Floor", "Ceil", "Round", "Sqrt"]
    nodes = [node(kind, ["x"], [kind.lower()]) for kind in kinds]
    nodes += [node("Max", ["x", "z"], ["greater"]), node("Min", ["x", "z"], ["smaller"])]
    x = np.concatenate([np.array(SPECIAL, np.float32), _floats(rng, 70, scale=40.0)])
    bits = rng.integers(0, 2**32, 66, dtype=np.uint32).view(np.float32)
    x = np.concatenate([x, bits])
    names = [*[kind.lower() for kind in kinds], "greater", "smaller"]
    model = model_of(
        "f", nodes, [("x", F32, [len(x)]), ("z", F32, [len(x)])],
        [(name, F32, [len(x)]) for name in names], {},
    )  # fmt: skip
    return Case("functions", model, {"x": x, "z": np.roll(x, 5)})


def doubles() -> Case:
    """f64, which a small CPU computes by helpers, and functions that are computed in it."""
    rng, node = _rng("doubles"), helper.make_node
    nodes = [
        node("Sqrt", ["x"], ["r"]), node("Mul", ["x", "x"], ["q"]), node("Floor", ["q"], ["f"]),
        node("Exp", ["s"], ["e"]), node("Tan", ["s"], ["t"]),
    ]  # fmt: skip
    model = model_of(
        "d", nodes, [("x", 11, [19]), ("s", F32, [19])],
        [("r", 11, [19]), ("f", 11, [19]), ("e", F32, [19]), ("t", F32, [19])], {},
    )  # fmt: skip
    return Case("doubles", model, {"x": rng.random(19) * 100, "s": _floats(rng, 19)})


def integers() -> Case:
    """A product of bytes, narrow types, a scalar and booleans."""
    rng, node = _rng("integers"), helper.make_node
    nodes = [
        node("MatMulInteger", ["x", "w"], ["p"]), node("ReduceSum", ["p"], ["s"], keepdims=0),
        node("Greater", ["p", "o"], ["g"]), node("Cast", ["h"], ["c"], to=F32), node("Add", ["c", "one"], ["d"]),
    ]  # fmt: skip
    constants = {
        "w": rng.integers(-128, 128, (17, 9)).astype(np.int8), "o": np.int32(100), "one": np.float32(1)
    }  # fmt: skip
    model = model_of(
        "i", nodes, [("x", I8, [5, 17]), ("h", F16, [6])],
        [("p", 6, [5, 9]), ("s", 6, []), ("g", BOOL, [5, 9]), ("d", F32, [6])], constants,
    )  # fmt: skip
    inputs = {"x": rng.integers(-128, 128, (5, 17)).astype(np.int8), "h": rng.standard_normal(6).astype(np.float16)}
    return Case("integers", model, inputs)


def loop() -> Case:
    """A loop in the host program whose end depends on what it computes."""
    node = helper.make_node
    body = helper.make_graph(
        [
            node("Add", ["v", "v"], ["next"]), node("ReduceMax", ["next"], ["m"], keepdims=0),
            node("Less", ["m", "limit"], ["go"]),
        ],
        "body",
        [helper.make_tensor_value_info("n", I64, []), helper.make_tensor_value_info("c", BOOL, []),
         helper.make_tensor_value_info("v", F32, [4])],
        [helper.make_tensor_value_info("go", BOOL, []), helper.make_tensor_value_info("next", F32, [4])],
    )  # fmt: skip
    nodes = [node("Loop", ["trips", "start", "x"], ["y"], body=body)]
    constants = {"trips": np.int64(9), "start": np.bool_(True), "limit": np.float32(50)}
    model = model_of("l", nodes, [("x", F32, [4])], [("y", F32, [4])], constants)
    return Case("loop", model, {"x": np.array([1, 2, 3, 2.5], np.float32)})


def cache() -> Case:
    """An output that grows in the buffer of an input."""
    rng, node = _rng("cache"), helper.make_node
    nodes = [node("Concat", ["past", "new"], ["present"], axis=1), node("ReduceSum", ["present"], ["s"])]
    model = model_of(
        "k", nodes, [("past", F32, [2, "used", 3]), ("new", F32, [2, 1, 3])],
        [("present", F32, None), ("s", F32, [1, 1, 1])], {},
    )  # fmt: skip
    inputs = {"past": _floats(rng, 2, 4, 3), "new": _floats(rng, 2, 1, 3)}
    return Case(
        "cache", model, inputs, {"used": 4}, ("--alias=past:present,used=8",), {"present": "past"}, 8
    )


def shapes() -> Case:
    """Sizes that are elements of an input."""
    rng, node = _rng("shapes"), helper.make_node
    nodes = [node("Expand", ["x", "shape"], ["a"]), node("Relu", ["a"], ["y"])]
    model = model_of("s", nodes, [("x", F32, [3, 1]), ("shape", I64, [2])], [("y", F32, ["a", "b"])], {})
    return Case("shapes", model, {"x": _floats(rng, 3, 1), "shape": np.array([3, 5])})


def chosen() -> Case:
    """An output whose size the data decides."""
    node = helper.make_node
    model = model_of("n", [node("NonZero", ["x"], ["y"])], [("x", F32, [3, "w"])], [("y", I64, [2, "k"])], {})
    x = np.array([[1, 0, 0, 2], [0, 0, 0, 0], [0, 3, 0, 4]], np.float32)
    return Case("chosen", model, {"x": x}, {"w": 4}, room={"y": (2, 12)})


CASES = [perceptron, empty, embedding, convolution, attention, functions, doubles, integers, loop, cache, shapes,
         chosen]  # fmt: skip
