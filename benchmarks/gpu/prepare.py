# This file is part of the Sectile project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Makes the folder that `benchmarks/gpu/run` sends to a machine with a GPU."""

import argparse
import os
import shutil
import subprocess
import sys
import tarfile

import numpy as np
import onnx
from onnx import helper, mapping

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, HERE)
from cases import all_cases  # noqa: E402

MOST_BYTES = 50_000_000


def make_model(case, path):
    kind = mapping.NP_TYPE_TO_TENSOR_TYPE[np.dtype(case.dtype)]
    inputs = [helper.make_tensor_value_info(n, kind, s) for n, s in case.inputs.items()]
    output = helper.make_tensor_value_info("y", kind, None)
    nodes = [helper.make_node(op, ins, [out], **attrs) for op, ins, out, attrs in case.nodes]
    graph = helper.make_graph(nodes, case.name, inputs, [output])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(onnx.shape_inference.infer_shapes(model), path)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", default="build/benchmarks/gpu", help="folder to make")
    parser.add_argument("--target", default="sm_80,sm_90a,gfx942", help="devices to compile for")
    parser.add_argument("--emulate", help="device whose emulator records small cases (default: all)")
    parser.add_argument("--only", default="", help="cases whose names have one of these, by comma")
    args = parser.parse_args()
    build = os.environ.get("SECTILE_BUILD", os.path.join(ROOT, "build"))
    sectile = os.path.join(build, "bin", "sectile")
    out = os.path.abspath(args.out)
    shutil.rmtree(out, ignore_errors=True)
    os.makedirs(os.path.join(out, "packages"))
    shutil.copytree(
        os.path.join(ROOT, "python", "sectile"), os.path.join(out, "sectile"),
        ignore=shutil.ignore_patterns("__pycache__"),
    )  # fmt: skip
    shutil.copy(os.path.join(build, "lib", "libsectile.so"), os.path.join(out, "libsectile.so.1"))
    for name in ("cases.py", "measure.py"):
        shutil.copy(os.path.join(HERE, name), out)

    wanted = args.only.split(",")
    for case in all_cases():
        if not any(part in case.name for part in wanted):
            continue
        model = os.path.join(out, "model.onnx")
        package = os.path.join(out, "packages", case.name + ".stp")
        make_model(case, model)
        compile_ = [sectile, "compile", model, "-o", package, f"--target={args.target}", "--quiet"]
        subprocess.run([*compile_, "--cpu-levels=sse4"], check=True)
        os.remove(model)
        print(f"{case.name}: {os.path.getsize(package) / 1e3:.0f} kB", flush=True)
        if not case.small:
            continue
        options = []
        for name, array in case.make_inputs().items():
            path = os.path.join(out, f"input-{name}.npy")
            np.save(path, array)
            options += ["--input", f"{name}={path}"]
        for arch in (args.emulate or args.target).split(","):
            folder = os.path.join(out, "emulated", arch, case.name)
            run = [sectile, "run", package, "--quiet", f"--device=emulator:{arch}", *options]
            subprocess.run([*run, "--output-dir", folder], check=True)
        for name in case.inputs:
            os.remove(os.path.join(out, f"input-{name}.npy"))

    archive = out + ".tar.xz"
    with tarfile.open(archive, "w:xz") as tar:
        tar.add(out, os.path.basename(out))
    size = os.path.getsize(archive)
    print(f"{archive}: {size / 1e6:.1f} MB; there: tar xf, then python3 measure.py --device=cuda")
    if size > MOST_BYTES:
        sys.exit(f"expects at most {MOST_BYTES / 1e6:.0f} MB, but the archive has {size / 1e6:.1f}")


if __name__ == "__main__":
    main()
