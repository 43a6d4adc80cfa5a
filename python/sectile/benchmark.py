# This file is part of the Sectile project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Measurements of a model, by `sectile bench`."""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, List, Mapping, Optional, Tuple

import numpy as np

from .errors import RunError
from .program import messages, run_program
from .tensors import read_argument

if TYPE_CHECKING:
    from .model import Model


@dataclass(frozen=True)
class KernelTime:
    """What one kernel took in a round, all its launches together; microseconds."""

    name: str
    nodes: Tuple[str, ...]
    shapes: str
    launches: int
    median_us: float
    p90_us: float
    min_us: float
    run_us: float  # in the round with the median time, whose parts sum
    bytes: int  # moved if every operand moves once
    operations: int  # arithmetic ones, a fused multiply-add counting two
    bound_us: float  # the least that the machine's measured rates allow
    bound: str  # by what: "memory" or "arithmetic"


@dataclass(frozen=True)
class Benchmark:
    """Times of rounds, microseconds. `host_us` is what was spent outside of kernels."""

    rounds: int
    median_us: float
    p90_us: float
    min_us: float
    host_us: float
    threads: int
    cpu_level: str
    kernels: Tuple[KernelTime, ...]

    def __str__(self) -> str:
        lines = [
            f"median {self.median_us:.2f} us of {self.rounds} rounds, {self.threads} threads, "
            f"{self.cpu_level}"
        ]
        for kernel in sorted(self.kernels, key=lambda kernel: -kernel.median_us):
            lines.append(f"{kernel.median_us:12.2f} us  {kernel.name}  {', '.join(kernel.nodes)}")
        return "\n".join([*lines, f"{self.host_us:12.2f} us  host"])


def measure(
    model: "Model", inputs: Mapping[str, Any], dims: Mapping[str, int], repeat: Optional[int]
) -> Benchmark:
    """See Model.benchmark."""
    from .compiler import dims_option

    names = [tensor.name for tensor in model.inputs]
    unknown = [name for name in inputs if name not in names]
    if unknown:
        raise RunError(f"expects inputs out of {names}, but got {unknown}")
    with tempfile.TemporaryDirectory(prefix="sectile-") as folder:
        package, result = os.path.join(folder, "model.stp"), os.path.join(folder, "times.json")
        model.save(package)
        arguments: List[str] = [
            "bench",
            package,
            "--quiet",
            f"--json={result}",
            f"--threads={model.threads}",
        ]
        arguments += dims_option(dims)
        if repeat is not None:
            arguments.append(f"--repeat={repeat}")
        for i, (name, value) in enumerate(inputs.items()):
            read_argument(name, value)  # refuses what a run would
            file = os.path.join(folder, f"{i}.npy")
            array = value if isinstance(value, (np.ndarray, np.generic)) else np.from_dlpack(value)
            np.save(file, array)
            arguments.append(f"--input={name}={file}")
        done = run_program(arguments, {"SECTILE_CPU_LEVEL": model.cpu_level})
        if done.returncode:
            raise RunError("\n".join(messages(done.stderr, "error")) or done.stderr)
        with open(result, encoding="utf-8") as file_of_times:
            times = json.load(file_of_times)
    kernels = tuple(
        KernelTime(**{**kernel, "nodes": tuple(kernel["nodes"].split(","))})
        for kernel in times["kernels"]
    )
    fields = ("median_us", "p90_us", "min_us", "host_us", "threads")
    return Benchmark(
        rounds=times["repeat"], cpu_level=times["level"], kernels=kernels,
        **{field: times[field] for field in fields},
    )  # fmt: skip
