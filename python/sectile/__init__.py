# This file is part of the Sectile project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compiles ONNX models ahead of time, and runs them.

>>> import numpy as np, onnx.parser, sectile
>>> model = sectile.compile(onnx.parser.parse_model('''
...     <ir_version: 8, opset_import: ["" : 17]>
...     example (float[n] x) => (float[n] y) { y = Mul (x, x) }'''))
>>> model(np.arange(4, dtype=np.float32))
array([0., 1., 4., 9.], dtype=float32)
>>> model
<sectile.Model 'model': (x: f32[n]) -> (y: f32[n])>

A package outlives the process that made it:

>>> import tempfile, os
>>> folder = tempfile.TemporaryDirectory()
>>> path = os.path.join(folder.name, "square.stp")
>>> model.save(path)
>>> sectile.load(path, threads=1).run({"x": np.float32([3, 5])})
{'y': array([ 9., 25.], dtype=float32)}
"""

from .benchmark import Benchmark, KernelTime
from .compiler import Gap, check, compile
from .errors import (
    CompileError,
    CompilerCrash,
    CompileWarning,
    LoadError,
    RunError,
    SectileError,
)
from .library import library
from .model import Alias, Kernel, Model, TensorInfo, load
from .quantizer import QuantizedWeight, QuantizedWeights, TakenWeight, quantize
from .runtime import Context, Package
from .tensors import Tensor

__version__ = "0.1.0"
__all__ = [
    "Alias",
    "Benchmark",
    "CompileError",
    "CompileWarning",
    "CompilerCrash",
    "Context",
    "Gap",
    "Kernel",
    "KernelTime",
    "LoadError",
    "Model",
    "Package",
    "QuantizedWeight",
    "QuantizedWeights",
    "RunError",
    "SectileError",
    "TakenWeight",
    "Tensor",
    "TensorInfo",
    "check",
    "compile",
    "library",
    "load",
    "quantize",
]
