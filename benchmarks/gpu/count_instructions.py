#!/usr/bin/python3
# This file is part of the Sectile project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Counts what the machine code of products with weights of few bits executes in the main loop: all lane-instructions
(loads, decoding, scales, addresses, matrix instructions: 32 for a warp each) over the weights that it multiplies.

    benchmarks/gpu/count_instructions.py [--sectile=build/bin/sectile] [--target=sm_90a] [--formats=int1,...,int8]
        [--rows=16] [--depth=4096] [--columns=28672] [--group=128] [--element=f16] [--listing=FOLDER] [--expect]

It compiles a product for each format to PTX, has ptxas assemble it and nvdisasm read it: both are looked for at
$SECTILE_PTXAS and $SECTILE_NVDISASM, in $CUDA_HOME/bin, in PATH and in the wheels of triton and nvidia-cuda-nvcc. A weight
takes half a byte or so that is never looked at, so that only the size of the constants is in the model: they are zeros.
With --expect the exit status is 3 where a loop has a shuffle, or registers spill. Without the tools it says so: status 77.
"""

from __future__ import annotations

import argparse
import glob
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections import Counter
from pathlib import Path
from typing import Dict, List, Optional, Tuple

# What issue 5 asks for integers of 1 to 8 bits with groups of 128, on sm_90a at 16 rows.
ASKED = {1: 1.0, 2: 1.4, 3: 1.8, 4: 1.5, 5: 2.5, 6: 2.8, 7: 3.2, 8: 2.0}
# Weights that one m16n8k16 multiplies.
WEIGHTS = 8 * 16


def find_tool(name: str) -> Optional[str]:
    """The path of a program of the CUDA toolkit."""
    given = os.environ.get(f"SECTILE_{name.upper()}")
    if given:
        return given
    home = os.environ.get("CUDA_HOME")
    if home and os.access(f"{home}/bin/{name}", os.X_OK):
        return f"{home}/bin/{name}"
    found = shutil.which(name)
    if found:
        return found
    packages = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")} | set(sys.path)
    for folder in sorted(packages):
        for place in ("triton/backends/nvidia/bin", "nvidia/cuda_nvcc/bin", "nvidia/cu13/bin"):
            if folder and os.access(f"{folder}/{place}/{name}", os.X_OK):
                return f"{folder}/{place}/{name}"
    return None


def write_model(path: str, kind: str, rows: int, depth: int, columns: int, group: int, element: str) -> None:
    """A product whose weights are dequantized; constants are zeros by reference to a resource."""
    groups = -(-depth // group)
    q, s, w = f"tensor<{depth}x{columns}xi8>", f"tensor<{groups}x{columns}x{element}>", f"tensor<{depth}x{columns}x{element}>"
    x, y = f"tensor<{rows}x{depth}x{element}>", f"tensor<{rows}x{columns}x{element}>"
    Path(path).write_text(
        f"""func.func @main(%x: {x}) -> {y} {{
  %q = arith.constant dense_resource<codes> : {q}
  %s = arith.constant dense_resource<scales> : {s}
  %w = graph.dequantize %q scale %s {{format = "{kind}", block = [{group}, 1]}} : ({q}, {s}) -> {w}
  %zero = arith.constant 0.0 : {element}
  %i = tensor.empty() : {y}
  %f = linalg.fill ins(%zero : {element}) outs(%i : {y}) -> {y}
  %y = linalg.matmul ins(%x, %w : {x}, {w}) outs(%f : {y}) -> {y}
  return %y : {y}
}}
{{-# dialect_resources: {{ builtin: {{
  codes: "0x01000000{'00' * (depth * columns)}",
  scales: "0x02000000{'00' * (2 * groups * columns)}"
}} }} #-}}
""",
        encoding="utf-8",
    )


def read_code(listing: str) -> List[Tuple[int, str, Optional[int]]]:
    """Instructions in order: address, text without predicate, and where a branch goes."""
    labels: Dict[str, int] = {}
    lines: List[Tuple[int, str]] = []
    waiting: List[str] = []
    for line in listing.splitlines():
        label = re.match(r"\s*(\.L_x_\d+|\.L_\d+):", line)
        if label:
            waiting.append(label.group(1))
        found = re.match(r"\s*/\*([0-9a-f]{4,})\*/\s+(.*?)\s*;", line)
        if not found:
            continue
        address = int(found.group(1), 16)
        for name in waiting:
            labels[name] = address
        waiting = []
        lines.append((address, found.group(2)))
    code = []
    for address, text in lines:
        target = re.search(r"\bBRA\b.*?`\((\.L_[x_0-9]+)\)", text)
        code.append((address, text, labels.get(target.group(1)) if target else None))
    return code


def find_loop(code: List[Tuple[int, str, Optional[int]]]) -> List[str]:
    """The instructions of the innermost loop with most matrix instructions."""
    best: List[str] = []
    most = 0
    for address, _, target in code:
        if target is None or target > address:
            continue
        inside = [text for at, text, _ in code if target <= at <= address]
        count = sum("HMMA" in text for text in inside)
        if count > most or (count == most and count and len(inside) < len(best)):
            best, most = inside, count
    return best


def opcode(text: str) -> str:
    """The operation without predicate and modifiers."""
    return re.sub(r"^@!?U?P\w+\s+", "", text).split()[0].split(".")[0]


def run(command: List[str]) -> str:
    """Output of a program that must succeed."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    if done.returncode:
        sys.exit(f"{command[0]}: status {done.returncode}: {done.stderr or done.stdout}")
    return done.stdout + done.stderr


def main() -> int:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sectile", default="build/bin/sectile")
    parser.add_argument("--target", default="sm_90a")
    parser.add_argument("--formats", default=",".join(f"int{bits}" for bits in range(1, 9)))
    parser.add_argument("--element", default="f16")
    parser.add_argument("--listing")
    parser.add_argument("--expect", action="store_true")
    for name, value in (("rows", 16), ("depth", 4096), ("columns", 28672), ("group", 128)):
        parser.add_argument(f"--{name}", type=int, default=value)
    args = parser.parse_args()
    ptxas, nvdisasm = find_tool("ptxas"), find_tool("nvdisasm")
    if not ptxas or not nvdisasm:
        print("skipped: no " + " and no ".join(n for n, t in (("ptxas", ptxas), ("nvdisasm", nvdisasm)) if not t))
        return 77
    print(f"# {args.rows} x {args.depth} x {args.columns}, {args.element}, groups of {args.group}, {args.target}")
    print("| format | lane-instructions for each weight | asked | in the loop | matrix | registers | what they are |")
    print("|---|---|---|---|---|---|---|")
    faults = []
    with tempfile.TemporaryDirectory() as folder:
        for kind in args.formats.split(","):
            model, ptx, cubin = f"{folder}/model.mlir", f"{folder}/k.ptx", f"{folder}/k.cubin"
            write_model(model, kind, args.rows, args.depth, args.columns, args.group, args.element)
            Path(ptx).write_text(
                run([args.sectile, "compile", model, "-o", "-", f"--target={args.target}", "--emit=ptx"]), encoding="utf-8")  # fmt: skip
            report = run([ptxas, "-v", f"-arch={args.target}", ptx, "-o", cubin])
            listing = run([nvdisasm, "-c", cubin])
            if args.listing:
                os.makedirs(args.listing, exist_ok=True)
                Path(args.listing, f"{kind}.sass").write_text(listing, encoding="utf-8")
                shutil.copy(ptx, Path(args.listing, f"{kind}.ptx"))
            loop = find_loop(read_code(listing))
            matrix = sum("HMMA" in text for text in loop)
            if not matrix:
                print(f"| {kind} | no matrix instruction in a loop | | | | | |")
                faults.append(f"{kind}: no matrix instruction in a loop")
                continue
            # Those that do nothing are not issued for lanes.
            counts = Counter(opcode(text) for text in loop if opcode(text) != "NOP")
            each = 32 * sum(counts.values()) / (matrix * WEIGHTS)
            bits = re.search(r"(\d)", kind)
            asked = ASKED.get(int(bits.group(1))) if kind.startswith(("int", "uint")) and bits else None
            used = re.search(r"Used (\d+) registers", report)
            spills = re.search(r"(\d+) bytes spill stores", report)
            what = ", ".join(f"{name} {count}" for name, count in counts.most_common(10))
            print(f"| {kind} | {each:.2f} | {asked or ''} | {sum(counts.values())} | {matrix} | "
                  f"{used.group(1) if used else '?'} | {what} |")  # fmt: skip
            if any(opcode(text) == "SHFL" for text in loop):
                faults.append(f"{kind}: shuffles in the loop")
            if spills and int(spills.group(1)):
                faults.append(f"{kind}: {spills.group(1)} bytes spilled")
    for fault in faults:
        print(f"fault: {fault}")
    return 3 if faults and args.expect else 0


if __name__ == "__main__":
    sys.exit(main())
