# This file is part of the Sectile project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What the tests of installed trees share."""

import os
import shutil
import subprocess
import unittest
from typing import List, Optional

ROOT = os.path.realpath(os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", ".."))
BUILD = os.path.join(ROOT, "build")
LLVM = "/usr/lib/llvm-22"


def run(command: List[str], **keywords) -> str:
    """Runs a command that has to succeed; returns what it wrote."""
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, **keywords
    )  # fmt: skip
    if done.returncode:
        raise AssertionError(f"{command} ended with {done.returncode}:\n{done.stdout}")
    return done.stdout


def clean_environment(**more: str) -> dict:
    """Nothing that leads back to this source tree."""
    kept = {name: os.environ[name] for name in ("HOME", "LANG", "TMPDIR") if name in os.environ}
    return {**kept, "PATH": "/usr/local/bin:/usr/bin:/bin", **more}


def without_llvm(command: List[str]) -> List[str]:
    """The command in a mount namespace where LLVM's packages and this tree's build are empty folders.
    Skips the test where this user may not make one."""
    reason = why_not_hidden()
    if reason:
        raise unittest.SkipTest(reason)
    script = 'for f in "$1" "$2"; do mount -t tmpfs none "$f" || exit 99; done; shift 2; exec "$@"'
    return [*_namespace(), "sh", "-c", script, "sh", LLVM, BUILD, *command]


def _namespace() -> List[str]:
    return ["unshare", "-m"] if os.geteuid() == 0 else ["unshare", "-r", "-m"]


def why_not_hidden() -> Optional[str]:
    """Why LLVM cannot be hidden here; None if it can."""
    if not shutil.which("unshare"):
        return "no unshare: LLVM cannot be hidden"
    probe = [*_namespace(), "sh", "-c", f"mount -t tmpfs none {LLVM} && test ! -e {LLVM}/lib"]
    done = subprocess.run(probe, capture_output=True, text=True, check=False)
    return f"LLVM cannot be hidden: {done.stderr.strip()}" if done.returncode else None
