# This file is part of the Sectile project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Realistic ONNX graphs with seeded random weights, for tests, demos and benchmarks.

The graphs have the structure that exporters write (shape chains, constant noise, decomposed
activations), so compiling them exercises what real models need; only the weights are made up.

    python3 -m sectile_models build/models --only resnet50,bert_dyn
    python3 -m sectile_models.inputs build/models/bert_dyn.onnx in --dims batch=2,seq=7
"""

from .registry import MODELS, ModelSpec, build

__all__ = ["MODELS", "ModelSpec", "build"]
