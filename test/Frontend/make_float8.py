# This file is part of the Sectile project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Writes a model of arithmetic on 8-bit floats, which Debian's python3-onnx does not name: make_float8.py OUT."""

import sys

import onnx
from onnx import TensorProto, helper

E4M3FN = 17


def info(name: str, kind: int) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, [4])


cast = helper.make_node("Cast", ["x"], ["a"], name="cast", to=E4M3FN)
add = helper.make_node("Add", ["a", "a"], ["b"], name="adding")
relu = helper.make_node("Relu", ["a"], ["c"], name="clipping")
ends = [
    helper.make_node("Cast", [name], [result], to=TensorProto.FLOAT) for name, result in ("bd", "ce")
]
outputs = [info("d", TensorProto.FLOAT), info("e", TensorProto.FLOAT)]
graph = helper.make_graph([cast, add, relu, *ends], "float8", [info("x", TensorProto.FLOAT)], outputs)
onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)]), sys.argv[1])
