#!/usr/bin/python3
# This file is part of the Sectile project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Bad inputs at run time: `sectile run` must refuse them with a clear error.

    test/corpus/run_errors.py --sectile=build/bin/sectile

Compiles the scaled-down encoder with dynamic axes, then runs it on inputs of wrong types, shapes and
values, on damaged files and on damaged packages. The last line is "N passed, N failed, N skipped".
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import stat
import sys
import tempfile
from typing import Callable, Dict, List, Optional, Tuple

import numpy as np

ROOT = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", ".."))
sys.path.insert(0, os.path.join(ROOT, "python"))
sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))

from run_corpus import run, unreadable  # noqa: E402
from sectile_models import build  # noqa: E402
from sectile_models.inputs import make_inputs  # noqa: E402

Arrays = Dict[str, np.ndarray]
VOCABULARY = 61


@dataclasses.dataclass
class Case:
    """One bad input: what changes, and what the diagnostic has to name."""

    name: str
    change: Callable[[Arrays], Optional[Arrays]]
    mentions: Tuple[str, ...]
    damage: Optional[Callable[[str], None]] = None
    """Applied to the folder of the .npy files."""


def _replace(name: str, function: Callable[[np.ndarray], np.ndarray]) -> Callable[[Arrays], Arrays]:
    return lambda arrays: {**arrays, name: function(arrays[name])}


def _at(place: Tuple[int, ...], value: int) -> Callable[[np.ndarray], np.ndarray]:
    def change(array: np.ndarray) -> np.ndarray:
        array = array.copy()
        array[place] = value
        return array

    return change


def _same(arrays: Arrays) -> Arrays:
    return arrays


def _rewrite(name: str, content: Callable[[bytes], bytes]) -> Callable[[str], None]:
    def damage(folder: str) -> None:
        path = os.path.join(folder, name)
        with open(path, "rb") as file:
            old = file.read()
        with open(path, "wb") as file:
            file.write(content(old))

    return damage


IDS = "input_ids"
CASES: List[Case] = [
    Case("type", _replace(IDS, lambda a: a.astype(np.int32)), (IDS, "i64", "i32")),
    Case("float for integer", _replace(IDS, lambda a: a.astype(np.float32)), (IDS, "i64", "f32")),
    Case("rank", _replace(IDS, lambda a: a[0]), (IDS,)),
    Case("sizes of one symbol differ", _replace("attention_mask", lambda a: a[:1]), ("batch",)),
    Case("sequence beyond the tables", lambda a: {k: np.ones((1, 99), np.int64) for k in a}, ()),
    Case("index too large", _replace(IDS, _at((1, 2), VOCABULARY)), ("Gather",)),
    Case("index far too large", _replace(IDS, _at((0, 0), 2**62)), ("Gather",)),
    Case("index negative", _replace(IDS, _at((0, 3), -VOCABULARY - 1)), ("Gather",)),
    Case("index smallest", _replace(IDS, _at((0, 3), -(2**63))), ("Gather",)),
    Case("no rows beside two", _replace(IDS, lambda a: a[:0]), ("batch",)),
    Case("file missing", _same, (IDS,), lambda folder: os.unlink(os.path.join(folder, IDS + ".npy"))),
    Case("file empty", _same, (IDS,), _rewrite(IDS + ".npy", lambda _: b"")),
    Case("file is text", _same, (IDS,), _rewrite(IDS + ".npy", lambda _: b"1 2 3\n" * 50)),
    Case("file truncated", _same, (IDS,), _rewrite(IDS + ".npy", lambda b: b[:-9])),
    Case("file header cut", _same, (IDS,), _rewrite(IDS + ".npy", lambda b: b[:40])),
    Case("header claims gigabytes", _same, (IDS,),
         _rewrite(IDS + ".npy", lambda b: b.replace(b"(2, 7)", b"(2000000000, 7000000000)"))),
    Case("header is negative", _same, (IDS,),
         _rewrite(IDS + ".npy", lambda b: b.replace(b"(2, 7)", b"(-2, 7)"))),
    Case("header is hostile", _same, (IDS,),
         _rewrite(IDS + ".npy", lambda b: b[:10] + b"\x1b[31m{" * 10 + b[70:])),
]  # fmt: skip


class Runner:
    """Runs `sectile run` and counts."""

    def __init__(self, sectile: str) -> None:
        self.sectile = sectile
        self.passed = self.failed = 0

    def note(self, name: str, problem: Optional[str]) -> None:
        """Counts one run, prints it if it is wrong."""
        self.passed += problem is None
        self.failed += problem is not None
        if problem is not None:
            print(f"FAILED: {name}: {problem}", flush=True)

    def refuses(
        self, name: str, command: List[str], mentions: Tuple[str, ...] = (),
        wanted: Tuple[int, ...] = (1,),
    ) -> None:  # fmt: skip
        """The command must end with a status of `wanted` and a readable diagnostic."""
        status, _, err = run([self.sectile] + command)
        if status not in wanted:
            self.note(name, f"expects exit status {wanted}, but got {status}: {err.strip()[:200]}")
            return
        lost = [word for word in mentions if word not in err]
        problem = unreadable(err)
        if problem is None and lost:
            problem = f"expects the diagnostic to name {lost}, but got: {err.strip()[:200]}"
        self.note(name, problem)

    def inputs(self, package: str, folder: str) -> None:
        """All bad inputs; before and after them a good one has to work."""
        good = make_inputs(build("bert_dyn", small=True), 0, dict(batch=2, seq=7))
        for number, case in enumerate([None, *CASES, None]):
            place = os.path.join(folder, f"case{number}")
            outputs = os.path.join(place, "outputs")
            os.makedirs(outputs)
            arrays = good if case is None else case.change(dict(good))
            assert arrays is not None
            for name, array in arrays.items():
                np.save(os.path.join(place, name + ".npy"), array)
            command = ["run", package, f"--output-dir={outputs}"]
            command += [f"--input={name}={place}/{name}.npy" for name in arrays]
            if case is None:
                status, _, err = run([self.sectile] + command)
                self.note("good input", None if status == 0 else f"status {status}: {err[:200]}")
                continue
            if case.damage:
                case.damage(place)
            self.refuses(
                case.name, command, case.mentions, (1, 4) if case.name == "file missing" else (1,)
            )
            if os.listdir(outputs):
                self.note(case.name, f"leaves {os.listdir(outputs)}")

    def environment(self, package: str, folder: str) -> None:
        """Damaged packages and places that cannot be written."""
        with open(package, "rb") as file:
            content = file.read()
        for name, damaged in (
            ("package empty", b""),
            ("package is text", b"#!/bin/sh\necho no\n"),
            ("package truncated to a half", content[: len(content) // 2]),
            ("package truncated to 64 bytes", content[:64]),
            ("package without its magic", content.replace(b"STPK", b"XXXX")),
        ):
            path = os.path.join(folder, "damaged.stpk")
            with open(path, "wb") as file:
                file.write(damaged)
            if damaged != content:
                self.refuses(name, ["run", path])
        good = ["run", package, "--dims=batch=1,seq=3"]
        self.refuses("package missing", ["run", os.path.join(folder, "no.stpk")], (), (1, 4))
        self.refuses("output folder is a file", good + [f"--output-dir={package}"], (), (4,))
        self.refuses("unknown input", good + ["--input=nonsense=random:1"], ("nonsense",), (1, 2))
        self.refuses("unknown symbol", ["run", package, "--dims=nonsense=1"], ("nonsense",), (1, 2))
        self.refuses("negative size", ["run", package, "--dims=batch=-1,seq=3"], (), (1, 2))
        self.refuses("huge size", ["run", package, "--dims=batch=1099511627776,seq=3"], (), (1, 4))
        self.refuses("no size for a symbol", ["run", package, "--dims=batch=1"], ("seq",), (1, 2))
        if os.geteuid() != 0:  # nothing is unwritable to root
            locked = os.path.join(folder, "locked")
            os.mkdir(locked)
            os.chmod(locked, stat.S_IRUSR | stat.S_IXUSR)
            self.refuses("output folder locked", good + [f"--output-dir={locked}"], (), (4,))


def main() -> int:
    """The command; returns its exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sectile", required=True)
    arguments = parser.parse_args()
    runner = Runner(os.path.realpath(arguments.sectile))
    with tempfile.TemporaryDirectory() as folder:
        model, package = os.path.join(folder, "m.onnx"), os.path.join(folder, "m.stpk")
        with open(model, "wb") as file:
            file.write(build("bert_dyn", small=True).SerializeToString())
        # No bad input: on a busy machine it takes longer than those may.
        status, _, err = run([runner.sectile, "compile", model, "-o", package], seconds=300)
        if status != 0:
            runner.note("compile", f"status {status} (None: no end in time): {err.strip()[:300]}")
        else:
            runner.inputs(package, folder)
            runner.environment(package, folder)
    print(f"{runner.passed} passed, {runner.failed} failed, 0 skipped")
    return 1 if runner.failed else 0


if __name__ == "__main__":
    sys.exit(main())
