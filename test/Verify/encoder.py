# This file is part of the Sectile project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Writes a small encoder of 12 layers: encoder.py OUT.onnx [batch seq], sizes or names."""

import sys

import onnx
from sectile_models import transformers
from sectile_models.builder import GraphBuilder


def size(text: str) -> "int | str":
    """A number, or the name of a symbol."""
    return int(text) if text.isdigit() else text


graph = GraphBuilder("encoder", 17, 20)
batch, seq = (size(text) for text in sys.argv[2:4]) if len(sys.argv) > 2 else (1, 7)
transformers.bert(graph, batch, seq, layers=12, count=2, width=8, vocabulary=61, capacity=32)
onnx.save(graph.model(), sys.argv[1])
