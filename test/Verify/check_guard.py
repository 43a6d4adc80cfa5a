# This file is part of the Sectile project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Puts a fault into a model and checks that `sectile verify` finds it.

    check_guard.py SECTILE_VERIFY_TEST MODEL.onnx graph|tile FAULT...

FAULT is what test-corrupt takes: "what=map number=0 node=/layer.11/MatMul_4". The pass must be the first
that is named, the reduced model must have fewer than 20 ops and show the same, and all of that in less
than a minute.
"""

import re
import subprocess
import sys
import tempfile
import time

SIMPLIFY = "func.func(graph-simplify),func.func(graph-propagate-layouts),func.func(graph-simplify)"
PIPELINES = {
    "graph": SIMPLIFY + ",test-corrupt{%s},func.func(graph-fuse)",
    "tile": "sectile-graph,sectile-tile,test-corrupt{%s},sectile-host",
}
MOST_OPS = 20
MOST_SECONDS = 60


def verify(program, model, pipeline, *options):
    """Runs verify; its status and output."""
    # Sizes that run a tile program's full tiles of rows, and the last of its tails.
    sizes = ["--samples=1", "--dims=batch=1,seq=7"]
    command = [program, model, f"--pipeline={pipeline}", *sizes, *options]
    done = subprocess.run(command, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def check(program, model, level, fault):
    """What is wrong, or an empty text."""
    pipeline = PIPELINES[level] % fault
    with tempfile.TemporaryDirectory() as folder:
        start = time.monotonic()
        status, text = verify(program, model, pipeline, f"--dump-dir={folder}")
        seconds = time.monotonic() - start
        if status != 3:
            return f"expects status 3, but got {status}:\n{text}"
        named = re.findall(r"^DIFFERENT +(.*)", text, re.M)
        if len(named) != 1 or "test-corrupt" not in named[0]:
            return f"expects test-corrupt to be named, but got {named}:\n{text}"
        reduced = re.search(r"^reduced to (\d+) ops", text, re.M)
        if not reduced or int(reduced[1]) >= MOST_OPS:
            return f"expects a model of fewer than {MOST_OPS} ops:\n{text}"
        if seconds > MOST_SECONDS:
            return f"expects an answer within {MOST_SECONDS} s, but it took {seconds:.0f} s"
        status, text = verify(program, f"{folder}/reduced.mlir", pipeline, "--trials=0")
        if status != 3 or "test-corrupt" not in "".join(re.findall(r"^DIFFERENT.*", text, re.M)):
            return f"expects the reduced model to show the same, but got status {status}:\n{text}"
    print(f"ok: {fault} at the {level} level: {reduced[1]} ops, {seconds:.1f} s")
    return ""


def main():
    program, model, level, *faults = sys.argv[1:]
    problems = [(fault, check(program, model, level, fault)) for fault in faults]
    for fault, problem in problems:
        if problem:
            print(f"FAILED: {fault} at the {level} level: {problem}")
    return any(problem for _, problem in problems)


if __name__ == "__main__":
    sys.exit(main())
