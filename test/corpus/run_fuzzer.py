#!/usr/bin/python3
# This file is part of the Sectile project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Runs a libFuzzer program for a while, starting from the corpus of bad models, or of files of weights.

    test/corpus/run_fuzzer.py build/bin/NAME-fuzzer [--seconds 60]

An input that fails is kept in build/fuzz-NAME. The last line is "N passed, N failed, N skipped".
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, HERE)

sys.path.insert(0, os.path.join(HERE, "..", "Weights"))

import make_weights  # noqa: E402
from make_bad_models import EXPECTATIONS, write_corpus  # noqa: E402

LARGEST_SEED = 1 << 16


def seeds(folder: str, fuzzer: str) -> None:
    """Writes files of the kind that a fuzzer reads, flat, as starting points."""
    if os.path.basename(fuzzer) == "weights-fuzzer":
        make_weights.write_corpus(folder)
        return
    with tempfile.TemporaryDirectory() as corpus:
        write_corpus(corpus)
        for expectation in EXPECTATIONS:
            base = os.path.join(corpus, expectation)
            for name in os.listdir(base):
                path = os.path.join(base, name, "model.onnx")
                if os.path.exists(path) and os.path.getsize(path) <= LARGEST_SEED:
                    shutil.copy(path, os.path.join(folder, name))


def main() -> int:
    """The command; returns its exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("fuzzer")
    parser.add_argument("--seconds", type=int, default=60)
    arguments = parser.parse_args()
    fuzzer = os.path.realpath(arguments.fuzzer)
    kept = os.path.join(HERE, "..", "..", "build", "fuzz-" + os.path.basename(fuzzer))
    kept = os.path.realpath(kept)
    os.makedirs(kept, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        seeds(folder, fuzzer)
        command = [
            fuzzer, folder, f"-max_total_time={arguments.seconds}", "-timeout=20",
            "-rss_limit_mb=2048", f"-max_len={LARGEST_SEED}", f"-artifact_prefix={kept}/",
            "-print_final_stats=1", "-verbosity=0",
        ]  # fmt: skip
        # Containers of a library built without the sanitizer look overflown to it.
        environment = {"ASAN_OPTIONS": "detect_container_overflow=0", **os.environ}
        done = subprocess.run(
            command, env=environment, cwd=folder, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, errors="replace", check=False,
        )  # fmt: skip
    lines = done.stdout.strip().splitlines()
    print("\n".join(line for line in lines if line.startswith("stat::")))
    if done.returncode != 0:
        print("\n".join(lines[-60:]))
        print(f"the failing input is kept in {kept}")
    good = done.returncode == 0
    print(f"{int(good)} passed, {int(not good)} failed, 0 skipped")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
