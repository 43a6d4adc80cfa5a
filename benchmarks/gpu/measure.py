# This file is part of the Sectile project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Checks and times the packages beside it on this machine's GPU: python3 measure.py --device=cuda

Needs numpy. Results are compared with float64 references and, for small cases, with what the
emulator computed. With PyTorch installed, its kernels (cuBLAS among them) are timed in turns with
ours, and torch.compile's (Triton) with --compile: memory of the device in and out, medians. Prints
a table in Markdown; the exit status is 3 if a result is wrong.
"""

import argparse
import ctypes
import datetime
import importlib
import os
import statistics
import sys
import time

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
os.environ.setdefault("SECTILE_LIBRARY", os.path.join(HERE, "libsectile.so.1"))
sys.path.insert(0, HERE)
api = importlib.import_module("sectile.library")
from cases import all_cases  # noqa: E402

DEVICE_MEMORY = 1
DTYPES = {"float32": 1, "float16": 3}


class Runner:
    """A package on a device, its inputs in memory of the device, and a context that captures."""

    def __init__(self, path, device, target, arrays):
        self.lib, self.message = api.library(), ctypes.create_string_buffer(1024)
        self.package, self.context = ctypes.c_void_p(), ctypes.c_void_p()
        self.memory = []
        options = api.PackageOptions(size=ctypes.sizeof(api.PackageOptions))
        options.device_name = device.encode()
        if target:
            options.target = target.encode()
        self.check(
            self.lib.sectile_package_load(
                os.fsencode(path), ctypes.byref(options), ctypes.byref(self.package),
                self.message, 1024,
            )
        )  # fmt: skip
        settings = api.ContextOptions(size=ctypes.sizeof(api.ContextOptions), capture=1)
        self.check(
            self.lib.sectile_context_create(
                self.package, ctypes.byref(settings), ctypes.byref(self.context), self.message, 1024
            )
        )
        self.dims = [(ctypes.c_int64 * a.ndim)(*a.shape) for a in arrays]
        self.inputs = (api.Tensor * len(arrays))()
        for tensor, array, dims in zip(self.inputs, arrays, self.dims):
            place = ctypes.c_void_p()
            self.check(
                self.lib.sectile_device_allocate(
                    self.package, ctypes.c_uint64(array.nbytes), ctypes.byref(place),
                    self.message, 1024,
                )
            )  # fmt: skip
            self.memory.append(place)
            self.check(
                self.lib.sectile_device_upload(
                    self.package, place, ctypes.c_void_p(array.ctypes.data),
                    ctypes.c_uint64(array.nbytes), self.message, 1024,
                )
            )  # fmt: skip
            tensor.data, tensor.bytes, tensor.dims = place.value, array.nbytes, dims
            tensor.dtype, tensor.rank = DTYPES[array.dtype.name], array.ndim
            tensor.memory = DEVICE_MEMORY
        self.output = api.Tensor()

    def check(self, status, text=None):
        if status:
            raise RuntimeError((text or self.message.value).decode(errors="replace"))

    def __call__(self):
        """One run, to its end."""
        ctypes.memset(ctypes.byref(self.output), 0, ctypes.sizeof(api.Tensor))
        self.output.memory = DEVICE_MEMORY
        status = self.lib.sectile_context_run(
            self.context, self.inputs, len(self.inputs), ctypes.byref(self.output), 1
        )
        if status:
            self.check(status, self.lib.sectile_context_message(self.context))

    def result(self, dtype):
        shape = [self.output.dims[i] for i in range(self.output.rank)]
        array = np.empty(shape, dtype)
        self.check(
            self.lib.sectile_device_download(
                self.package, ctypes.c_void_p(array.ctypes.data), ctypes.c_void_p(self.output.data),
                ctypes.c_uint64(array.nbytes), self.message, 1024,
            )
        )  # fmt: skip
        return array

    def close(self):
        self.lib.sectile_context_destroy(self.context)
        for place in self.memory:
            self.lib.sectile_device_free(self.package, place, self.message, 1024)
        self.lib.sectile_package_release(self.package)


def load_torch(device):
    try:
        import torch
    except ImportError:
        return None, "PyTorch is not installed: nothing to compare with"
    if not torch.cuda.is_available():
        return None, "PyTorch finds no device: nothing to compare with"
    index = int(device.partition(":")[2] or 0)
    torch.cuda.set_device(index)
    torch.backends.cuda.matmul.allow_tf32 = False
    return torch, f"PyTorch {torch.__version__}, {torch.cuda.get_device_name(index)}"


def peers_of(case, arrays, torch, compiles):
    """Functions that run the case once, to its end."""
    if not torch:
        return {}
    tensors = [torch.from_numpy(array).cuda() for array in arrays]
    peers = {"PyTorch": lambda *t: case.torch(torch, *t)}
    if compiles:
        peers["Triton"] = torch.compile(peers["PyTorch"])

    def finished(function):
        def run():
            function(*tensors)
            torch.cuda.synchronize()

        run()
        return run

    return {name: finished(function) for name, function in peers.items()}


def measure(contestants, rounds):
    times = {name: [] for name in contestants}
    for name in contestants:
        for _ in range(3):
            contestants[name]()
    for _ in range(rounds):
        for name, run in contestants.items():
            begin = time.perf_counter()
            run()
            times[name].append(time.perf_counter() - begin)
    return {name: statistics.median(values) * 1e6 for name, values in times.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cuda", help="cuda, hip, cuda:N, hip:N")
    parser.add_argument("--target", help="the package's target (default: the best for the device)")
    parser.add_argument("--emulated", help="compare with this device's emulator (default: all)")
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--only", default="", help="cases whose names have one of these, by comma")
    parser.add_argument("--compile", action="store_true", help="time torch.compile too")
    args = parser.parse_args()
    torch, note = load_torch(args.device)
    lib = api.library()
    lib.sectile_context_message.restype = ctypes.c_char_p
    print(f"{datetime.date.today()}, device {args.device}; {note}; medians of {args.rounds} rounds\n")
    print("| case | result | Sectile us | PyTorch us | Triton us |\n|---|---|---|---|---|")
    bad = 0
    for case in all_cases():
        path = os.path.join(HERE, "packages", case.name + ".stp")
        if not os.path.exists(path) or not any(p in case.name for p in args.only.split(",")):
            continue
        arrays = list(case.make_inputs().values())
        runner = Runner(path, args.device, args.target, arrays)
        try:
            runner()
            got = runner.result(case.dtype).astype(np.float64)
            # The largest products take a while in float64, which is what a reference is for.
            expected = case.reference(*(array.astype(np.float64) for array in arrays))
            off = np.abs(got - expected) / case.bound(expected)
            state = "good" if off.max(initial=0) <= 1 else f"**off by {off.max():.3g} bounds**"
            bad += not off.max(initial=0) <= 1
            archs = os.path.join(HERE, "emulated")
            for arch in sorted(os.listdir(archs)) if case.small and os.path.isdir(archs) else []:
                recorded = os.path.join(archs, arch, case.name, "y.npy")
                if not os.path.exists(recorded) or args.emulated not in (None, arch):
                    continue
                theirs = np.load(recorded).astype(np.float64)
                far = (np.abs(got - theirs) / case.bound(expected)).max(initial=0)
                same = "equal to" if np.array_equal(got, theirs) else "close to"
                state += f", {same} emulator:{arch}" if far <= 1 else f", **not emulator:{arch}**"
                bad += not far <= 1
            times = measure(
                {"Sectile": runner, **peers_of(case, arrays, torch, args.compile)}, args.rounds
            )
            cells = [f"{times[n]:.1f}" if n in times else "" for n in ("Sectile", "PyTorch", "Triton")]
            print(f"| {case.name} | {state} | " + " | ".join(cells) + " |", flush=True)
        finally:
            runner.close()
    return 3 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
