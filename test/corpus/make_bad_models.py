#!/usr/bin/python3
# This file is part of the Sectile project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Writes the corpus of malformed and hostile models: test/corpus/make_bad_models.py OUTDIR

Each case is a folder OUTDIR/EXPECTATION/NAME with model.onnx and what it refers to. Expectations:
`accepted` (controls: the encoder itself is right), `refused` (a diagnostic and exit status 1) and
`survived` (either, but no crash, no hang and bounded memory).
"""

from __future__ import annotations

import os
import shutil
import sys

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))

import external_cases  # noqa: E402
import node_cases  # noqa: E402
import structure_cases  # noqa: E402

EXPECTATIONS = ("accepted", "refused", "survived")


def write_corpus(outdir: str) -> int:
    """Writes all cases; returns their number."""
    external = external_cases.ExternalCase
    groups = {
        "accepted": [
            {
                "good": structure_cases.good(),
                "diamonds": structure_cases.diamonds(),
                "constant-ladder": structure_cases.constant_ladder(),
            },
            external_cases.accepted(),
        ],
        "refused": [
            structure_cases.refused(), node_cases.refused(), external_cases.refused(),
        ],
        "survived": [structure_cases.survived(), node_cases.survived()],
    }  # fmt: skip
    count = 0
    for expectation, parts in groups.items():
        base = os.path.join(outdir, expectation)
        shutil.rmtree(base, ignore_errors=True)
        os.makedirs(base)
        with open(os.path.join(base, external_cases.SECRET), "wb") as file:
            file.write(bytes(4096))
        for part in parts:
            for name, case in part.items():
                folder = os.path.join(base, name)
                os.mkdir(folder)
                content = case.content if isinstance(case, external) else case
                with open(os.path.join(folder, "model.onnx"), "wb") as file:
                    file.write(content)
                if isinstance(case, external) and case.prepare:
                    case.prepare(folder)
                count += 1
    return count


def main() -> int:
    """The command; returns its exit status."""
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        print(__doc__, file=sys.stderr)
        return 2
    print(f"{write_corpus(sys.argv[1])} cases")
    return 0


if __name__ == "__main__":
    sys.exit(main())
