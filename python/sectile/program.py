# This file is part of the Sectile project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The compiler, a program that runs as a child: docs/decisions/one-program-that-travels.md says why."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from typing import Mapping, NoReturn, Optional, Sequence

from .errors import CompileError, CompilerCrash
from .library import BUILD, FOLDER

_INTERNAL = 70  # the program's own status for its bugs


def find_program() -> str:
    """Path of the `sectile` program: SECTILE_COMPILER, else that of this package, of this source tree's
    build, or in PATH."""
    given = os.environ.get("SECTILE_COMPILER")
    if given:
        return given
    for folder in (FOLDER, BUILD):
        path = os.path.join(folder, "bin", "sectile")
        if os.access(path, os.X_OK):
            return path
    found = shutil.which("sectile")
    if found is None:
        raise CompileError("the compiler is not installed: expects 'sectile' in PATH", 4)
    return found


def run_program(
    arguments: Sequence[str], environment: Optional[Mapping[str, str]] = None
) -> "subprocess.CompletedProcess[str]":
    """Runs the program to its end. Raises CompilerCrash where it ended without a verdict."""
    program = find_program()
    try:
        done = subprocess.run(
            [program, *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            env={**os.environ, **(environment or {})},
            check=False,
        )
    except OSError as error:
        raise CompileError(
            f"the compiler '{program}' cannot be started: {error.strerror}", 4
        ) from error
    if done.returncode < 0 or done.returncode == _INTERNAL:
        cause = "with an internal error"
        if done.returncode < 0:
            cause = f"by signal {signal.Signals(-done.returncode).name}"
        text = f"the compiler ended {cause}:\n{done.stderr[-4000:]}"
        raise CompilerCrash(text.rstrip(":\n"), done.returncode)
    return done


def messages(output: str, kind: str) -> list[str]:
    """The errors or warnings in what the program wrote to standard error."""
    prefix = f"sectile: {kind}: "
    return [line[len(prefix) :] for line in output.splitlines() if line.startswith(prefix)]


def main() -> NoReturn:
    """The `sectile` command of the wheel."""
    program = find_program()
    os.execv(program, ["sectile", *sys.argv[1:]])
