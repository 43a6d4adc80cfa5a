# This file is part of the Sectile project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The command behind scripts/fuzz."""

from __future__ import annotations

import argparse
import collections
import json
import os
import sys
import time
from typing import Dict, List, Optional, Tuple

import numpy as np
import onnx
import onnx.numpy_helper

from sectile_models.inputs import file_name
from sectile_reference.peer import find_python

from .cases import Case, make_case
from .execution import CRASHED, GOOD, PEER, REFUSED, TIMED_OUT, Finding, Machine
from .reduction import describe, reduce_case

ROOT = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", ".."))

UNSUPPORTED = "the operator is not in this version"
"""How the compiler says that it lacks an operator: no finding."""

KNOWN = os.path.join(os.path.dirname(__file__), "known.json")
"""What is known and no finding. `refused`: parts of messages, with the reason. `peer`: operators and
element types of which ONNX Runtime is known to be off, with the reason."""


def save_case(case: Case, finding: Finding, folder: str) -> None:
    """Writes a model, its inputs, and what is wrong."""
    os.makedirs(folder, exist_ok=True)
    onnx.save(case.model, os.path.join(folder, "model.onnx"))
    for number, feeds in enumerate(case.feeds):
        for name, array in feeds.items():
            np.save(os.path.join(folder, f"set{number}.{file_name(name)}"), array)
    with open(os.path.join(folder, "finding.txt"), "w", encoding="utf-8") as file:
        file.write(f"{finding.kind}\n{finding.text}\n\n{describe(case)}\n")


class Campaign:
    """Runs cases until the time is over; keeps the first case of each kind of finding."""

    def __init__(self, machine: Machine, folder: Optional[str], known: Dict) -> None:
        self.machine, self.folder, self.known = machine, folder, known
        self.kinds: collections.Counter = collections.Counter()
        self.seen: collections.Counter = collections.Counter()

    def run_seed(self, seed: int) -> None:
        """One case."""
        case = make_case(seed)
        if not case.model.graph.output:
            return
        finding = self.machine.run(case, seed)
        if finding.kind == REFUSED:
            if UNSUPPORTED in finding.text or any(t in finding.text for t in self.known["refused"]):
                self.kinds["not supported"] += 1
                return
        reduced: Optional[Case] = None
        if finding.kind == PEER:
            reduced, finding = self.reduce(case, seed, finding)
            if self._is_known_of_peer(reduced):
                self.kinds[GOOD] += 1
                return
        self.kinds[finding.kind] += 1
        if finding.kind == GOOD:
            return
        self.seen[finding.signature] += 1
        if self.seen[finding.signature] > 3:
            return
        print(f"FAILED: seed {seed} ({case.note}): {finding.kind}: {finding.text[:600]}", flush=True)
        if reduced is None:
            reduced, finding = self.reduce(case, seed, finding)
        print(describe(reduced), flush=True)
        print(f"  {finding.kind}: {finding.text[:300]}", flush=True)
        if self.folder:
            save_case(reduced, finding, os.path.join(self.folder, f"seed-{seed}"))

    def _is_known_of_peer(self, case: Case) -> bool:
        """Whether ONNX Runtime is known to be off on a case, which holds little else."""
        kinds = {np.dtype(a.dtype).name for feeds in case.feeds for a in feeds.values()}
        kinds |= {np.dtype(onnx.numpy_helper.to_array(t).dtype).name for t in case.model.graph.initializer}
        return any(
            node.op_type == entry["operator"] and entry["type"] in kinds
            for entry in self.known["peer"]
            for node in case.model.graph.node
        )

    def reduce(self, case: Case, seed: int, finding: Finding) -> Tuple[Case, Finding]:
        """A smaller case with the same finding."""
        last = finding

        def shows(candidate: Case) -> bool:
            nonlocal last
            found = self.machine.run(candidate, seed)
            if found.signature != finding.signature:
                return False
            last = found
            return True

        trials = 0 if finding.kind == TIMED_OUT else 120 if finding.kind in (CRASHED, PEER) else 200
        return reduce_case(case, shows, trials), last


def main(arguments: Optional[List[str]] = None) -> int:
    """The command; returns its exit status: 1 if anything was found."""
    parser = argparse.ArgumentParser(prog="sectile_fuzz", description=__doc__)
    parser.add_argument("--sectile", default=os.path.join(ROOT, "build/bin/sectile"))
    parser.add_argument("--minutes", type=float, default=1)
    parser.add_argument("--seed", type=int, help="one case only")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--count", type=int, help="cases at most")
    parser.add_argument("--levels", default="sse4,avx2,avx512")
    parser.add_argument("--verify", type=float, default=0.2, help="share of cases that the interpreter follows")
    parser.add_argument("--no-peer", action="store_true", help="do not run ONNX Runtime")
    parser.add_argument("--save", help="folder for reduced cases")
    options = parser.parse_args(arguments)
    peer = None if options.no_peer else find_python()
    levels = [level for level in options.levels.split(",") if _runs(level)]
    machine = Machine(options.sectile, peer, levels)
    with open(KNOWN, encoding="utf-8") as file:
        known = json.load(file)
    campaign = Campaign(machine, options.save, known)
    end = time.monotonic() + 60 * options.minutes
    seed, last = options.first, None if options.count is None else options.first + options.count
    if options.seed is not None:
        seed, last, end = options.seed, options.seed + 1, float("inf")
    while time.monotonic() < end and (last is None or seed < last):
        machine.verify = (seed * 2654435761 % 2**32) / 2**32 < options.verify
        campaign.run_seed(seed)
        seed += 1
    found = sum(n for kind, n in campaign.kinds.items() if kind not in (GOOD, "not supported"))
    for signature, count in campaign.seen.most_common():
        print(f"{count} x {signature}")
    if peer is None:
        print("skipped: onnxruntime is not installed: no second source beside the reference")
    print(f"{campaign.kinds[GOOD]} passed, {found} failed, {campaign.kinds['not supported']} skipped")
    return 1 if found else 0


def _runs(level: str) -> bool:
    """Whether this processor has an instruction-set level."""
    needs = {"sse4": "sse4_2", "avx2": "avx2", "avx512": "avx512vl", "avx512vnni": "avx512_vnni"}
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        return needs[level] in next(line for line in file if line.startswith("flags")).split()


if __name__ == "__main__":
    sys.exit(main())
