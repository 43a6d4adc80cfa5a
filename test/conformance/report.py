# This file is part of the Sectile project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What was expected of a run, and the document that shows it.

`expected/TARGET-MODE.json` holds the counts of each suite and, by name, the reasons of the tests that
are refused or not comparable; `docs/conformance.md` is made of those files alone.
"""

from __future__ import annotations

import collections
import glob
import json
import os
import re
from typing import Dict, List, Optional, Tuple

from judge import FOLDED, NOT_COMPARABLE, PASSED, REFUSED, STATUSES, Result
from modes import MODES

HERE = os.path.dirname(os.path.abspath(__file__))
EXPECTED = os.path.join(HERE, "expected")
DOCUMENT = os.path.join(HERE, "..", "..", "docs", "conformance.md")
SHOWN_NAMES = 12


def count(results: Dict[str, Result], suites: Dict[str, str]) -> Dict[str, Dict[str, int]]:
    """How many tests of each suite have each status; `suites` says whose each test is."""
    counts: Dict[str, Dict[str, int]] = {}
    for name, result in results.items():
        of_suite = counts.setdefault(suites[name], dict.fromkeys(STATUSES, 0))
        of_suite[result.status] += 1
    return counts


def to_json(
    mode: str, target: str, results: Dict[str, Result], suites: Dict[str, str], wheel: Optional[str]
) -> Dict:
    """The results as `--json` writes them."""
    return {
        "mode": mode,
        "target": target,
        "onnx": wheel,
        "suites": count(results, suites),
        "tests": {
            name: {"status": r.status, "kernels": r.kernels, "reason": r.reason}
            for name, r in sorted(results.items())
        },
    }


def _path(target: str, mode: str) -> str:
    return os.path.join(EXPECTED, f"{target.replace(',', '+')}-{mode}.json")


def load_expected(target: str, mode: str) -> Optional[Dict]:
    """What is expected of that mode, or None if nothing is recorded yet."""
    path = _path(target, mode)
    if not os.path.exists(path):
        return None
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def store_expected(
    mode: str,
    target: str,
    results: Dict[str, Result],
    suites: Dict[str, str],
    wheel: Optional[str],
    only_refused: bool = False,
) -> None:
    """Makes these results the expected ones of their suites; what else was expected stays.

    With `only_refused` they are those of tests that were refused, and the suites' other tests stay as
    they were.
    """
    old = load_expected(target, mode) or {"suites": {}, REFUSED: {}, NOT_COMPARABLE: {}, "onnx": None}
    counts = count(results, suites)
    if only_refused:
        for suite, found in counts.items():
            before = old["suites"][suite]
            again = {status: before[status] + found[status] for status in STATUSES}
            again[REFUSED] = found[REFUSED] + before[REFUSED] - sum(found.values())
            counts[suite] = again
    new = {"mode": mode, "target": target, "onnx": wheel or old["onnx"]}
    new["suites"] = {**old["suites"], **counts}
    for status in (REFUSED, NOT_COMPARABLE):
        merged = {suite: old[status].get(suite, {}) for suite in new["suites"]}
        if status == REFUSED or not only_refused:
            merged.update({suite: {} for suite in counts})
        for name, result in sorted(results.items()):
            if result.status == status:
                merged[suites[name]][name] = result.reason
        new[status] = merged
    os.makedirs(EXPECTED, exist_ok=True)
    with open(_path(target, mode), "w", encoding="utf-8") as file:
        json.dump(new, file, indent=1)
        file.write("\n")


def surprises(
    results: Dict[str, Result], suites: Dict[str, str], expected: Optional[Dict]
) -> List[str]:
    """One line for each test that is neither good nor what was expected of it."""
    refused = (expected or {}).get(REFUSED, {})
    skipped = (expected or {}).get(NOT_COMPARABLE, {})
    lines = []
    for name, result in results.items():
        of_suite = refused.get(suites[name], {})
        if result.status == NOT_COMPARABLE:
            if name not in skipped.get(suites[name], {}):
                lines.append(f"{name}: is not comparable, which is new: {result.reason}")
        elif result.status == REFUSED:
            if name not in of_suite:
                lines.append(f"{name}: refused, which is not expected: {result.reason}")
        elif result.status in (PASSED, FOLDED):
            if name in of_suite:
                lines.append(f"{name}: {result.status}, but is expected to be refused")
        else:
            lines.append(f"{name}: {result.status}: {result.reason}")
    return lines


def generalise(reason: str) -> str:
    """The reason without what is particular to one test."""
    text = re.sub(r"^node '[^']*': ", "", reason)
    text = re.sub(r"^node '[^']*' \((?:[\w.]*[.])?(\w+), opset \d+\): the operator is", r"\1: is", text)
    text = re.sub(r"^node '[^']*' \((\w+)(?:, opset \d+)?\): ", r"\1: ", text)
    text = re.sub(r"'[^']*'", "'..'", text)
    text = re.sub(r"\[[^]]*\]", "[..]", text)
    text = re.sub(r"\d+ (other|more) ", r"N \1 ", text)
    return text


def _names(names: List[str]) -> str:
    short = [name.split("/")[-1].removeprefix("test_") for name in sorted(names)]
    shown = ", ".join(short[:SHOWN_NAMES])
    return shown + (f" and {len(short) - SHOWN_NAMES} others" if len(short) > SHOWN_NAMES else "")


def _groups(expected: Dict, status: str) -> List[Tuple[str, List[str]]]:
    """Tests by reason, the most frequent first."""
    groups: Dict[str, List[str]] = collections.defaultdict(list)
    for tests in expected[status].values():
        for name, reason in tests.items():
            groups[generalise(reason)].append(name)
    return sorted(groups.items(), key=lambda item: (-len(item[1]), item[0]))


def _table(rows: List[Dict]) -> List[str]:
    lines = [
        "| suite | target | mode | tests | passed | folded | refused | failed | crashed | not comparable |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    suites = list(dict.fromkeys(suite for row in rows for suite in row["suites"]))
    for suite in suites:
        for row in rows:
            counts = row["suites"].get(suite)
            if counts is None:
                continue
            label = f"{suite} {row['onnx']}" if suite.startswith("onnx-") else suite
            cells = [label, row["target"], row["mode"], sum(counts.values())]
            cells += [counts[status] for status in STATUSES]
            lines.append("| " + " | ".join(str(cell) for cell in cells) + " |")
    return lines


def _section(title: str, rows: List[Dict], status: str) -> List[str]:
    lines = ["", f"## {title}"]
    for row in rows:
        lines += ["", f"### {row['target']}, {row['mode']}", "", "| tests | why | which |", "|---|---|---|"]
        for reason, names in _groups(row, status):
            escaped = reason.replace("|", "\\|")
            lines.append(f"| {len(names)} | {escaped} | {_names(names)} |")
    return lines


INTRODUCTION = """# Conformance

Written by `scripts/conformance --update`; do not edit. The suites `node`, `simple`, `pytorch-operator` and
`pytorch-converted` are those of Debian's libonnx-testdata; `onnx-node` and `onnx-light` come from a newer
`onnx` package, where one is found. Each test is compiled with `sectile compile`, run on its recorded inputs
with `sectile run`, and compared by ONNX's own rule: equal types, shapes, integers and booleans; floats
within 1e-7 + 1e-3 of the recorded value, bfloat16 within two units in the last place.

* *static*: the model as it is. *dynamic*: every extent of every input is a symbol of its own.
  *constants*: the recorded inputs are initialisers.
* *passed*: equal. *folded*: equal, without a kernel. *refused*: not compiled, with a reason. *failed*: compiled,
  but wrong or not run. *crashed*: a signal, an internal error, or no end.
* *not comparable*: the recorded values are not what every correct compiler computes. These are not run.
"""


def write_document() -> None:
    """Writes docs/conformance.md from what is expected."""
    rows = []
    for path in glob.glob(os.path.join(EXPECTED, "*.json")):
        with open(path, encoding="utf-8") as file:
            rows.append(json.load(file))
    rows.sort(key=lambda row: (row["target"], MODES.index(row["mode"])))
    lines = INTRODUCTION.splitlines() + [""] + _table(rows)
    lines += _section("Refused", rows, REFUSED)
    lines += _section("Not comparable", rows[:1], NOT_COMPARABLE)
    with open(DOCUMENT, "w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")
