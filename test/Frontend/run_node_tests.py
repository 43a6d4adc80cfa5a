#!/usr/bin/python3
# ===- run_node_tests.py - the ONNX backend tests on imported IR ----------===//
#
# Part of the Sectile project, under the Apache License v2.0 with LLVM
# Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===----------------------------------------------------------------------===//
"""Runs the tests of Debian's libonnx-testdata through the importer and upstream's JIT.

A second opinion on the importer, which shares nothing with our compiler; scripts/conformance runs the
same tests through all of it.

  run_node_tests.py --import-run build/bin/import-run [--suite node] [--mode static] [FILTER..]

Modes: `static` takes the models as they are; `constant` makes the integer and bool inputs of
models that need them at import initialisers; `dynamic` gives each extent of each input a name,
equal extents of one test the same; `free` gives each a name of its own. Prints a line for each
test that does not pass; what is not supported counts as skipped.
"""

import argparse
import collections
import concurrent.futures
import glob
import os
import struct
import subprocess
import sys
import tempfile

import numpy as np
import onnx
from onnx import numpy_helper

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "conformance"))

import modes  # noqa: E402
from suites import DEBIAN as DATA  # noqa: E402

# Their expected values are truncated; the standard, and newer versions of the tests, round.
TRUNCATES = "_FLOAT_to_BFLOAT16"
# Their expected values take 3.1415 for pi (with it, the difference is 9e-8): angles of up to one turn are wrong by up to
# 2e-4, and so are sums of cosines with weights that add up to one.
SHORT_PI = ("test_blackmanwindow", "test_hammingwindow", "test_hannwindow")
NEEDS_CONSTANTS = ("to follow from constants", "one constant")


def read_tensor(path):
    """The TensorProto in a file, or None for sequences and optionals."""
    proto = onnx.TensorProto()
    with open(path, "rb") as file:
        try:
            proto.ParseFromString(file.read())
            known = set(range(1, 17)) - {8, 14, 15}
            if proto.data_type not in known:
                return None
            numpy_helper.to_array(proto)
        except Exception:  # Another message: a sequence or an optional.
            return None
    return proto


def to_words(proto):
    """The form import-run reads: rank, extents, bytes, elements."""
    array = np.ascontiguousarray(numpy_helper.to_array(proto))
    if array.dtype == np.bool_:
        array = array.astype(np.uint8)
    if proto.data_type == onnx.TensorProto.BFLOAT16:
        # python3-onnx widens bfloat16 to float32; the upper halves are the values.
        array = (array.view(np.uint32) >> 16).astype(np.uint16)
    body = array.tobytes()
    dims = list(proto.dims)
    return struct.pack("<%dq" % (len(dims) + 2), len(dims), *dims, len(body)) + body


def read_words(data, protos):
    """Arrays from what import-run writes, typed as the expected tensors are."""
    arrays = []
    for proto in protos:
        (rank,) = struct.unpack_from("<q", data)
        dims = struct.unpack_from("<%dq" % rank, data, 8)
        (size,) = struct.unpack_from("<q", data, 8 + 8 * rank)
        body = data[16 + 8 * rank : 16 + 8 * rank + size]
        data = data[16 + 8 * rank + size :]
        if proto.data_type == onnx.TensorProto.BFLOAT16:
            array = (np.frombuffer(body, np.uint16).astype(np.uint32) << 16).view(np.float32)
        else:
            dtype = onnx.mapping.TENSOR_TYPE_TO_NP_TYPE[proto.data_type]
            array = np.frombuffer(body, dtype)
        arrays.append(array.reshape(dims))
    return arrays


def tolerance(proto):
    """Relative and absolute (in units of the tensor's scale)."""
    if proto.data_type == onnx.TensorProto.FLOAT16:
        return 2e-3, 2e-3
    if proto.data_type == onnx.TensorProto.BFLOAT16:
        return 1e-2, 1e-2
    return 1e-4, 2e-6


def compare(got, proto, path):
    """None if equal within the tolerance of the test at `path`, else what differs."""
    want = numpy_helper.to_array(proto)
    if TRUNCATES in path:
        return None if np.all((got == want) | (got == want + 1)) else "values differ"
    if got.shape != want.shape:
        return "shape %s, expected %s" % (got.shape, want.shape)
    if want.dtype.kind not in "f":
        return None if np.array_equal(got, want) else "values differ"
    relative, absolute = tolerance(proto)
    if os.path.basename(path).startswith(SHORT_PI):
        absolute = 2e-4
    got, want = got.astype(np.float64), want.astype(np.float64)
    finite = want[np.isfinite(want)]
    scale = float(np.max(np.abs(finite))) if finite.size else 1.0
    if np.allclose(got, want, rtol=relative, atol=absolute * max(scale, 1e-6), equal_nan=True):
        return None
    with np.errstate(invalid="ignore"):
        return "largest error %g at scale %g" % (np.nanmax(np.abs(got - want)), scale)


def make_constant(model, protos):
    """Turns integer and bool inputs, and scalars, into initialisers; which stay inputs."""
    kept = []
    inputs = list(model.graph.input)
    del model.graph.input[:]
    for index, (info, proto) in enumerate(zip(inputs, protos)):
        shape_like = proto.data_type in (6, 7, 9) or not proto.dims
        if index > 0 and shape_like or len(inputs) == 1 and shape_like:
            proto.name = info.name
            model.graph.initializer.append(proto)
        else:
            model.graph.input.append(info)
            kept.append(proto)
    return kept


def make_dynamic(model, free):
    """Names the extents of every input, equal ones alike unless `free`, and forgets results' shapes."""
    for info in model.graph.input if not free else []:
        for dim in info.type.tensor_type.shape.dim:
            if dim.HasField("dim_value") and dim.dim_value != 1:
                dim.dim_param = f"n{dim.dim_value}"
    modes.make_dynamic(model, lambda value: free)


def run_once(tool, model_path, inputs, outputs, folder, path):
    with open(os.path.join(folder, "in"), "wb") as file:
        for proto in inputs:
            file.write(to_words(proto))
    out = os.path.join(folder, "out")
    command = [tool, model_path, "--inputs=" + file.name, "--outputs=" + out]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    except subprocess.TimeoutExpired:
        return "crash", "timeout"
    lines = (done.stderr or "").strip().splitlines()
    message = lines[0] if lines else ""
    if done.returncode == 1:
        return "unsupported", message.replace("error: ", "")
    if done.returncode == 70:
        return "lowering", message
    if done.returncode != 0:
        return "crash", "exit %d %s" % (done.returncode, message)
    with open(out, "rb") as file:
        arrays = read_words(file.read(), outputs)
    for array, proto in zip(arrays, outputs):
        difference = compare(array, proto, path)
        if difference:
            return "wrong", "%s: %s" % (proto.name, difference)
    return "pass", ""


def run_test(tool, path, mode):
    inputs, outputs = [], []
    for kind, protos in (("input", inputs), ("output", outputs)):
        count = len(glob.glob("%s/test_data_set_0/%s_*.pb" % (path, kind)))
        for index in range(count):
            proto = read_tensor("%s/test_data_set_0/%s_%d.pb" % (path, kind, index))
            if proto is None:
                return "unsupported", "not a numeric tensor"
            protos.append(proto)
    with tempfile.TemporaryDirectory() as folder:
        model_path = os.path.join(path, "model.onnx")
        changed = os.path.join(folder, "model.onnx")
        model = onnx.load(model_path)
        # Inputs that are initialisers as well are not given.
        initial = {tensor.name for tensor in model.graph.initializer}
        names = [info.name for info in model.graph.input]
        inputs = [p for n, p in zip(names, inputs) if n not in initial] if initial else inputs
        if mode in ("dynamic", "free"):
            make_dynamic(model, mode == "free")
            onnx.save(model, changed)
            model_path = changed
        status, message = run_once(tool, model_path, inputs, outputs, folder, path)
        if status == "unsupported" and mode != "static":
            if any(text in message for text in NEEDS_CONSTANTS):
                inputs = make_constant(model, inputs)
                onnx.save(model, changed)
                status, message = run_once(tool, changed, inputs, outputs, folder, path)
        return status, message


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--import-run", required=True)
    parser.add_argument("--suite", default="node")
    parser.add_argument("--mode", default="static", choices=["static", "constant", "dynamic", "free"])
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("filters", nargs="*")
    args = parser.parse_args()
    paths = sorted(
        path
        for path in glob.glob("%s/%s/*" % (DATA, args.suite))
        if os.path.exists(path + "/model.onnx")
        and (not args.filters or any(text in os.path.basename(path) for text in args.filters))
    )
    counts = collections.Counter()
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        results = pool.map(lambda path: run_test(args.import_run, path, args.mode), paths)
        for path, (status, message) in zip(paths, results):
            counts[status] += 1
            if status != "pass":
                print("%-11s %s: %s" % (status, os.path.basename(path), message), flush=True)
    failed = counts["wrong"] + counts["crash"] + counts["lowering"]
    print("%d passed, %d failed, %d skipped" % (counts["pass"], failed, counts["unsupported"]))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
