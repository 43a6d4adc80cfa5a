# This file is part of the Sectile project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Writes a model with 8-bit floats, whose types Debian's python3-onnx does not name."""

import sys

import onnx
from onnx import TensorProto, helper

E4M3FN, E5M2 = 17, 19

nodes = [
    helper.make_node("Cast", ["x"], ["a"], name="saturating", to=E4M3FN),
    helper.make_node("Cast", ["x"], ["b"], name="wrapping", to=E5M2, saturate=0),
    helper.make_node("Cast", ["f"], ["c"], name="reading", to=TensorProto.FLOAT),
]
inputs = [
    helper.make_tensor_value_info("x", TensorProto.FLOAT, [4]),
    helper.make_tensor_value_info("f", E4M3FN, [4]),
]
kinds = {"a": E4M3FN, "b": E5M2, "c": TensorProto.FLOAT}
outputs = [helper.make_tensor_value_info(name, kind, [4]) for name, kind in kinds.items()]
graph = helper.make_graph(nodes, "float8", inputs, outputs)
onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)]), sys.argv[1])
