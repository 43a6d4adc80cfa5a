#!/usr/bin/python3
# Part of the Sectile project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Writes a small ONNX model from the onnx.parser text on standard input: make_model.py OUT.onnx"""

import sys

import onnx
import onnx.parser

with open(sys.argv[1], "wb") as file:
    file.write(onnx.parser.parse_model(sys.stdin.read()).SerializeToString())
