# This file is part of the Sectile project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The command of a test that runs a list of cases through `sectile`, and counts them."""

from __future__ import annotations

import argparse
import subprocess
import tempfile
from typing import Callable, Iterable, Optional, Tuple

Check = Callable[[str, str], str]
"""Runs a case, given the path of `sectile` and an empty folder; returns what is wrong, or nothing."""


def run(command: list) -> "subprocess.CompletedProcess[str]":
    """Runs a command of at most five minutes; returns its status and what it said."""
    return subprocess.run(command, capture_output=True, text=True, timeout=300)


def run_cases(description: Optional[str], cases: Iterable[Tuple[str, Check]]) -> int:
    """Parses the command line, runs the cases and prints a line for each; returns the exit status.

    The last line is "N passed, N failed, 0 skipped".
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--sectile", required=True, help="the program")
    parser.add_argument("--only", default="", help="the name of one case")
    arguments = parser.parse_args()
    passed = failed = 0
    for name, check in cases:
        if arguments.only not in ("", name):
            continue
        with tempfile.TemporaryDirectory() as folder:
            problem = check(arguments.sectile, folder)
        passed += not problem
        failed += bool(problem)
        print(f"FAILED: {name}: {problem}" if problem else f"ok: {name}", flush=True)
    print(f"{passed} passed, {failed} failed, 0 skipped")
    return failed != 0
