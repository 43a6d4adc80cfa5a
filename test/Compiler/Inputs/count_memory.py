#!/usr/bin/python3
# This file is part of the Sectile project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What products with packed weights take of memory, by the emulator: no turn of shared memory that a conflict costs, and no
sector of the weights and rows that is not wanted, for every width.

    test/Compiler/Inputs/count_memory.py --sectile=build/bin/sectile --target=sm_80
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "benchmarks" / "gpu"))
from count_instructions import write_model  # noqa: E402


def main() -> int:
    """Counts for all widths; the exit status."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--sectile", required=True)
    parser.add_argument("--target", required=True)
    args = parser.parse_args()
    faults = []
    with tempfile.TemporaryDirectory() as folder:
        for bits in range(1, 9):
            write_model(f"{folder}/model.mlir", f"int{bits}", 16, 512, 256, 128, "f16")
            for command in (["compile", f"{folder}/model.mlir", "-o", f"{folder}/package", f"--target={args.target}", "--cache=off"],
                            ["run", f"{folder}/package", f"--device=emulator:{args.target}", "--count=memory", "--sanitize=races,bounds",
                             f"--output-dir={folder}", "--input=in0=random:1"]):  # fmt: skip
                done = subprocess.run([args.sectile, *command], capture_output=True, text=True, timeout=300)
                if done.returncode:
                    sys.exit(f"int{bits}: {command[0]}: {done.stderr}")
            counts = [line for line in done.stdout.splitlines() if " requests: " in line]
            copies = [line for line in counts if "cp.async" in line and "sectors" in line]
            conflicts = [line for line in counts if re.search(r" [1-9]\d* conflicts", line)]
            wasted = [line for line in copies if not re.search(r" (\d+) sectors, \1 at least", line)]
            for line in conflicts + wasted:
                faults.append(f"int{bits}: {line}")
            if not copies:
                faults.append(f"int{bits}: nothing is copied: {done.stdout}")
    print("\n".join(faults))
    return int(bool(faults))


if __name__ == "__main__":
    sys.exit(main())
