#!/usr/bin/python3
# This file is part of the Sectile project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compiles models to static output, links all of them into one program without a heap, and runs it.

    test/Static/run_static.py --sectile=build/bin/sectile --host=NAME [--level=NAME]

Programs of x86_64-linux run here, those of aarch64-linux under qemu-aarch64, those of thumbv7em-none-eabi under
qemu-system-arm on a board with examples/static/board. Results are compared with the float64 reference; arguments
that must be refused are; the object's symbols and sections are looked at; a second compilation gives the same bytes.
The last line is "N passed, N failed, N skipped" (checks).
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from typing import Dict, List

import numpy as np
import onnx
from sectile_reference.compare import judge, stand_in
from sectile_reference.evaluator import run
from static_cases import CASES, Case
from static_driver import Driver

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
BOARD = os.path.join(ROOT, "examples", "static", "board")
CLANG = "clang-22"
C_LIBRARY = {"memcpy", "memset", "memmove"}
HELPERS = re.compile("__aeabi_(?!mem)")
"""The Arm run-time ABI's functions for arithmetic."""

LEVELS = {"x86_64-linux": "sse4", "aarch64-linux": "neon", "thumbv7em-none-eabi": "cortex-m4"}
CPUS = {"cortex-m4": ["-mcpu=cortex-m4", "-mfloat-abi=soft"], "cortex-m4f": ["-mcpu=cortex-m4", "-mfloat-abi=hard"],
        "cortex-m7": ["-mcpu=cortex-m7", "-mfloat-abi=hard"]}  # fmt: skip
"""How the rest of the program is compiled: the objects fit either convention for floats."""


def helpers_library(level: str) -> str:
    """libgcc for the level, or nothing where no compiler for the host is installed."""
    compiler = shutil.which("arm-none-eabi-gcc")
    if not compiler:
        return ""
    command = [compiler, "-mthumb", *CPUS[level], "-print-libgcc-file-name"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


class Tester:
    """One host and level."""

    def __init__(self, sectile: str, host: str, level: str, folder: str) -> None:
        self.sectile, self.host, self.level, self.folder = sectile, host, level, folder
        self.passed, self.failed, self.skipped = 0, 0, 0
        self.is_small = host.startswith("thumb")

    def check(self, condition: bool, message: str) -> bool:
        """Counts one check."""
        self.passed += bool(condition)
        self.failed += not condition
        if not condition:
            print(f"failed: {self.level}: {message}")
        return bool(condition)

    def compile(self, case: Case, is_repeated: bool) -> str:
        """Writes the object and the header; the header's text."""
        onnx.save(case.model, f"{self.folder}/{case.name}.onnx")
        sizes = []
        for place in ("", "again/") if is_repeated else ("",):
            output = f"{self.folder}/{place}{case.name}"
            command = [self.sectile, "compile", f"{self.folder}/{case.name}.onnx", "-o", output, "--emit=static",
                       f"--host={self.host}", f"--cpu-levels={self.level}", "--cache=off", "--quiet", *case.options]  # fmt: skip
            done = subprocess.run(command, capture_output=True, text=True, timeout=120)
            assert done.returncode == 0, f"{case.name}: {done.stderr}"
            with open(f"{output}.o", "rb") as code, open(f"{output}.h", "rb") as header:
                sizes.append((code.read(), header.read()))
        self.check(len(set(sizes)) == 1, f"{case.name}: the same input does not give the same bytes")
        return sizes[0][1].decode()

    def look_at(self, case: Case) -> set:
        """Checks the object's symbols and sections; the helpers that it needs."""
        path = f"{self.folder}/{case.name}.o"
        symbols = subprocess.run(["llvm-nm-22", path], capture_output=True, text=True, check=True).stdout
        missing = {line.split()[-1] for line in symbols.splitlines() if line.split()[-2] == "U"}
        helpers = {name for name in missing if HELPERS.match(name)} if self.is_small else set()
        self.check(missing - helpers <= C_LIBRARY, f"{case.name}: needs {sorted(missing - helpers - C_LIBRARY)}")
        seen = {line.split()[-1] for line in symbols.splitlines() if line.split()[-2] in "TDBRVW"}
        self.check(seen <= {f"{case.name}_run", f"{case.name}_sizes"}, f"{case.name}: shows {sorted(seen)}")
        # Data that is written to would be state.
        sections = subprocess.run(["llvm-size-22", "-A", path], capture_output=True, text=True, check=True).stdout
        state = [s.split()[0] for s in sections.splitlines() if re.match(r"\.(data|bss)\S* +[1-9]", s)]
        state = [name for name in state if not name.startswith(".data.rel.ro")]
        self.check(not state, f"{case.name}: has {state}")
        return helpers

    def link(self, names: List[str], helpers: str) -> List[str]:
        """Builds the program; how to run it."""
        program, objects = f"{self.folder}/program", [f"{self.folder}/{name}.o" for name in names]
        sources = [f"{self.folder}/driver.c"]
        common = [CLANG, "-std=c99", "-O1", "-Wall", "-Wextra", "-Werror", f"-I{BOARD}", f"-I{self.folder}"]
        if self.is_small:
            command = [*common, "--target=thumbv7em-none-eabi", *CPUS[self.level], "-ffreestanding", "-nostdlib",
                       "-fuse-ld=lld", "-T", f"{BOARD}/mps2.ld", *sources, f"{BOARD}/mps2.c", *objects]  # fmt: skip
            command += [helpers] if helpers else []
            board = "mps2-an500" if self.level == "cortex-m7" else "mps2-an386"
            start = ["qemu-system-arm", "-M", board, "-nographic", "-semihosting", "-kernel", program]
        else:
            triple = self.host.replace("-linux", "-linux-gnu")
            command = [*common, f"--target={triple}", "-fuse-ld=lld", *sources, f"{BOARD}/posix.c", *objects]
            start = [program] if self.host.startswith("x86") else \
                ["qemu-aarch64", "-L", "/usr/aarch64-linux-gnu", program]  # fmt: skip
        subprocess.run([*command, "-o", program], check=True)
        return start

    def judge(self, case: Case, lines: Dict[str, str], shapes: Dict[str, np.ndarray]) -> None:
        """Compares what was printed for a case with the reference."""
        results = {}
        for name, like in shapes.items():
            data = bytes.fromhex(lines.get(f"{case.name} {name}", ""))
            shape = list(like.shape)
            if name in case.shared:
                shape[1] = case.capacity
            if len(data) != int(np.prod(shape)) * like.itemsize:
                self.check(False, f"{case.name}: output {name} has {len(data)} bytes")
                return
            array = np.frombuffer(data, like.dtype).reshape(shape)
            results[name] = array[:, : like.shape[1]] if name in case.shared else array
        if case.name == "functions":  # defined to the last bit
            for name, array in results.items():
                same = (array == shapes[name]) | (np.isnan(array) & np.isnan(shapes[name]))
                self.check(bool(same.all()), f"{name}: {array[~same]} instead of {shapes[name][~same]}")
            return
        reference = run(case.model, case.inputs)
        for verdict in judge(case.model, reference, results, stand_in(case.model, case.inputs)):
            self.check(verdict.good, f"{case.name}: {verdict}")

    def test(self) -> None:
        """Everything."""
        os.mkdir(f"{self.folder}/again")
        library = helpers_library(self.level) if self.is_small else ""
        driver, shapes, cases = Driver(1 << 20), {}, []
        for make in CASES:
            case = make()
            header = self.compile(case, is_repeated=case.name in ("perceptron", "convolution"))
            needed = self.look_at(case)
            if needed and not library:
                print(f"skipped: {case.name} on {self.level} needs {', '.join(sorted(needed))}, and no "
                      "arm-none-eabi-gcc brings a library with them")  # fmt: skip
                self.skipped += 1
                continue
            cases.append(case)
            shapes[case.name] = stand_in(case.model, case.inputs)
            driver.add(case, header, shapes[case.name])
            if case.name == "embedding":
                for what, index in (("above", 50), ("below", -51), ("far", 2**32)):
                    driver.expect(case, what, {"i": np.array([3, -1, index, 0, 7])}, header, 16)
        if not cases:
            return
        with open(f"{self.folder}/driver.c", "w", encoding="ascii") as file:
            file.write(driver.text())
        start = self.link([case.name for case in cases], library)
        # QEMU has what a board writes on its standard error.
        done = subprocess.run(start, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, timeout=120)  # fmt: skip
        lines = done.stdout.splitlines()
        self.check(done.returncode == 0 and lines[-1:] == ["end"], f"ended with {done.returncode}: {done.stdout[-200:]}")
        for line in lines:
            if not line.startswith(("status ", "result ", "end")):
                self.check(False, line)
        given = {line.split()[1]: int(line.split()[2]) for line in lines if line.startswith("status ")}
        for key, status in driver.refusals.items():
            if key in given or not key.endswith("_arena"):  # an arena that is not needed is not looked at
                self.check(given.get(key) == status, f"{key}: expects {status}, but got {given.get(key)}")
        results = {" ".join(l.split()[1:3]): "".join(l.split()[3:]) for l in lines if l.startswith("result ")}
        for case in cases:
            self.judge(case, results, shapes[case.name])


def main() -> int:
    """The command; returns its exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sectile", default="build/bin/sectile")
    parser.add_argument("--host", choices=LEVELS, default="x86_64-linux")
    parser.add_argument("--level")
    parser.add_argument("--if-present", action="store_true", help="do nothing where this CPU lacks the level")
    parser.add_argument("--keep", help="folder for what is made (default: a temporary one)")
    arguments = parser.parse_args()
    if arguments.if_present:
        with open("/proc/cpuinfo", encoding="ascii") as file:
            if f" {arguments.level} " not in file.read():
                print(f"skipped: this CPU lacks {arguments.level}")
                print("0 passed, 0 failed, 1 skipped")
                return 0
    with tempfile.TemporaryDirectory() as folder:
        if arguments.keep:
            folder = arguments.keep
            shutil.rmtree(folder, ignore_errors=True)
            os.makedirs(folder)
        tester = Tester(arguments.sectile, arguments.host, arguments.level or LEVELS[arguments.host], folder)
        tester.test()
    print(f"{tester.passed} passed, {tester.failed} failed, {tester.skipped} skipped")
    return 1 if tester.failed or not tester.passed else 0


if __name__ == "__main__":
    sys.exit(main())
