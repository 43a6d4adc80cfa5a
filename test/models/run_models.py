#!/usr/bin/python3
# This file is part of the Sectile project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compiles and runs the generated models and compares them with the float64 reference.

    test/models/run_models.py --sectile=build/bin/sectile [--small] [--verify] [--only NAME,..]
        [--target=sm_80]

Inner loops of the scaled-down models must be vector code, but for those that docs/scalar-loops.md lists.
Static models run with several seeds, dynamic ones at several sizes of one package. The bound on the
error is twice ONNX Runtime's own (see sectile_reference.compare), where that is installed.
The last line is "N passed, N failed, N skipped" (runs).
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from typing import Dict, List, Optional, Sequence, Tuple, Union

import numpy as np
import onnx

ROOT = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", ".."))
sys.path.insert(0, os.path.join(ROOT, "python"))

from sectile_models import MODELS  # noqa: E402
from sectile_models.inputs import file_name, make_inputs  # noqa: E402
from sectile_reference import run as evaluate  # noqa: E402
from sectile_reference.compare import (  # noqa: E402
    MOST_DRAWS, Draw, draws_needed, judge_draws, load_outputs, stand_in,
)  # fmt: skip
from sectile_reference.peer import find_python, run_peer  # noqa: E402

from scalar_loops import find_problems, read_list  # noqa: E402

SIZES: Dict[Tuple[str, ...], Sequence[Tuple[int, ...]]] = {
    ("batch", "seq"): [(2, 7), (1, 1), (3, 31), (0, 5), (1, 32)],
    ("batch", "past"): [(2, 17), (1, 0), (3, 1), (1, 30)],
    ("batch", "rows", "past"): [
        (1, 1, 1), (2, 1, 37), (1, 1, 300), (2, 4, 19), (1, 11, 64), (1, 0, 3), (1, 1, 0), (2, 7, 0),
    ],
    ("batch",): [(2,), (1,), (3,), (0,)],
    # Of no images, nothing tells the extent that a reshape leaves open.
    ("images",): [(2,), (1,), (3,), (33,)],
    ("batch", "image"): [(2, 36), (1, 16), (3, 20)],
}
"""Sizes at which a dynamic model runs; no sequence is longer than the small models' tables."""

VERIFY_AT: Dict[str, str] = {"unet_dyn": "batch=1,image=16"}
"""Sizes of dynamic models that take the interpreter minutes at those which it would choose."""

OTHER_SEEDS = 100
"""Distance between the seeds of a case's draws."""

MOST_MEMORY = 2e9
"""Bytes that the compiler may take beside twice the model's weights."""

COMPILE_SECONDS = 600
RUN_SECONDS = 300


class Tally:
    """Counts of results."""

    def __init__(self) -> None:
        self.passed = self.failed = self.skipped = 0

    def note(self, good: bool, text: str) -> None:
        """Counts one result and prints it."""
        self.passed += good
        self.failed += not good
        print(("ok: " if good else "FAILED: ") + text, flush=True)


def call(command: List[str], seconds: int) -> Tuple[Optional[str], float, int]:
    """Runs a command; returns why it failed (or None), its wall time and peak memory in bytes."""
    start = time.perf_counter()
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
        pid = 0
        while pid == 0:
            pid, status, usage = os.wait4(process.pid, os.WNOHANG)
            if pid == 0 and time.perf_counter() - start > seconds:
                process.kill()
                os.wait4(process.pid, 0)
                process.returncode = -9
                return f"no end within {seconds} s", seconds, 0
            time.sleep(0.0 if pid else 0.01)
        process.returncode = os.waitstatus_to_exitcode(status)
        wall = time.perf_counter() - start
        peak = usage.ru_maxrss * 1024
        if process.returncode == 0:
            return None, wall, peak
        output.seek(0)
        text = output.read().decode(errors="replace").strip().splitlines()
    return f"status {process.returncode}: " + " | ".join(text[-3:]), wall, peak


def check_loops(sectile: str, package: str, name: str, tally: Tally) -> None:
    """Refuses scalar inner loops that docs/scalar-loops.md does not list."""
    text = subprocess.run([sectile, "inspect", package, "--json"], check=True, capture_output=True)
    problems = find_problems(name, json.loads(text.stdout), read_list())
    tally.note(not problems, f"{name}: inner loops" + "".join(f"; {p}" for p in problems))


def cases(name: str, model: onnx.ModelProto, seeds: int) -> List[Tuple[int, Dict[str, int]]]:
    """The seeds and sizes that a model runs with."""
    symbols = tuple(MODELS[name].dims)
    if symbols:
        return [(i, dict(zip(symbols, sizes))) for i, sizes in enumerate(SIZES[symbols])]
    if any(d.dim_param for v in model.graph.input for d in v.type.tensor_type.shape.dim):
        raise ValueError(f"model '{name}' has symbols without default sizes")
    return [(seed, {}) for seed in range(seeds)]


def run_once(
    runner: List[str], package: str, path: str, model: onnx.ModelProto, seed: int,
    dims: Dict[str, int], peer: Optional[str],
) -> Union[str, Draw]:  # fmt: skip
    """Runs a package on one draw of the inputs; returns all sides' outputs, or why it failed."""
    with tempfile.TemporaryDirectory() as folder:
        inputs = make_inputs(model, seed, dims)
        places = {name: os.path.join(folder, file_name(name)) for name in inputs}
        for name, array in inputs.items():
            np.save(places[name], array)
        outputs = os.path.join(folder, "outputs")
        command = [*runner, package, f"--output-dir={outputs}"]
        for name in inputs:
            command.append(f"--input={name}={places[name]}")
        os.mkdir(outputs)
        problem, _, _ = call(command, RUN_SECONDS)
        if problem:
            return f"run: {problem}"
        others = None
        if peer:
            theirs = os.path.join(folder, "peer")
            problem = run_peer(peer, path, folder, theirs)
            if problem:
                print(f"seed {seed}: ONNX Runtime cannot run this: {problem}")
            else:
                others = load_outputs(model, theirs)
        results = load_outputs(model, outputs)
        return Draw(evaluate(model, inputs), results, others or stand_in(model, inputs))


def run_case(
    runner: List[str], package: str, path: str, model: onnx.ModelProto, seed: int,
    dims: Dict[str, int], peer: Optional[str], tally: Tally, label: str,
) -> None:  # fmt: skip
    """A package against the reference at one choice of sizes.

    A bad verdict is luck or a fault: on few draws, the largest of a few dozen roundings differs by
    more than the rule's factor between two evaluations that are equally accurate. So it is followed
    by the most draws, and judged over all of them: the error that began it stays in the comparison.
    """
    draws: List[Draw] = []
    needed = 1
    while len(draws) < needed:
        draw = run_once(
            runner, package, path, model, seed + OTHER_SEEDS * len(draws), dims, peer
        )  # fmt: skip
        if isinstance(draw, str):
            tally.note(False, f"{label}: {draw}")
            return
        draws.append(draw)
        needed = max(needed, draws_needed(draw.reference))
        if len(draws) == needed:
            verdicts = judge_draws(model, draws)
            if not all(v.good for v in verdicts) and needed < MOST_DRAWS:
                print(f"{label}: {MOST_DRAWS - needed} more draws", flush=True)
                needed = MOST_DRAWS
    worst = [v for v in verdicts if not v.good]
    tally.note(not worst, f"{label}: " + "; ".join(map(str, worst or verdicts[:1])))


def main() -> int:
    """The command; returns its exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sectile", default=os.path.join(ROOT, "build/bin/sectile"))
    parser.add_argument("--only", default="", help="comma-separated names")
    parser.add_argument("--small", action="store_true", help="scaled-down models")
    parser.add_argument("--verify", action="store_true", help="also run `sectile verify`")
    parser.add_argument("--seeds", type=int, default=2, help="runs of each static model")
    parser.add_argument("--models", help="folder for the models (default: build/models)")
    parser.add_argument("--target", help="a GPU: compiles for it and runs on its emulator, with all checks")
    arguments = parser.parse_args()
    folder = arguments.models or os.path.join(
        ROOT, "build", "models-small" if arguments.small else "models"
    )
    names = [n for n in arguments.only.split(",") if n] or list(MODELS)
    tally = Tally()
    compiler, runner = [arguments.sectile, "compile"], [arguments.sectile, "run"]
    if arguments.target:
        compiler.append(f"--target={arguments.target}")
        runner += [f"--device=emulator:{arguments.target}", "--sanitize=races,bounds"]
    peer = find_python()
    if peer is None:
        tally.skipped += 1
        print("skipped: onnxruntime is not installed: bounds come from the reference's own types")
    for name in names:
        generate = [sys.executable, "-m", "sectile_models", folder, "--only", name, "--keep"]
        generate += ["--small"] if arguments.small else []
        subprocess.run(generate, check=True, env={**os.environ, "PYTHONPATH": f"{ROOT}/python"})
        path = os.path.join(folder, name + ".onnx")
        package = os.path.join(folder, name + ".package")
        problem, wall, peak = call(
            [*compiler, path, "-o", package], COMPILE_SECONDS
        )
        if problem:
            tally.note(False, f"{name}: compile: {problem}")
            continue
        weights = os.path.getsize(path)
        tally.note(
            peak <= MOST_MEMORY + 2 * weights,
            f"{name}: compiled in {wall:.1f} s, peak {peak / 1e6:.0f} MB, model {weights / 1e6:.0f} MB",
        )
        if arguments.small and not arguments.target:
            check_loops(arguments.sectile, package, name, tally)
        model = onnx.load(path)
        for seed, dims in cases(name, model, arguments.seeds):
            label = f"{name} seed {seed} " + ",".join(f"{k}={v}" for k, v in dims.items())
            run_case(
                runner, package, path, model, seed, dims, peer, tally, label.strip()
            )
        if arguments.verify:
            sizes = [f"--dims={VERIFY_AT[name]}"] if name in VERIFY_AT else []
            problem, wall, _ = call([arguments.sectile, "verify", path, *sizes], COMPILE_SECONDS)
            tally.note(problem is None, f"{name}: verify: {problem or f'{wall:.1f} s'}")
        os.unlink(package)
    print(f"{tally.passed} passed, {tally.failed} failed, {tally.skipped} skipped")
    return 1 if tally.failed else 0


if __name__ == "__main__":
    sys.exit(main())
