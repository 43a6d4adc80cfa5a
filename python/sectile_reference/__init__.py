# This file is part of the Sectile project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""An independent evaluator of ONNX graphs in numpy, in float64: the reference of all tests.

It shares no code with the compiler; the onnx package only parses files. See `evaluator` for the
modes of arithmetic and `compare` for the rule by which results are accepted.

    python3 -m sectile_reference MODEL.onnx --inputs DIR --outputs DIR
"""

from .evaluator import EXACT, NATIVE, ROUNDED, Evaluator, UnsupportedError, run

__all__ = ["EXACT", "NATIVE", "ROUNDED", "Evaluator", "UnsupportedError", "run"]
