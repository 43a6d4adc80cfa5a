#!/usr/bin/python3
# This file is part of the Sectile project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compiles, runs and compares the ONNX backend tests; started by scripts/conformance.

The suites are those of Debian's libonnx-testdata and, where SECTILE_PEER_PYTHON names a Python with
a newer onnx package, that package's node tests and light networks. What is expected to be refused is
recorded in test/conformance/expected; a refusal or a pass that is not expected fails, and so does
everything wrong. --update records what this run found and writes docs/conformance.md. The last line
is "N passed, N failed, N skipped".
"""

from __future__ import annotations

import argparse
import collections
import concurrent.futures
import json
import os
import re
import shutil
import subprocess
import sys
from typing import Dict, List

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "..", "python")]

import report  # noqa: E402
from judge import CRASHED, FAILED, FOLDED, PASSED, REFUSED, STATUSES, Result, Tools, judge  # noqa: E402
from modes import MODES  # noqa: E402
from sectile_reference.peer import find_python  # noqa: E402
from suites import DEBIAN_SUITES, WHEEL_SUITES, Suites, Test, find_suites  # noqa: E402


RUNNERS = {"aarch64-linux": ["qemu-aarch64", "-L", "/usr/aarch64-linux-gnu"]}
"""Emulators by host."""


def prepare_runner(host: str) -> List[str]:
    """The command that runs packages of another host; builds the runtime library for it if it is missing."""
    program = os.path.join("build", host, "bin", "sectile-run")
    if shutil.which(RUNNERS[host][0]) is None or not os.path.isdir(RUNNERS[host][-1]):
        return []
    if not os.path.exists(program):
        subprocess.run(["scripts/build-runtime", host], check=True, stdout=sys.stderr)
    return [*RUNNERS[host], program]


def parse_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="scripts/conformance", description=__doc__)
    parser.add_argument("--sectile", default="build/bin/sectile", help=argparse.SUPPRESS)
    parser.add_argument(
        "--target", help="passed on to sectile compile (default: cpu, or that of an emulator)"
    )
    parser.add_argument(
        "--host", choices=RUNNERS, help="compile for another host, and run under its emulator"
    )
    parser.add_argument(
        "--device", help="passed on to sectile run (default for a GPU: its emulator, with all checks)"
    )
    parser.add_argument("--suite", help="suites, separated by commas (default: all that are found)")
    parser.add_argument("--filter", help="only tests whose name this regular expression finds")
    parser.add_argument("--json", help="file for the results")
    parser.add_argument("--mode", choices=MODES, default="static")
    parser.add_argument(
        "--sample", action="store_true", help="only the sixteenth of the tests that scripts/test runs"
    )
    parser.add_argument(
        "--refused", action="store_true", help="only tests that are recorded as refused in this mode"
    )
    parser.add_argument("--update", action="store_true", help="record the results as expected")
    parser.add_argument("--jobs", type=int, default=2, help="tests at a time (default: 2)")
    parser.add_argument("--seconds", type=float, default=120, help="for one program (default: 120)")
    arguments = parser.parse_args()
    if arguments.update and (arguments.filter or arguments.sample or arguments.host):
        parser.error("--update expects whole suites, run here")
    # Where there is no GPU, its emulator runs what is compiled for it.
    emulated = (arguments.device or "").partition("emulator:")[2]
    arguments.target = arguments.target or emulated or None
    if arguments.target not in (None, "cpu") and not arguments.device:
        arguments.device = f"emulator:{arguments.target}"
    known = [*DEBIAN_SUITES, *WHEEL_SUITES]
    for suite in (arguments.suite or "").split(","):
        if suite and suite not in known:
            parser.error(f"expects a suite out of {', '.join(known)}, but got {suite}")
    return arguments


def select(arguments: argparse.Namespace) -> Suites:
    """The tests that were asked for."""
    wanted = arguments.suite.split(",") if arguments.suite else [*DEBIAN_SUITES, *WHEEL_SUITES]
    python = find_python("onnx.backend.test") if set(wanted) & set(WHEEL_SUITES) else None
    # Debian's own package would only repeat Debian's tests.
    if python and os.path.realpath(python) == os.path.realpath("/usr/bin/python3"):
        python = None
    if python is None and set(wanted) & set(WHEEL_SUITES):
        print("no Python with a newer onnx package (SECTILE_PEER_PYTHON): its suites are left out")
    suites = find_suites(python, os.path.join("build", "conformance"))
    refused = report.load_expected(arguments.target or "cpu", arguments.mode) or {}
    suites.tests = [
        test
        for test in suites.tests
        if test.suite in wanted
        and (not arguments.refused or test.name in refused.get(REFUSED, {}).get(test.suite, {}))
        and (not arguments.sample or test.sampled)
        and (not arguments.filter or re.search(arguments.filter, test.name))
    ]
    return suites


def run_all(tests: List[Test], tools: Tools, jobs: int) -> Dict[str, Result]:
    """The results by name; shows how far it is on a terminal."""
    results: Dict[str, Result] = {}
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        for test, result in zip(tests, pool.map(lambda test: judge(test, tools), tests)):
            results[test.name] = result
            if sys.stderr.isatty():
                print(f"\r{len(results)}/{len(tests)}", end="", file=sys.stderr, flush=True)
    if sys.stderr.isatty():
        print("\r", end="", file=sys.stderr)
    return results


def main() -> int:
    """The command; returns its exit status."""
    arguments = parse_arguments()
    target = arguments.target or "cpu"
    selected = select(arguments)
    suites = {test.name: test.suite for test in selected.tests}
    runner = [arguments.sectile]
    if arguments.host:
        runner = prepare_runner(arguments.host)
        if not runner:
            missing = " or ".join(RUNNERS[arguments.host][::2])
            print(f"skipped: {arguments.host}: {missing} is not installed (scripts/install)")
            print(f"0 passed, 0 failed, {len(selected.tests)} skipped")
            return 0
    tools = Tools(
        arguments.sectile, runner, arguments.mode, arguments.host, arguments.target, arguments.device,
        arguments.seconds,
    )  # fmt: skip
    results = run_all(selected.tests, tools, arguments.jobs)
    if arguments.json:
        with open(arguments.json, "w", encoding="utf-8") as file:
            found = report.to_json(arguments.mode, target, results, suites, selected.wheel)
            json.dump(found, file, indent=1)
            file.write("\n")
    if arguments.update:
        report.store_expected(
            arguments.mode, target, results, suites, selected.wheel, arguments.refused
        )
        report.write_document()
    expected = report.load_expected(target, arguments.mode)
    # What is expected of a wheel holds for that version alone.
    judged = set(expected["suites"]) if expected else set()
    if expected and selected.wheel and expected["onnx"] != selected.wheel:
        judged -= set(WHEEL_SUITES)
    for suite in dict.fromkeys(suites.values()):
        if suite not in judged:
            of = f" of onnx {selected.wheel}" if suite in WHEEL_SUITES else ""
            print(f"nothing is recorded for {suite}{of} in this mode: its refusals are not judged")
    checked = {
        name: result
        for name, result in results.items()
        if suites[name] in judged or result.status in (FAILED, CRASHED)
    }
    lines = report.surprises(checked, suites, expected)
    print(*lines, sep="\n" if lines else "")
    for suite, counts in report.count(results, suites).items():
        print(f"{suite}: " + ", ".join(f"{counts[s]} {s.replace('_', ' ')}" for s in STATUSES))
    totals = collections.Counter(result.status for result in results.values())
    passed = totals[PASSED] + totals[FOLDED]
    unexpected_passes = sum("expected to be refused" in line for line in lines)
    passed -= unexpected_passes
    print(f"{passed} passed, {len(lines)} failed, {len(results) - passed - len(lines)} skipped")
    return 1 if lines or not results else 0


if __name__ == "__main__":
    sys.exit(main())
