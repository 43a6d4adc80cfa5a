#!/usr/bin/python3
# This file is part of the Sectile project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Runs `sectile check` and `sectile compile` over the corpus of bad models.

    test/corpus/run_corpus.py --sectile=build/bin/sectile [--only SUBSTRING]

Memory and time are limited. A refusal has exit status 1, a short readable diagnostic on standard
error, and leaves no file behind. The last line is "N passed, N failed, N skipped" (runs).
"""

from __future__ import annotations

import argparse
import os
import resource
import signal
import subprocess
import sys
import tempfile
from typing import List, Optional, Sequence, Tuple

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))

from make_bad_models import EXPECTATIONS, write_corpus  # noqa: E402

MEMORY = 2 << 30
SECONDS = 20
LINE = 1000
"""The longest line of a readable diagnostic."""
OUTPUT = 1 << 16

CRASHES = ("Assertion", "LLVM ERROR", "Stack dump", "terminate called", "Sanitizer", "bad_alloc")


def run(
    command: Sequence[str], file_bytes: Optional[int] = None, seconds: float = SECONDS
) -> Tuple[Optional[int], str, str]:
    """Exit status (None: no end in time), standard output and standard error of a command."""

    def limit() -> None:
        if not os.environ.get("SECTILE_SANITIZE"):  # whose shadow is larger than any memory
            resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if file_bytes is not None:
            # Writing more fails with an error, as on a full disk, instead of killing.
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (file_bytes, file_bytes))

    try:
        done = subprocess.run(
            command, capture_output=True, timeout=seconds, preexec_fn=limit, check=False,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return None, "", ""
    # Undecodable bytes stay visible: a diagnostic must not contain any.
    return (
        done.returncode,
        done.stdout.decode(errors="surrogateescape"),
        done.stderr.decode(errors="surrogateescape"),
    )


def unreadable(text: str) -> Optional[str]:
    """Why a diagnostic is not fit for a terminal, or None."""
    if not text.strip():
        return "no diagnostic"
    if len(text) > OUTPUT:
        return f"expects at most {OUTPUT} characters of diagnostics, but got {len(text)}"
    for line in text.splitlines():
        if len(line) > LINE:
            return f"expects lines of at most {LINE} characters, but got {len(line)}"
    for letter in text:
        if (ord(letter) < 32 and letter not in "\n\t") or 0xDC80 <= ord(letter) <= 0xDCFF:
            return f"the diagnostic holds the raw character {letter!r}"
    for word in CRASHES:
        if word in text:
            return f"the diagnostic is a crash: {word}"
    if "error: " not in text:
        return "no line says 'error: '"
    return None


def judge(
    expectation: str, status: Optional[int], stdout: str, stderr: str, left: List[str]
) -> Optional[str]:
    """Why a run is wrong, or None."""
    if status is None:
        return f"no end within {SECONDS} s"
    if status < 0:
        return f"killed by {signal.Signals(-status).name}"
    wanted = {"accepted": (0,), "refused": (1,), "survived": (0, 1)}[expectation]
    if status not in wanted:
        first = (stderr.strip().splitlines() or [""])[0][:200]
        return f"expects exit status {' or '.join(map(str, wanted))}, but got {status}: {first}"
    if status == 0:
        return None
    if left:
        return f"a refused model leaves {', '.join(left)}"
    return unreadable(stderr)


class Runner:
    """Runs the program and counts."""

    def __init__(self, sectile: str) -> None:
        self.sectile = sectile
        self.passed = self.failed = 0

    def note(self, name: str, problem: Optional[str]) -> None:
        """Counts one run, prints it if it is wrong."""
        if problem is None:
            self.passed += 1
        else:
            self.failed += 1
            print(f"FAILED: {name}: {problem}", flush=True)

    def model(self, expectation: str, name: str, path: str) -> None:
        """`check` and `compile` of one model."""
        with tempfile.TemporaryDirectory() as folder:
            status, out, err = run([self.sectile, "check", path])
            # `check` may put its list of gaps on standard output.
            report = err if err.strip() else out
            self.note(f"check {expectation}/{name}", judge(expectation, status, out, report, []))
            target = os.path.join(folder, "out")
            status, out, err = run([self.sectile, "compile", path, "-o", target])
            problem = judge(expectation, status, out, err, os.listdir(folder))
            if problem is None and status == 0 and os.listdir(folder) != ["out"]:
                problem = f"expects one output file, but got {os.listdir(folder)}"
            self.note(f"compile {expectation}/{name}", problem)

    def environment(self, good: str) -> None:
        """Missing files, unwritable outputs and a full disk, with a model that is in order."""
        with tempfile.TemporaryDirectory() as folder:
            absent = os.path.join(folder, "absent.onnx")
            target = os.path.join(folder, "out")
            cases: List[Tuple[str, List[str], Tuple[int, ...], Optional[int]]] = [
                ("missing file", ["compile", absent, "-o", target], (1, 4), None),
                ("folder as model", ["compile", folder, "-o", target], (1, 4), None),
                ("output in no folder", ["compile", good, "-o", f"{folder}/no/out"], (4,), None),
                ("output is a folder", ["compile", good, "-o", folder], (4,), None),
                ("full disk", ["compile", good, "-o", target], (4,), 512),
                ("full disk, static", ["compile", good, "-o", target, "--emit=static"], (4,), 512),
                ("unknown host", ["compile", good, "-o", target, "--host=pdp-11"], (2,), None),
                ("no output named", ["compile", good], (2,), None),
                ("unknown option", ["compile", good, "-o", target, "--frobnicate"], (2,), None),
                ("package is a model", ["run", good], (1,), None),
            ]
            for name, command, wanted, file_bytes in cases:
                status, _, err = run([self.sectile] + command, file_bytes)
                problem = (
                    unreadable(err)
                    if status in wanted
                    else (f"expects exit status {wanted}, but got {status}: {err.strip()[:200]}")
                )
                if problem is None and os.listdir(folder):
                    problem = f"leaves {os.listdir(folder)}"
                self.note(name, problem)
                for left in os.listdir(folder):
                    os.unlink(os.path.join(folder, left))


def main() -> int:
    """The command; returns its exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sectile", required=True)
    parser.add_argument("--only", default="", help="only cases whose name contains this")
    arguments = parser.parse_args()
    runner = Runner(os.path.realpath(arguments.sectile))
    with tempfile.TemporaryDirectory() as corpus:
        write_corpus(corpus)
        for expectation in EXPECTATIONS:
            base = os.path.join(corpus, expectation)
            for name in sorted(os.listdir(base)):
                path = os.path.join(base, name, "model.onnx")
                if arguments.only in name and os.path.exists(path):
                    runner.model(expectation, name, path)
        if not arguments.only:
            runner.environment(os.path.join(corpus, "accepted", "good", "model.onnx"))
    print(f"{runner.passed} passed, {runner.failed} failed, 0 skipped")
    return 1 if runner.failed else 0


if __name__ == "__main__":
    sys.exit(main())
