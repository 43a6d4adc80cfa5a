# This file is part of the Sectile project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Writes files of weights byte by byte, good ones and bad ones, after the specifications: a second opinion on what
the readers in lib/Weights take for granted, and the corpus that weights-fuzzer starts from."""

from __future__ import annotations

import io
import json
import os
import struct
import zipfile
from typing import Any, Callable, Dict, List, Sequence, Tuple

SAFETENSORS_BITS = {
    "BOOL": 8, "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6, "U8": 8, "I8": 8, "F8_E5M2": 8, "F8_E4M3": 8, "F8_E8M0": 8,
    "I16": 16, "U16": 16, "F16": 16, "BF16": 16, "I32": 32, "U32": 32, "F32": 32, "C64": 64, "F64": 64, "I64": 64,
    "U64": 64,
}  # fmt: skip

GGUF_BLOCKS: Dict[str, Tuple[int, int, int]] = {
    # number in files, elements and bytes of a block: gguf.constants.GGML_QUANT_SIZES
    "F32": (0, 1, 4), "F16": (1, 1, 2), "Q4_0": (2, 32, 18), "Q4_1": (3, 32, 20), "Q5_0": (6, 32, 22),
    "Q5_1": (7, 32, 24), "Q8_0": (8, 32, 34), "Q2_K": (10, 256, 84), "Q3_K": (11, 256, 110), "Q4_K": (12, 256, 144),
    "Q5_K": (13, 256, 176), "Q6_K": (14, 256, 210), "Q8_K": (15, 256, 292), "IQ2_XXS": (16, 256, 66),
    "IQ2_XS": (17, 256, 74), "IQ3_XXS": (18, 256, 98), "IQ1_S": (19, 256, 50), "IQ4_NL": (20, 32, 18),
    "IQ3_S": (21, 256, 110), "IQ2_S": (22, 256, 82), "IQ4_XS": (23, 256, 136), "I8": (24, 1, 1), "I16": (25, 1, 2),
    "I32": (26, 1, 4), "I64": (27, 1, 8), "F64": (28, 1, 8), "IQ1_M": (29, 256, 56), "BF16": (30, 1, 2),
    "TQ1_0": (34, 256, 54), "TQ2_0": (35, 256, 66), "MXFP4": (39, 32, 17), "NVFP4": (40, 64, 36),
}  # fmt: skip

VALUE_CODES = ["B", "b", "H", "h", "I", "i", "f", "?", None, None, "Q", "q", "d"]
"""How struct writes each type of GGUF's metadata."""

# A tensor of either format: name, type, shape (fastest last), bytes.
Tensor = Tuple[str, str, Sequence[int], bytes]


def safetensors(tensors: Sequence[Tensor], metadata: Dict[str, str] | None = None, pad: int = 8) -> bytes:
    """A safetensors file, its header padded with spaces."""
    entries: Dict[str, Any] = {"__metadata__": metadata} if metadata is not None else {}
    at = 0
    for name, kind, shape, data in tensors:
        entries[name] = {"dtype": kind, "shape": list(shape), "data_offsets": [at, at + len(data)]}
        at += len(data)
    header = json.dumps(entries).encode()
    return raw_safetensors(header + b" " * (-len(header) % pad), b"".join(data for *_, data in tensors))


def raw_safetensors(header: bytes, data: bytes = b"") -> bytes:
    """A file of any header and data."""
    return struct.pack("<Q", len(header)) + header + data


def gguf_string(text: str | bytes) -> bytes:
    """A string: its length and its bytes."""
    data = text.encode() if isinstance(text, str) else text
    return struct.pack("<Q", len(data)) + data


def gguf_value(kind: int, value: Any) -> bytes:
    """A value of metadata; an array is (type, values)."""
    if kind == 8:
        return gguf_string(value)
    if kind == 9:
        inner, values = value
        return struct.pack("<IQ", inner, len(values)) + b"".join(gguf_value(inner, v) for v in values)
    return struct.pack("<" + str(VALUE_CODES[kind]), value)


def gguf_key(key: str, kind: int, value: Any) -> bytes:
    """A key and its value."""
    return gguf_string(key) + struct.pack("<I", kind) + gguf_value(kind, value)


def gguf_info(name: str, shape: Sequence[int], number: int, offset: int) -> bytes:
    """What a file says of a tensor."""
    extents = b"".join(struct.pack("<Q", extent) for extent in reversed(shape))
    return gguf_string(name) + struct.pack("<I", len(shape)) + extents + struct.pack("<IQ", number, offset)


def gguf(tensors: Sequence[Tensor], metadata: Sequence[Tuple[str, int, Any]] = (), version: int = 3,
         alignment: int = 32) -> bytes:  # fmt: skip
    """A GGUF file."""
    keys = [gguf_key(*entry) for entry in metadata]
    if alignment != 32:
        keys.append(gguf_key("general.alignment", 4, alignment))
    infos, data = [], b""
    for name, kind, shape, content in tensors:
        infos.append(gguf_info(name, shape, GGUF_BLOCKS[kind][0], len(data)))
        data += content + bytes(-len(content) % alignment)
    return raw_gguf(keys, infos, data, version, alignment)


def raw_gguf(keys: List[bytes], infos: List[bytes], data: bytes = b"", version: int = 3, alignment: int = 32) -> bytes:
    """A file of any parts."""
    head = b"GGUF" + struct.pack("<IQQ", version, len(infos), len(keys)) + b"".join(keys) + b"".join(infos)
    return head + bytes(-len(head) % alignment) + data


def archive(members: Dict[str, bytes], method: int = zipfile.ZIP_DEFLATED, force64: bool = False) -> bytes:
    """A ZIP archive."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as written:
        for name, data in members.items():
            info = zipfile.ZipInfo(name)
            info.compress_type = method
            with written.open(info, "w", force_zip64=force64) as member:
                member.write(data)
    return file.getvalue()


def _entry(kind: str = "F32", shape: str = "[2]", offsets: str = "[0,8]", more: str = "") -> bytes:
    return f'{{"a":{{"dtype":"{kind}","shape":{shape},"data_offsets":{offsets}{more}}}}}'.encode()


def _two(first: str, second: str) -> bytes:
    return (f'{{"a":{{"dtype":"U8","shape":[4],"data_offsets":{first}}},'
            f'"b":{{"dtype":"U8","shape":[4],"data_offsets":{second}}}}}').encode()  # fmt: skip


def bad_files() -> List[Tuple[str, bytes, str]]:
    """Files that must be refused: a name, the bytes, a part of the message."""
    big = str(2**64)
    header: Callable[..., bytes] = raw_safetensors
    eight = bytes(8)
    q4 = gguf_info("a", [32], 2, 0)
    string = gguf_key("k", 8, "v")
    nested = gguf_string("k") + struct.pack("<I", 9) + struct.pack("<IQ", 9, 1) * 9
    return [
        ("empty", b"", "it has 0 bytes"),
        ("short", b"1234567", "it has 7 bytes"),
        ("header-length", struct.pack("<Q", 100) + b"{}", "first 8 bytes mean 100"),
        ("header-huge", struct.pack("<Q", 2**63) + b"{}", "first 8 bytes mean 9223372036854775808"),
        ("not-object", header(b"[]"), "begins with '{' (byte 8)"),
        ("unclosed", header(b'{"a"'), "expects a tensor's name and ':'"),
        ("behind", header(b"{} x"), "nothing but spaces"),
        ("type", header(_entry("F33"), eight), "tensor 'a': its type 'F33' is not known"),
        ("negative", header(_entry(shape="[-2]"), eight), "expects an integer from 0"),
        ("fraction", header(_entry(shape="[2.0]"), eight), "expects ',' or ']'"),
        ("leading-zero", header(_entry(shape="[02]"), eight), "expects an integer from 0"),
        ("above-64-bits", header(_entry(shape=f"[{big}]"), eight), "expects an integer from 0"),
        ("product", header(_entry(shape=f"[{2**40},{2**40}]"), eight), "no whole number of bytes"),
        ("product-zero", header(_entry(shape=f"[0,{2**40},{2**40}]", offsets="[0,0]")), "no whole number of bytes"),
        ("half-byte", header(_entry("F4", "[3]", "[0,2]"), bytes(2)), "no whole number of bytes"),
        ("size", header(_entry(shape="[3]"), eight), "takes 12 bytes, but it has 8"),
        ("beyond", header(_entry(), bytes(7)), "do not lie in the 7 bytes"),
        ("backwards", header(_entry(offsets="[8,0]"), eight), "do not lie in"),
        ("one-offset", header(_entry(offsets="[8]"), eight), "two data_offsets"),
        ("three-offsets", header(_entry(offsets="[0,8,8]"), eight), "at most 2 numbers"),
        ("rank", header(_entry(shape=str([1] * 65)), eight), "at most 64 numbers"),
        ("unknown-key", header(_entry(more=',"stride":[1]'), eight), "once each, but got 'stride'"),
        ("key-twice", header(_entry(more=',"dtype":"F32"'), eight), "once each, but got 'dtype'"),
        ("no-type", header(b'{"a":{"shape":[2],"data_offsets":[0,8]}}', eight), "expects dtype, shape"),
        ("name-twice", header(b'{"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},'
                              b'"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}'), "tensor 'a' comes twice"),
        ("overlap", header(_two("[0,4]", "[2,6]"), bytes(6)), "inside of tensor 'a'"),
        ("gap", header(_two("[0,4]", "[5,9]"), bytes(9)), "but the one before it ends at byte"),
        ("gap-at-begin", header(_two("[1,5]", "[5,9]"), bytes(9)), "but the one before it ends at byte"),
        ("gap-at-end", header(_two("[0,4]", "[4,8]"), bytes(9)), "the tensors end at byte"),
        ("metadata", header(b'{"__metadata__":{"k":1}}'), "expects a string for key 'k'"),
        ("metadata-deep", header(b'{"__metadata__":' + b"[" * 10000), "__metadata__ to be an object"),
        ("escape", header(b'{"\\x":1}'), "expects a tensor's name"),
        ("surrogate", header(b'{"\\ud800":1}'), "expects a tensor's name"),
        ("utf8", header(b'{"\xff":1}'), "expects a tensor's name"),
        ("utf8-overlong", header(b'{"\xc0\xaf":1}'), "expects a tensor's name"),
        ("control", header(b'{"\n":1}'), "expects a tensor's name"),
        ("gguf-magic-only", b"GGUF", "the file ends in its version"),
        ("gguf-version", raw_gguf([], [], version=1), "version 2 or 3, but got 1"),
        ("gguf-big-endian", b"GGUF" + struct.pack(">IQQ", 3, 0, 0), "big-endian"),
        ("gguf-keys", b"GGUF" + struct.pack("<IQQ", 3, 0, 2**60), "do not fit in a file"),
        ("gguf-tensors", b"GGUF" + struct.pack("<IQQ", 3, 2**60, 0), "do not fit in a file"),
        ("gguf-string", raw_gguf([gguf_string("k") + struct.pack("<IQ", 8, 2**63)], []), "expects a string of at most"),
        ("gguf-key-length", raw_gguf([struct.pack("<Q", 70000) + bytes(70100)], []), "expects a key of at most 65535"),
        ("gguf-value-type", raw_gguf([gguf_string("k") + struct.pack("<I", 13) + eight], []), "its type 13 is not known"),
        ("gguf-bool", raw_gguf([gguf_string("k") + struct.pack("<IB", 7, 2)], []), "0 or 1, but got 2"),
        ("gguf-array-type", raw_gguf([gguf_string("k") + struct.pack("<IIQ", 9, 99, 0)], []), "type 99 of an array"),
        ("gguf-array", raw_gguf([gguf_string("k") + struct.pack("<IIQ", 9, 12, 2**61)], []), "does not fit in the"),
        ("gguf-nested", raw_gguf([nested], []), "at most 8 deep"),
        ("gguf-key-twice", raw_gguf([string, string], []), "key 'k' comes twice"),
        ("gguf-alignment", raw_gguf([gguf_key("general.alignment", 4, 24)], []), "power of two, but got 24"),
        ("gguf-alignment-0", raw_gguf([gguf_key("general.alignment", 4, 0)], []), "power of two, but got 0"),
        ("gguf-alignment-type", raw_gguf([gguf_key("general.alignment", 10, 32)], []), "of type u32, but got u64"),
        ("gguf-rank", raw_gguf([], [gguf_info("a", [1] * 5, 0, 0)]), "at most 4 dimensions, but got 5"),
        ("gguf-type", raw_gguf([], [gguf_info("a", [32], 99, 0)]), "tensor 'a': its type 99 is not known"),
        ("gguf-type-removed", raw_gguf([], [gguf_info("a", [32], 4, 0)]), "tensor 'a': its type 4 is not known"),
        ("gguf-block", raw_gguf([], [gguf_info("a", [48], 2, 0)], bytes(64)), "whole blocks of 32 numbers (Q4_0)"),
        ("gguf-product", raw_gguf([], [gguf_info("a", [2**40, 2**40], 0, 0)]), "less than 2^60 bytes"),
        ("gguf-offset", raw_gguf([], [gguf_info("a", [32], 2, 8)], bytes(64)), "that 32 divides, but got 8"),
        ("gguf-beyond", raw_gguf([], [q4], bytes(17)), "its 18 bytes at offset 0 do not lie in the 17"),
        ("gguf-far", raw_gguf([], [gguf_info("a", [32], 2, 2**64 - 32)], bytes(64)), "do not lie in the 64"),
        ("gguf-name-twice", raw_gguf([], [q4, q4], bytes(64)), "tensor 'a' comes twice"),
        ("gguf-overlap", raw_gguf([], [gguf_info("a", [64], 2, 0), gguf_info("b", [64], 2, 32)], bytes(128)),
         "tensor 'b' begins at byte"),
        ("gguf-no-data", raw_gguf([], [gguf_info("a", [32], 2, 32)]), "do not lie in the 0 bytes"),
    ]  # fmt: skip


def _patch(data: bytes, magic: bytes, offset: int, value: bytes) -> bytes:
    at = data.rfind(magic) + offset
    return data[:at] + value + data[at + len(value) :]


def bad_archives() -> List[Tuple[str, bytes, str]]:
    """ZIP archives that must be refused."""
    good, stored = archive({"a.npy": bytes(range(100)) + bytes(9)}), archive({"a.npy": b"x" * 100}, zipfile.ZIP_STORED)
    entry, end = b"PK\1\2", b"PK\5\6"
    two = archive({"a": b"1" * 200, "b": b"2" * 200}, zipfile.ZIP_STORED)
    second = two.rfind(b"PK\1\2") + 42
    return [
        ("empty", b"", "too short"), ("text", b"no archive at all, not even a short one", "it has no directory"),
        ("cut", good[:-30], "it has no directory"),
        ("directory", _patch(good, end, 16, struct.pack("<I", 2**31)), "does not fit"),
        ("members", _patch(good, end, 10, struct.pack("<H", 999)), "does not fit"),
        ("encrypted", _patch(good, entry, 8, b"\1"), "encrypted"), ("method", _patch(good, entry, 10, b"\x0c"), "method 12"),
        ("longer", _patch(good, entry, 24, struct.pack("<I", 110)), "cannot be inflated to 110"),
        ("shorter", _patch(good, entry, 24, struct.pack("<I", 108)), "cannot be inflated to 108"),
        ("huge", _patch(good, entry, 24, struct.pack("<I", 2**31)), "are more than"),
        ("sum", _patch(stored, entry, 16, b"\0\0\0\0"), "checksum"),
        ("beyond", _patch(stored, entry, 20, struct.pack("<II", 1000, 1000)), "do not lie before"),
        ("sizes", _patch(stored, entry, 20, struct.pack("<I", 50)), "another number of bytes"),
        ("zip64", _patch(stored, entry, 20, struct.pack("<I", 2**32 - 1)), "sizes of a large member"),
        ("name", _patch(stored, entry, 46, b"b"), "another name"),
        ("header", _patch(stored, entry, 42, struct.pack("<I", 5)), "expects its header"),
        ("twice", two[:second] + bytes(4) + two[second + 4 :], "another name"),
        ("garbage", good[:35] + b"\xff" * 5 + good[40:], "cannot be inflated"),
    ]  # fmt: skip


def write_corpus(folder: str) -> None:
    """Good and bad files, small ones, as starting points of a fuzzer."""
    metadata = [("general.name", 8, "x"), ("a.b", 9, (8, ["one", "two"])), ("a.n", 9, (9, [(7, [True]), (4, [1, 2])]))]
    metadata += [(f"k{kind}", kind, 1) for kind in (0, 1, 2, 3, 4, 5, 6, 7, 10, 11, 12)]
    blocks = [(name.lower(), name, [size], bytes(length)) for name, (_, size, length) in GGUF_BLOCKS.items()]
    plain = [(name, name, [2, 4], bytes(SAFETENSORS_BITS[name])) for name in SAFETENSORS_BITS]
    good = {
        "safetensors": safetensors(plain, {"format": "pt", "\u00e9\n\U0001F600": "\\\"/"}), "nothing": safetensors([]),
        "gguf": gguf(blocks, metadata), "gguf2": gguf(blocks[:3], [], 2, 8), "stored": archive({"a.npy": b"abc"}, 0),
        "deflated": archive({"a.npy": b"abc" * 50, "b.npy": b""}), "large": archive({"a": b"abc"}, force64=True),
    }  # fmt: skip
    for name, header in (
        ("npy", "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }"), ("npy-order", "{'descr': '>i2', 'fortran_order': True, 'shape': (3, 4)}"),
        ("npy-scalar", "{'descr': '|b1', 'fortran_order': False, 'shape': ()}"), ("npy-void", "{'descr': '<V2', 'fortran_order': False, 'shape': (12,)}"),
    ):  # fmt: skip
        good[name] = b"\x93NUMPY\1\0" + struct.pack("<H", len(header)) + header.encode() + bytes(24)
    good["npz"] = archive({"a.npy": good["npy"]})
    files = list(good.items()) + [(f"bad-{name}", data) for name, data, _ in bad_files() + bad_archives()]
    for name, data in files:
        with open(os.path.join(folder, name), "wb") as file:
            file.write(data)
