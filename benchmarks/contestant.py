# This file is part of the Sectile project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""One contestant of a benchmark, in a process of its own.

    PYTHON benchmarks/contestant.py {sectile,onnxruntime,torch} FILE INPUTS THREADS

Says `ready NAME VERSION LOAD_SECONDS` (or `absent REASON`), then answers commands on standard
input, each with one line: `run N` with the wall times of N runs in seconds after one that is not
counted, `save DIR` with `saved` after writing the outputs as NAME.npy, `quit`.
"""

from __future__ import annotations

import os
import sys
import time
from typing import Callable, Dict, List, Tuple

import numpy as np

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "python"))


def _inputs(folder: str, names: List[str]) -> Dict[str, np.ndarray]:
    """Arrays that begin at a cache line, for everybody: ONNX Runtime copies its inputs to such a
    place before time is taken, and numpy's own begin 16 bytes behind one."""
    arrays = {}
    for name in names:
        loaded = np.load(os.path.join(folder, name.replace("/", "_") + ".npy"))
        room = np.empty(loaded.nbytes + 64, np.uint8)
        begin = -room.ctypes.data % 64
        arrays[name] = room[begin : begin + loaded.nbytes].view(loaded.dtype).reshape(loaded.shape)
        arrays[name][...] = loaded
    return arrays


Contestant = Tuple[str, Callable[[], None], Callable[[], Dict[str, np.ndarray]]]
"""Version, a run, and the outputs of the last run."""


def open_sectile(path: str, folder: str, threads: int) -> Contestant:
    """A package, through the C interface."""
    import sectile

    package = sectile.Package(path, threads=threads)
    call = sectile.Context(package, threads).prepare(_inputs(folder, package.inputs))
    call.run()
    version = sectile.library().sectile_version
    version.restype = __import__("ctypes").c_char_p
    return version().decode(), call.run, call.outputs


def open_onnxruntime(path: str, folder: str, threads: int) -> Contestant:
    """ONNX Runtime at its best: all optimisations, spinning threads, preallocated outputs."""
    import onnxruntime as ort

    ort.set_default_logger_severity(3)
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "1")
    options.add_session_config_entry("session.set_denormal_as_zero", "0")
    session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    feeds = _inputs(folder, [value.name for value in session.get_inputs()])
    binding = session.io_binding()
    for name, array in feeds.items():
        binding.bind_ortvalue_input(name, ort.OrtValue.ortvalue_from_numpy(array))
    names = [value.name for value in session.get_outputs()]
    results = [ort.OrtValue.ortvalue_from_numpy(a) for a in session.run(names, feeds)]
    for name, result in zip(names, results):
        binding.bind_ortvalue_output(name, result)

    def run() -> None:
        session.run_with_iobinding(binding)

    run()
    return ort.__version__, run, lambda: {n: r.numpy() for n, r in zip(names, results)}


def open_torch(path: str, folder: str, threads: int) -> Contestant:
    """PyTorch's own operators, for the models that torch_models knows."""
    import torch

    import torch_models

    torch.set_num_threads(threads)
    name = os.path.basename(path).rsplit(".", 1)[0]
    if name not in torch_models.MODELS:
        raise NotImplementedError(f"no PyTorch version of {name}")
    order = torch_models.INPUTS.get(name, ["x"])
    arguments = [torch.from_numpy(array) for array in _inputs(folder, order).values()]
    function = torch_models.MODELS[name]()

    def run() -> None:
        with torch.inference_mode():
            function(*arguments)

    run()
    return torch.__version__, run, dict


OPENERS = {"sectile": open_sectile, "onnxruntime": open_onnxruntime, "torch": open_torch}


def main() -> int:
    """Serves commands until `quit` or the end of input."""
    name, path, folder, threads = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
    start = time.perf_counter()
    try:
        version, run, outputs = OPENERS[name](path, folder, threads)
    except Exception as error:  # noqa: BLE001  the reason goes to the caller, whatever it is
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        print(f"absent {reason}", flush=True)
        return 0
    print(f"ready {name} {version} {time.perf_counter() - start:.4f}", flush=True)
    for line in sys.stdin:
        command, _, argument = line.strip().partition(" ")
        if command == "quit":
            break
        if command == "save":
            os.makedirs(argument, exist_ok=True)
            for output, array in outputs().items():
                np.save(os.path.join(argument, output.replace("/", "_") + ".npy"), array)
            print("saved", flush=True)
            continue
        run()
        times = []
        for _ in range(int(argument)):
            begin = time.perf_counter()
            run()
            times.append(time.perf_counter() - begin)
        print(" ".join(f"{t:.9f}" for t in times), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
