# This file is part of the Sectile project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compiles and runs a case, and says what is wrong with it."""

from __future__ import annotations

import dataclasses
import os
import re
import subprocess
import tempfile
from typing import Dict, List, Optional, Sequence

import numpy as np
import onnx

from sectile_models.inputs import file_name
from sectile_reference.compare import load_outputs
from sectile_reference.peer import run_peer

from .cases import Case
from .disturbed import Expected, compare, expect

WRONG, CRASHED, REFUSED, TIMED_OUT, RUN_ERROR = "wrong", "crashed", "refused", "timed out", "run error"
PEER, GOOD = "peer differs", "good"

COMPILE_SECONDS, RUN_SECONDS = 120, 60

LEVELS = ("sse4", "avx2", "avx512")


@dataclasses.dataclass
class Finding:
    """The outcome of a case."""

    kind: str
    text: str = ""

    @property
    def signature(self) -> str:
        """What makes two findings the same: the kind, and the message without names and numbers."""
        line = self.text.strip().splitlines()[0] if self.kind != WRONG and self.text else ""
        message = re.sub(r".*error: (/\S+: )?", "", line)
        return f"{self.kind}: {re.sub('[0-9]+', '#', message)}"


@dataclasses.dataclass
class Machine:
    """How cases are executed."""

    sectile: str
    peer: Optional[str] = None
    levels: Sequence[str] = LEVELS
    options: Sequence[str] = ()
    verify: bool = False

    def run(self, case: Case, seed: int = 0) -> Finding:
        """Executes a case in all ways; the first thing that is wrong."""
        with tempfile.TemporaryDirectory(prefix="sectile-fuzz-") as folder:
            return self._run(case, seed, folder)

    def _call(self, command: List[str], seconds: int, level: str = "") -> Optional[Finding]:
        environment = {**os.environ, "SECTILE_CPU_LEVEL": level} if level else None
        try:
            done = subprocess.run(
                command, capture_output=True, timeout=seconds, check=False, env=environment
            )
        except subprocess.TimeoutExpired:
            return Finding(TIMED_OUT, f"{command[1]}: no end within {seconds} s")
        text = (done.stderr + done.stdout).decode(errors="replace").strip()
        if done.returncode < 0 or done.returncode == 70:
            return Finding(CRASHED, f"{command[1]}: status {done.returncode}: {text[-2000:]}")
        if done.returncode == 3 and command[1] == "verify":
            return Finding(WRONG, f"verify: {text[-4000:]}")
        if done.returncode:
            kind = REFUSED if command[1] != "run" else RUN_ERROR
            return Finding(kind, f"{command[1]}: {text[-2000:]}")
        return None

    def _run(self, case: Case, seed: int, folder: str) -> Finding:
        path, package = os.path.join(folder, "model.onnx"), os.path.join(folder, "package")
        onnx.save(case.model, path)
        command = [self.sectile, "compile", path, "-o", package, "--quiet", *self.options]
        problem = self._call(
            [*command, "--cpu-levels=" + ",".join(self.levels)], COMPILE_SECONDS
        )  # fmt: skip
        if problem:
            return problem
        for number, feeds in enumerate(case.feeds):
            inputs = os.path.join(folder, f"inputs{number}")
            os.mkdir(inputs)
            for name, array in feeds.items():
                np.save(os.path.join(inputs, file_name(name)), array)
            expected = expect(case.model, feeds, seed)
            problem = self._run_levels(case, package, inputs, feeds, expected)
            if problem:
                return problem
            problem = self._run_peer(path, inputs, expected)
            if problem:
                return problem
        if self.verify:
            return self._call([self.sectile, "verify", path, "--quiet"], COMPILE_SECONDS) or Finding(GOOD)
        return Finding(GOOD)

    def _run_levels(
        self, case: Case, package: str, inputs: str, feeds: Dict[str, np.ndarray],
        expected: Dict[str, Expected],
    ) -> Optional[Finding]:  # fmt: skip
        for level in self.levels:
            outputs = os.path.join(inputs, level)
            os.mkdir(outputs)
            command = [self.sectile, "run", package, "--quiet", f"--output-dir={outputs}"]
            command += [f"--input={n}={os.path.join(inputs, file_name(n))}" for n in feeds]
            problem = self._call(command, RUN_SECONDS, level)
            if problem:
                return problem
            wrong = compare(expected, load_outputs(case.model, outputs))
            if wrong:
                return Finding(WRONG, f"{level}: {wrong[0].output}: {wrong[0].text}")
        return None

    def _run_peer(self, path: str, inputs: str, expected: Dict[str, Expected]) -> Optional[Finding]:
        """Whether ONNX Runtime, which is independent of the reference, is within the same bounds."""
        if not self.peer:
            return None
        outputs = os.path.join(inputs, "peer")
        if run_peer(self.peer, path, inputs, outputs, plain=True):
            return None  # it does not know the operator or the type
        model = onnx.load(path)
        wrong = compare(expected, load_outputs(model, outputs))
        if wrong:
            return Finding(PEER, f"ONNX Runtime: {wrong[0].output}: {wrong[0].text}")
        return None
