#!/usr/bin/python3
# This file is part of the Sectile project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compares the readers of weights with the packages safetensors and gguf on random files, in both directions, with
numpy on archives, and checks what is refused.

    test/Weights/run_weights.py --program=build/bin/weights-dump

The packages come from the Python that SECTILE_PEER_PYTHON names; without them their cases are skipped. Files that
are written here (make_weights.py) are compared with what was written in any case. The last line is "N passed, N
failed, N skipped" (files).
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from typing import Dict, List, Tuple

PEER = os.environ.get("SECTILE_PEER_PYTHON", "")
if PEER and os.path.exists(PEER) and os.path.abspath(sys.executable) != os.path.abspath(PEER):
    os.execv(PEER, [PEER, os.path.abspath(__file__), *sys.argv[1:]])

import numpy as np  # noqa: E402

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from make_weights import GGUF_BLOCKS, SAFETENSORS_BITS, archive, bad_archives, bad_files, gguf, safetensors  # noqa: E402

try:
    import safetensors as st
except ImportError:
    st = None
try:
    import gguf as gg
except ImportError:
    gg = None

NUMPY = {"BOOL": "?", "U8": "u1", "I8": "i1", "I16": "i2", "U16": "u2", "F16": "f2", "I32": "i4", "U32": "u4", "F32": "f4",
         "F64": "f8", "I64": "i8", "U64": "u8"}  # fmt: skip
Entry = Tuple[str, int, int, Tuple[int, ...]]


class Program:
    """The program under test, which answers line by line."""

    def __init__(self, path: str) -> None:
        self.process = subprocess.Popen([path], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def ask(self, *words: str) -> List[str]:
        """The lines of an answer; one of them if it is an error."""
        self.process.stdin.write(" ".join(words).encode() + b"\n")
        self.process.stdin.flush()
        lines: List[str] = []
        while True:
            line = self.process.stdout.readline()
            if not line:
                raise RuntimeError(f"ended with status {self.process.wait()} on {words}")
            lines.append(line.decode().rstrip("\n"))
            if lines[-1] == "" or lines[0].startswith("error: "):
                return lines

    def list(self, path: str) -> Tuple[Dict[str, Entry], Dict[str, Tuple[str, str]]]:
        """Tensors (type, offset, bytes, shape) and metadata (type, text) by name."""
        lines = self.ask("list", path)
        if lines[0].startswith("error: "):
            raise RuntimeError(lines[0])
        tensors, metadata = {}, {}
        for line in lines[1:-1]:
            words = line.split(" ")
            if words[0] == "#":
                metadata[bytes.fromhex(words[1]).decode()] = (words[2], bytes.fromhex(words[3]).decode(errors="ignore"))
            else:
                shape = tuple(map(int, words[4:]))
                tensors[bytes.fromhex(words[0]).decode()] = (words[1], int(words[2]), int(words[3]), shape)
        return tensors, metadata

    def numbers(self, path: str, name: str) -> np.ndarray:
        """A tensor's numbers."""
        self.process.stdin.write(f"numbers {path} {name.encode().hex()}\n".encode())
        self.process.stdin.flush()
        line = self.process.stdout.readline().decode()
        if line.startswith("error: "):
            raise RuntimeError(line)
        return np.frombuffer(self.process.stdout.read(8 * int(line)), np.float64)


def random_safetensors(rng: np.random.Generator) -> List[Tuple[str, str, List[int], bytes]]:
    """Tensors of every type and of any shape, in random order."""
    tensors = []
    for i, kind in enumerate(rng.permutation(sorted(SAFETENSORS_BITS))):
        shape = rng.integers(0 if i % 5 == 0 else 1, 7, size=rng.integers(0, 4)).tolist()
        bits = SAFETENSORS_BITS[kind]
        if bits < 8:
            shape += [8]
        data = rng.bytes(int(np.prod(shape, dtype=np.int64)) * bits // 8)
        if kind == "BOOL":
            data = bytes(b & 1 for b in data)
        tensors.append((f"t{i}.{kind}.\u00e9\"\\", str(kind), shape, data))
    return tensors


def random_gguf(rng: np.random.Generator) -> List[Tuple[str, str, List[int], bytes]]:
    """Tensors of every type; blocks hold random bits, so scales are what half floats can be."""
    tensors = []
    for i, kind in enumerate(rng.permutation(sorted(GGUF_BLOCKS))):
        _, elements, size = GGUF_BLOCKS[kind]
        shape = rng.integers(1, 4, size=rng.integers(0, 3)).tolist() + [int(rng.integers(1, 4)) * elements]
        tensors.append((f"blk.{i}.{kind}", str(kind), shape, rng.bytes(int(np.prod(shape)) // elements * size)))
    return tensors


def check_listing(program: Program, path: str, tensors: List[Tuple[str, str, List[int], bytes]]) -> str:
    """Whether a file holds what was written."""
    found, _ = program.list(path)
    with open(path, "rb") as file:
        content = file.read()
    if list(found) != [name for name, *_ in tensors]:
        return f"names {list(found)}"
    for name, kind, shape, data in tensors:
        got, offset, size, extents = found[name]
        if (got, list(extents)) != (kind, list(shape)) or content[offset : offset + size] != data:
            return f"tensor {name}: {got} {extents} at {offset}"
        if kind in NUMPY:
            wanted = np.frombuffer(data, NUMPY[kind]).astype(np.float64)
            if not np.array_equal(program.numbers(path, name), wanted, equal_nan=True):
                return f"numbers of {name}"
    return ""


def check_safetensors_package(program: Program, path: str) -> str:
    """The same file by the package's eyes."""
    found, metadata = program.list(path)
    with open(path, "rb") as file:
        content = file.read()
    for name, entry in st.deserialize(content):
        kind, offset, size, shape = found.pop(name)
        if (kind, list(shape)) != (entry["dtype"], entry["shape"]) or content[offset : offset + size] != bytes(entry["data"]):
            return f"tensor {name}: {kind} {shape}, {entry['dtype']} {entry['shape']}"
    with st.safe_open(path, "numpy") as file:
        if {key: value[1] for key, value in metadata.items()} != (file.metadata() or {}):
            return f"metadata {metadata}"
    return f"too many tensors {list(found)}" if found else ""


def check_gguf_package(program: Program, path: str) -> str:
    """The same file by the package's eyes: places, and numbers where it has them."""
    found, metadata = program.list(path)
    reader = gg.GGUFReader(path)
    for tensor in reader.tensors:
        kind, offset, size, shape = found.pop(tensor.name)
        wanted = (tensor.tensor_type.name, int(tensor.data_offset), int(tensor.n_bytes), tuple(map(int, tensor.shape[::-1])))
        if (kind, offset, size, shape) != wanted:
            return f"{tensor.name}: {kind} {offset} {size} {shape}, but {wanted}"
        try:
            with np.errstate(all="ignore"):
                numbers = gg.quants.dequantize(tensor.data, tensor.tensor_type).reshape(-1)
                got = program.numbers(path, tensor.name)
                # The package rounds each operation to f32: sums of a scaled code and a minimum cancel.
                error = np.abs(got - numbers)
                good = (error <= 2.0**-20 * np.abs(got).max(initial=0, where=np.isfinite(got))) | ~np.isfinite(got)
        except (NotImplementedError, RuntimeError, KeyError):
            continue
        # Scales that are NaN: the package does not look (docs/formats.md).
        if kind not in ("MXFP4", "NVFP4") and not good.all():
            return f"numbers of {tensor.name}"
    fields = {name: field for name, field in reader.fields.items() if not name.startswith("GGUF.")}
    if set(fields) != set(metadata):
        return f"keys {list(metadata)}, but {list(fields)}"
    for name, (kind, text) in metadata.items():
        if kind == "string" and text != str(bytes(fields[name].parts[-1]), "utf-8")[:256]:
            return f"key {name}: {text}"
        if kind in ("u32", "i64", "u8") and int(text) != int(fields[name].parts[-1][0]):
            return f"key {name}: {text}"
    return f"too many tensors {list(found)}" if found else ""


def write_by_packages(folder: str, rng: np.random.Generator) -> List[Tuple[str, Dict[str, np.ndarray]]]:
    """Files that the packages write, and the arrays in them."""
    files = []
    if st:
        from safetensors.numpy import save_file

        arrays = {f"x{i}": rng.normal(size=rng.integers(1, 6, size=i)).astype(kind)
                  for i, kind in enumerate([np.float32, np.float16, np.float64, np.int64, np.uint8])}  # fmt: skip
        save_file(arrays, f"{folder}/package.safetensors", {"format": "np"})
        files.append((f"{folder}/package.safetensors", arrays))
    if gg:
        path = f"{folder}/package.gguf"
        writer = gg.GGUFWriter(path, "test")
        writer.add_array("list", ["a", "bc", ""])
        writer.add_uint32("number", 7)
        arrays = {}
        for kind in (gg.GGMLQuantizationType.Q4_0, gg.GGMLQuantizationType.Q8_0, gg.GGMLQuantizationType.Q5_1):
            data = gg.quants.quantize(rng.normal(size=(3, 64)).astype(np.float32), kind)
            writer.add_tensor(kind.name, data, raw_dtype=kind)
            arrays[kind.name] = gg.quants.dequantize(data, kind)
        arrays["F32"] = rng.normal(size=(5, 7)).astype(np.float32)
        writer.add_tensor("F32", arrays["F32"])
        for step in (writer.write_header_to_file, writer.write_kv_data_to_file, writer.write_tensors_to_file, writer.close):
            step()
        files.append((path, arrays))
    return files


def check_arrays(program: Program, path: str, arrays: Dict[str, np.ndarray]) -> str:
    """Whether a package's file holds what it was given."""
    found, _ = program.list(path)
    if set(found) != set(arrays):
        return f"names {list(found)}"
    for name, array in arrays.items():
        got = program.numbers(path, name)
        if found[name][3] != array.shape or np.abs(got - array.reshape(-1)).max(initial=0) > 2.0**-20 * np.abs(got).max(initial=0):
            return f"numbers of {name}"
    return ""


def check_zip(program: Program, path: str, members: Dict[str, bytes]) -> str:
    """Whether an archive's members are read."""
    lines = program.ask("zip", path)
    wanted = [f"{name.encode().hex()} {len(data)} {sum((i + 1) * b for i, b in enumerate(data)) % 2**64}"
              for name, data in members.items()]  # fmt: skip
    return "" if lines[:-1] == wanted else f"{lines}"


def main() -> int:
    """Runs all cases."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--program", required=True)
    parser.add_argument("--seeds", type=int, default=20)
    arguments = parser.parse_args()
    program = Program(arguments.program)
    problems: List[Tuple[str, str]] = []
    skipped = 0
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/file"

        def write(data: bytes) -> str:
            with open(path, "wb") as file:
                file.write(data)
            return path

        for seed in range(arguments.seeds):
            rng = np.random.default_rng(seed)
            tensors = random_safetensors(rng)
            write(safetensors(tensors, {"k": "v\n\u00e9"} if seed % 2 else None, int(rng.integers(1, 64))))
            problems.append((f"safetensors {seed}", check_listing(program, path, tensors)))
            if st:
                problems.append((f"safetensors {seed}, the package", check_safetensors_package(program, path)))
            tensors = random_gguf(rng)
            keys = [("general.name", 8, "\u00e9" * 10), ("i", 11, -5), ("u", 4, 2**32 - 1), ("f", 6, 1.5), ("b", 7, True),
                    ("strings", 9, (8, ["a", ""] * 20)), ("numbers", 9, (4, list(range(100))))]  # fmt: skip
            # The package knows no arrays of arrays.
            nested = [("n", 9, (9, [(7, [True]), (9, [(5, [1, -1])])]))] if seed % 3 == 0 else []
            write(gguf(tensors, keys + nested, 2 + seed % 2, 2 ** int(rng.integers(3, 8))))
            problems.append((f"gguf {seed}", check_listing(program, path, tensors)))
            if gg and not nested:
                problems.append((f"gguf {seed}, the package", check_gguf_package(program, path)))
            members = {f"m{i}": rng.integers(0, 2 + 50 * i, size=rng.integers(0, 5000)).astype(np.uint8).tobytes()
                       for i in range(4)}  # fmt: skip
            problems.append((f"archive {seed}", check_zip(program, write(archive(members, 8 * (seed % 2), seed % 3 == 0)), members)))
        np.savez_compressed(f"{folder}/a.npz", a=np.zeros(2_000_000, np.float32))
        problems.append(("npz", "" if program.ask("zip", f"{folder}/a.npz")[0].split(" ")[1] == "8000128" else "size"))
        for file, arrays in write_by_packages(folder, np.random.default_rng(1)):
            problems.append((f"written as {os.path.basename(file)}", check_arrays(program, file, arrays)))
        for command, cases in (("list", bad_files()), ("zip", bad_archives())):
            for name, data, message in cases:
                answer = program.ask(command, write(data))[0]
                bad = not answer.startswith("error: ") or message not in answer
                problems.append((f"bad {command} {name}", answer or "nothing" if bad else ""))
    for package, name in ((st, "safetensors"), (gg, "gguf")):
        if not package:
            print(f"skipped: {name}: no second source (SECTILE_PEER_PYTHON)")
            skipped += 1
    for name, problem in problems:
        if problem:
            print(f"FAILED: {name}: {problem}")
    failed = sum(bool(problem) for _, problem in problems)
    print(f"{len(problems) - failed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
