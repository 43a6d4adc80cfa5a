# This file is part of the Sectile project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Writes models: python3 -m sectile_models OUTDIR [--only NAME,..] [--small] [--batch N]."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile

from .registry import MODELS, build


def main() -> int:
    """The command; returns its exit status."""
    parser = argparse.ArgumentParser(prog="sectile_models", description=__doc__)
    parser.add_argument("outdir", nargs="?", help="folder to write NAME.onnx into")
    parser.add_argument("--only", default="", help="comma-separated names")
    parser.add_argument("--list", action="store_true", help="print the names and stop")
    parser.add_argument("--small", action="store_true", help="scaled-down sizes")
    parser.add_argument("--batch", type=int, help="batch size of static models")
    parser.add_argument("--opset", type=int, default=17, help="from 11 on (default 17)")
    parser.add_argument("--keep", action="store_true", help="leave files that exist alone")
    arguments = parser.parse_args()
    if arguments.list:
        print("\n".join(MODELS))
        return 0
    if arguments.outdir is None:
        parser.error("expects an output folder")
    names = [name for name in arguments.only.split(",") if name] or list(MODELS)
    unknown = [name for name in names if name not in MODELS]
    if unknown:
        parser.error(f"unknown model {', '.join(unknown)}; --list prints the names")
    os.makedirs(arguments.outdir, exist_ok=True)
    for name in names:
        path = os.path.join(arguments.outdir, name + ".onnx")
        if arguments.keep and os.path.exists(path):
            continue
        model = build(name, arguments.small, arguments.batch, arguments.opset)
        # A reader never sees half a file, and an interrupted run leaves none behind for --keep.
        with tempfile.NamedTemporaryFile(dir=arguments.outdir, delete=False) as file:
            file.write(model.SerializeToString())
        os.replace(file.name, path)
        os.chmod(path, 0o644)
        size, nodes = os.path.getsize(path), len(model.graph.node)
        kinds = len({node.op_type for node in model.graph.node})
        print(f"{path}: {nodes} nodes, {kinds} operators, {size / 1e6:.2f} MB", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
