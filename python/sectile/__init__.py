# This file is part of the Sectile project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Runs compiled packages from Python: a thin layer over the C interface in sectile/sectile.h.

    import numpy, sectile

    package = sectile.Package("model.stpk", threads=2)
    context = sectile.Context(package)
    outputs = context.run({"x": numpy.zeros((2, 3), numpy.float32)})

Needs numpy and libsectile.so, which is searched in SECTILE_LIBRARY (a file), then in build/lib of
this source tree, then where the system's loader looks.
"""

from .runtime import Context, Package, SectileError, library

__all__ = ["Context", "Package", "SectileError", "library"]
