# This file is part of the Sectile project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compiles and runs one test with the programs that a user has, and judges what comes out."""

from __future__ import annotations

import dataclasses
import glob
import json
import os
import subprocess
import tempfile
from typing import Dict, List, Optional, Tuple

import onnx
from modes import apply_mode, given_inputs
from onnx import TensorProto
from suites import Test, why_not_comparable

PASSED, FOLDED, REFUSED, FAILED, CRASHED = "passed", "folded", "refused", "failed", "crashed"
NOT_COMPARABLE = "not_comparable"
STATUSES = (PASSED, FOLDED, REFUSED, FAILED, CRASHED, NOT_COMPARABLE)

# The rule of onnx.backend.test.runner; no test of the suites has tolerances of its own.
RTOL, ATOL = 1e-3, 1e-7
BFLOAT16_RTOL = 2.0**-6  # two units in the last place, for which 1e-3 has no room

DTYPES = {
    1: "f32", 2: "u8", 3: "i8", 4: "u16", 5: "i16", 6: "i32", 7: "i64", 9: "bool", 10: "f16",
    11: "f64", 12: "u32", 13: "u64", 16: "bf16", 17: "f8E4M3FN", 18: "f8E4M3FNUZ", 19: "f8E5M2",
    20: "f8E5M2FNUZ",
    # Less than a byte, and powers of two, are held in bytes.
    21: "u8", 22: "i8", 23: "u8", 24: "u8", 25: "u8", 26: "i8",
}  # fmt: skip
"""What `sectile inspect` calls the element types of TensorProto."""


@dataclasses.dataclass
class Result:
    """What became of a test."""

    status: str
    kernels: int = 0
    reason: str = ""


@dataclasses.dataclass
class Tools:
    """How tests are compiled and run."""

    sectile: str
    runner: List[str]
    """What runs and inspects packages: sectile itself, or a program of the host under an emulator."""
    mode: str
    host: Optional[str]
    target: Optional[str]
    device: Optional[str]
    seconds: float
    """After how long a program is ended."""


class Finished(Exception):
    """The test ended early, with this result."""

    def __init__(self, result: Result) -> None:
        super().__init__(result.status)
        self.result = result


def _run(tools: Tools, *arguments: str) -> Tuple[int, str, str]:
    """Exit status, output and errors of sectile; Finished if it crashes."""
    program = [tools.sectile] if arguments[0] == "compile" else tools.runner
    command = [*program, *arguments]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=tools.seconds
        )
    except subprocess.TimeoutExpired:
        reason = f"{arguments[0]}: not done after {tools.seconds:g} s"
        raise Finished(Result(CRASHED, 0, reason)) from None
    if done.returncode < 0 or done.returncode >= 70:
        lines = done.stderr.strip().splitlines()
        what = f"signal {-done.returncode}" if done.returncode < 0 else f"status {done.returncode}"
        raise Finished(Result(CRASHED, 0, f"{arguments[0]}: {what}: {(lines or [''])[0]}"))
    return done.returncode, done.stdout, done.stderr


def _message(errors: str, model: str) -> str:
    """The first error of a program, without the name of the file."""
    lines = [line for line in errors.strip().splitlines() if "error:" in line]
    text = (lines or errors.strip().splitlines() or ["no message"])[0]
    text = text.split("error: ", 1)[-1]
    return text.replace(f"'{model}': ", "").replace(f"{model}: ", "")


def _read(path: str, value: onnx.ValueInfoProto) -> Optional[TensorProto]:
    """The tensor of a file, or None if it holds something else."""
    if value.type.WhichOneof("value") != "tensor_type":
        return None
    tensor = TensorProto()
    with open(path, "rb") as file:
        tensor.ParseFromString(file.read())
    # Debian's files call the bits of a bfloat16 uint16.
    if value.type.tensor_type.elem_type == TensorProto.BFLOAT16:
        tensor.data_type = TensorProto.BFLOAT16
    return tensor


def _read_all(folder: str, stem: str, values: List[onnx.ValueInfoProto]) -> Dict[str, TensorProto]:
    """The recorded tensors by name; those that are no tensors are left out."""
    tensors = {}
    for index, value in enumerate(values):
        path = os.path.join(folder, f"{stem}_{index}.pb")
        tensor = _read(path, value) if os.path.exists(path) else None
        if tensor is not None:
            tensors[value.name] = tensor
    return tensors


def _recorded(model: onnx.ModelProto, folder: str) -> Tuple[Dict[str, TensorProto], ...]:
    """Inputs and outputs of a data set."""
    inputs = list(model.graph.input)
    if len(glob.glob(os.path.join(glob.escape(folder), "input_*.pb"))) < len(inputs):
        inputs = given_inputs(model)  # inputs with initialisers are not recorded
    given = {value.name for value in given_inputs(model)}
    tensors = _read_all(folder, "input", inputs)
    return (
        {name: tensor for name, tensor in tensors.items() if name in given},
        _read_all(folder, "output", list(model.graph.output)),
    )


def _write(folder: str, stem: str, tensors: Dict[str, TensorProto]) -> Dict[str, str]:
    """Files with the tensors, by name."""
    paths = {}
    for index, (name, tensor) in enumerate(tensors.items()):
        paths[name] = os.path.join(folder, f"{stem}_{index}.pb")
        with open(paths[name], "wb") as file:
            file.write(tensor.SerializeToString())
    return paths


def _check_types(inspected: Dict, outputs: Dict[str, TensorProto]) -> Optional[str]:
    """Which output has another type than recorded, or None: `run --expect` forgives widths."""
    types = {output["name"]: output["dtype"] for output in inspected["outputs"]}
    for name in sorted(set(types) - set(outputs)):
        return f"output '{name}': expects no tensor, but got {types[name]}"
    for name, tensor in outputs.items():
        want = DTYPES.get(tensor.data_type, f"element type {tensor.data_type}")
        if types.get(name) != want:
            return f"output '{name}': expects {want}, but got {types.get(name)}"
    return None


def _run_data_set(
    tools: Tools,
    package: str,
    inputs: Dict[str, TensorProto],
    outputs: Dict[str, TensorProto],
    folder: str,
) -> Optional[str]:
    """Runs the package and compares; what is wrong, or None."""
    command = ["run", package, "--quiet"]
    if tools.device:
        command.append(f"--device={tools.device}")
        if tools.device.startswith("emulator:"):
            command.append("--sanitize=races,bounds")
    if tools.mode != "constants":
        for name, path in _write(folder, "input", inputs).items():
            command.append(f"--input={name}={path}")
    for name, path in _write(folder, "output", outputs).items():
        bfloat16 = outputs[name].data_type == TensorProto.BFLOAT16
        rtol = BFLOAT16_RTOL if bfloat16 else RTOL
        command.append(f"--expect={name}={path},rtol={rtol!r},atol={ATOL!r}")
    status, output, errors = _run(tools, *command)
    if status == 0:
        return None
    if "error:" in errors:
        return "run: " + _message(errors, package)
    lines = (output + errors).strip().splitlines()
    # A table of what was compared, with the first mismatch below its output.
    return next((line.strip() for line in lines if "first at" in line), "values differ")


def _judge(test: Test, tools: Tools, folder: str) -> Result:
    model = onnx.load(test.model)
    reason = why_not_comparable(test, model)
    if reason:
        return Result(NOT_COMPARABLE, 0, reason)
    sets = [_recorded(model, data_set) for data_set in test.data_sets]
    if not sets:
        return Result(NOT_COMPARABLE, 0, "no recorded values")
    total = 0
    # Constants are those of one data set, so each is compiled by itself.
    groups = [[recorded] for recorded in sets] if tools.mode == "constants" else [sets]
    for group in groups:
        path = test.model
        if tools.mode != "static":
            path = os.path.join(folder, "model.onnx")
            changed = onnx.ModelProto()
            changed.CopyFrom(model)
            apply_mode(tools.mode, changed, group[0][0])
            onnx.save(changed, path)
        package = os.path.join(folder, "package")
        command = ["compile", path, "-o", package, "--quiet"]
        if tools.target:
            command.append(f"--target={tools.target}")
        if tools.host:
            command.append(f"--host={tools.host}")
        status, _, errors = _run(tools, *command)
        if status:
            refused = REFUSED if status == 1 else FAILED
            return Result(refused, 0, _message(errors, path))
        status, text, errors = _run(tools, "inspect", package, "--json")
        if status:
            return Result(FAILED, 0, "inspect: " + _message(errors, package))
        inspected = json.loads(text)
        total = max(total, len(inspected["kernels"]))
        for inputs, outputs in group:
            wrong = _check_types(inspected, outputs)
            wrong = wrong or _run_data_set(tools, package, inputs, outputs, folder)
            if wrong:
                return Result(FAILED, total, wrong)
    return Result(PASSED if total else FOLDED, total)


def judge(test: Test, tools: Tools) -> Result:
    """What becomes of a test."""
    with tempfile.TemporaryDirectory(prefix="conformance-") as folder:
        try:
            return _judge(test, tools, folder)
        except Finished as finished:
            return finished.result
