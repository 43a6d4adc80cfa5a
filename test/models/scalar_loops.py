#!/usr/bin/python3
# This file is part of the Sectile project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Finds scalar innermost loops in packages and compares them with docs/scalar-loops.md.

    test/models/scalar_loops.py MODEL=INSPECT.json ...

where INSPECT.json is what `sectile inspect PACKAGE --json` prints. run_models.py does the same for all
models that it compiles. The last line is "N passed, N failed, N skipped" (packages).
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any, Dict, List, NamedTuple, Sequence, Tuple

ROOT = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", ".."))
LIST = os.path.join(ROOT, "docs", "scalar-loops.md")


class Known(NamedTuple):
    """A line of the list."""

    model: str
    node: str
    levels: Tuple[str, ...]


def read_list(path: str = LIST) -> List[Known]:
    """The lines of the table in docs/scalar-loops.md; each must give a reason."""
    known = []
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
            if not line.startswith("|") or cells[0] in ("model", "---"):
                continue
            if len(cells) != 4 or not all(cells):
                raise ValueError(f"expects model, node, levels and reason, but got '{line.strip()}'")
            known.append(Known(cells[0], cells[1], tuple(cells[2].replace(",", " ").split())))
    return known


def find_problems(model: str, package: Dict[str, Any], known: Sequence[Known]) -> List[str]:
    """Scalar loops of a package (parsed `inspect --json`) that the list lacks, and lines of the
    list that the package does not bear out."""
    problems = []
    unseen = {(line.node, level) for line in known if line.model == model for level in line.levels}
    stale = set(unseen)
    for kernel in package["kernels"]:
        nodes = kernel["nodes"].split(",")
        for code in kernel["levels"]:
            scalar = [loop for loop in code["loops"] if loop["scalar_ops"] > loop["vector_ops"]]
            if not scalar:
                continue
            lines = {(node, code["level"]) for node in nodes} & unseen
            stale -= lines
            if not lines:
                counts = ", ".join(
                    f"{loop['scalar_ops']} scalar and {loop['vector_ops']} vector operations"
                    for loop in scalar
                )
                problems.append(
                    f"kernel {kernel['name']} of {kernel['nodes']} at level {code['level']} has "
                    f"scalar inner loops that docs/scalar-loops.md does not list: {counts}"
                )
    problems += [
        f"docs/scalar-loops.md lists node {node} at level {level}, but no loop of its kernel is scalar"
        for node, level in sorted(stale)
    ]
    return problems


def main() -> int:
    """The command; returns its exit status."""
    failed = 0
    for argument in sys.argv[1:]:
        model, _, path = argument.partition("=")
        with open(path, encoding="utf-8") as text:
            problems = find_problems(model, json.load(text), read_list())
        failed += bool(problems)
        for problem in problems:
            print(f"FAILED: {model}: {problem}")
    print(f"{len(sys.argv) - 1 - failed} passed, {failed} failed, 0 skipped")
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
