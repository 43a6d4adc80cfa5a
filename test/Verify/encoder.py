# This file is part of the Sectile project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Writes a small encoder: encoder.py OUT.onnx LAYERS BATCH SEQ, the latter two sizes or names."""

import sys

import onnx
from sectile_models import transformers
from sectile_models.builder import GraphBuilder


def size(text: str) -> "int | str":
    """A number, or the name of a symbol."""
    return int(text) if text.isdigit() else text


path, layers, batch, seq = sys.argv[1:]
graph = GraphBuilder("encoder", 17, 20)
transformers.bert(
    graph, size(batch), size(seq), layers=int(layers), count=2, width=8, vocabulary=61, capacity=32
)
model = graph.model()
for node in model.graph.node:
    if node.name == f"/layer.{int(layers) - 1}/Div":
        # Equal layers share their kernels; a fault of the last layer alone needs one of its own.
        node.op_type = "Mul"
onnx.save(model, path)
