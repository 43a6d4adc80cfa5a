# This file is part of the Sectile project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What can go wrong; each exception's text is the message of the compiler or of the runtime library."""

from __future__ import annotations


class SectileError(Exception):
    """Base of all exceptions of this package."""


class CompileError(SectileError):
    """A model cannot be compiled. `status` is the compiler's exit status (1: the model is refused or
    damaged, 2: an option is, 4: memory, disk or the like), negative where a signal ended it."""

    def __init__(self, message: str, status: int = 1) -> None:
        super().__init__(message)
        self.status = status


class CompilerCrash(CompileError):
    """The compiler ended without a verdict, which is a bug of it; the caller's process is unharmed."""


class LoadError(SectileError):
    """A package cannot be loaded: absent, damaged, or not for this machine."""


class RunError(SectileError):
    """Inputs do not fit a model, or running it failed."""


class CompileWarning(UserWarning):
    """The compiler warns about a model that it compiled."""
