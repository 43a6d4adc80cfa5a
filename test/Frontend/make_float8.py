# This file is part of the Sectile project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Writes models with 8-bit floats, whose types Debian's python3-onnx does not name: make_float8.py KIND OUT."""

import sys

import onnx
from onnx import TensorProto, helper

E4M3FN, E5M2 = 17, 19


def info(name: str, kind: int) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, [4])


cast = helper.make_node("Cast", ["x"], ["a"], name="cast", to=E4M3FN)
back = helper.make_node("Cast", ["f"], ["y"], name="back", to=TensorProto.FLOAT)
add = helper.make_node("Add", ["a", "a"], ["b"], name="adding")
relu = helper.make_node("Relu", ["a"], ["c"], name="clipping")
ends = [
    helper.make_node("Cast", [name], [result], to=TensorProto.FLOAT) for name, result in ("bd", "ce")
]
x, y = info("x", TensorProto.FLOAT), info("y", TensorProto.FLOAT)
nodes, inputs, outputs = {
    "arithmetic": ([cast, add, relu, *ends], [x], [info("d", 1), info("e", 1)]),
    "input": ([back], [info("f", E5M2)], [y]),
    "output": ([cast], [x], [info("a", E4M3FN)]),
}[sys.argv[1]]
graph = helper.make_graph(nodes, "float8", inputs, outputs)
onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)]), sys.argv[2])
