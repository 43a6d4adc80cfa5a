# This file is part of the Sectile project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Evaluates a model: python3 -m sectile_reference MODEL.onnx --inputs DIR --outputs DIR."""

from __future__ import annotations

import argparse
import os
import sys
from typing import Dict

import numpy as np
import onnx

from .evaluator import EXACT, NATIVE, ROUNDED, Evaluator, UnsupportedError
from .tensors import encode, is_float


def file_name(tensor: str) -> str:
    """The file that holds a tensor: its name with `/` as `_`, as `sectile run` writes it."""
    return tensor.replace("/", "_") + ".npy"


def load_inputs(model: onnx.ModelProto, folder: str) -> Dict[str, np.ndarray]:
    """The files of `folder` that are named like inputs of `model`."""
    result = {}
    for value in model.graph.input:
        path = os.path.join(folder, file_name(value.name))
        if os.path.exists(path):
            result[value.name] = np.load(path)
    return result


def main() -> int:
    """The command; returns its exit status."""
    parser = argparse.ArgumentParser(prog="sectile_reference", description=__doc__)
    parser.add_argument("model")
    parser.add_argument("--inputs", required=True, help="folder with NAME.npy for each input")
    parser.add_argument("--outputs", required=True, help="folder to write NAME.npy into")
    parser.add_argument("--mode", choices=(EXACT, ROUNDED, NATIVE), default=EXACT)
    parser.add_argument(
        "--own-type", action="store_true", help="write floats in their own type, not float64"
    )
    arguments = parser.parse_args()
    model = onnx.load(arguments.model)
    try:
        evaluator = Evaluator(model, arguments.mode)
        outputs = evaluator.run(load_inputs(model, arguments.inputs))
    except (UnsupportedError, NotImplementedError, ValueError, IndexError, TypeError) as error:
        print(f"{arguments.model}: {error}", file=sys.stderr)
        return 1
    os.makedirs(arguments.outputs, exist_ok=True)
    for name, tensor in outputs.items():
        wide = is_float(tensor.kind) and not arguments.own_type
        array = tensor.array.astype(np.float64) if wide else encode(tensor)
        np.save(os.path.join(arguments.outputs, file_name(name)), array)
    return 0


if __name__ == "__main__":
    sys.exit(main())
