# This file is part of the Sectile project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Writes ONNX messages byte by byte, so that they may be as wrong as a test needs.

Each function returns the encoded bytes of one message. Nothing is checked.
"""

from __future__ import annotations

import struct
from typing import Dict, Iterable, Optional, Sequence, Union

Text = Union[str, bytes]

FLOAT, UINT8, INT8, INT32, INT64, STRING, BOOL, DOUBLE = 1, 2, 3, 6, 7, 8, 9, 11


def varint(value: int) -> bytes:
    """A base-128 number; negative ones as 64-bit two's complement."""
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def number(field: int, value: int) -> bytes:
    """An integer field."""
    return varint(field << 3) + varint(value)


def data(field: int, value: Text) -> bytes:
    """A string, bytes or message field."""
    content = value.encode() if isinstance(value, str) else value
    return varint(field << 3 | 2) + varint(len(content)) + content


def claims(field: int, length: int, value: bytes = b"") -> bytes:
    """A field that says it holds `length` bytes and holds `value`."""
    return varint(field << 3 | 2) + varint(length) + value


def real(field: int, value: float) -> bytes:
    """A float field."""
    return varint(field << 3 | 5) + struct.pack("<f", value)


def join(field: int, values: Iterable[Text]) -> bytes:
    """A repeated string, bytes or message field."""
    return b"".join(data(field, value) for value in values)


def tensor(
    name: Text, dims: Sequence[int], kind: int = FLOAT, raw: Optional[bytes] = None,
    floats: Sequence[float] = (), ints: Sequence[int] = (), external: Optional[Dict[str, Text]] = None,
    extra: bytes = b"",
) -> bytes:  # fmt: skip
    """A TensorProto; `ints` go to int64_data, `external` to external_data."""
    out = b"".join(number(1, d) for d in dims) + number(2, kind)
    if floats:
        out += data(4, struct.pack(f"<{len(floats)}f", *floats))
    if ints:
        out += data(7, b"".join(varint(i) for i in ints))
    out += data(8, name)
    if raw is not None:
        out += data(9, raw)
    if external is not None:
        out += join(13, (data(1, k) + data(2, v) for k, v in external.items())) + number(14, 1)
    return out + extra


def int64s(name: str, *values: int) -> bytes:
    """A one-dimensional int64 TensorProto."""
    return tensor(name, [len(values)], INT64, raw=struct.pack(f"<{len(values)}q", *values))


def zeros(name: str, *dims: int) -> bytes:
    """A float TensorProto of zeros."""
    count = 1
    for dim in dims:
        count *= dim
    return tensor(name, dims, raw=bytes(4 * count))


def attribute(
    name: Text, i: Optional[int] = None, f: Optional[float] = None, s: Optional[Text] = None,
    t: Optional[bytes] = None, g: Optional[bytes] = None, ints: Optional[Sequence[int]] = None,
    kind: Optional[int] = None, extra: bytes = b"",
) -> bytes:  # fmt: skip
    """An AttributeProto; `kind` replaces the type that fits the value."""
    out, fitting = data(1, name), 0
    if f is not None:
        out, fitting = out + real(2, f), 1
    if i is not None:
        out, fitting = out + number(3, i), 2
    if s is not None:
        out, fitting = out + data(4, s), 3
    if t is not None:
        out, fitting = out + data(5, t), 4
    if g is not None:
        out, fitting = out + data(6, g), 5
    if ints is not None:
        out, fitting = out + b"".join(number(8, v) for v in ints), 7
    return out + number(20, fitting if kind is None else kind) + extra


def node(
    op: Text, inputs: Sequence[Text], outputs: Sequence[Text], *attributes: bytes,
    name: Text = "node", domain: Text = "",
) -> bytes:  # fmt: skip
    """A NodeProto."""
    out = join(1, inputs) + join(2, outputs) + data(3, name) + data(4, op) + join(5, attributes)
    return out + (data(7, domain) if domain else b"")


def value(
    name: Text, dims: Optional[Sequence[Union[int, str]]] = (2, 3), kind: int = FLOAT
) -> bytes:
    """A ValueInfoProto of a tensor; strings are symbols, None leaves the shape out."""
    kind_bytes = number(1, kind)
    if dims is not None:
        sizes = (data(2, d) if isinstance(d, str) else number(1, d) for d in dims)
        kind_bytes += data(2, join(1, sizes))
    return data(1, name) + data(2, data(1, kind_bytes))


def graph(
    nodes: Sequence[bytes], inputs: Sequence[bytes], outputs: Sequence[bytes],
    initializers: Sequence[bytes] = (), extra: bytes = b"",
) -> bytes:  # fmt: skip
    """A GraphProto."""
    return (
        join(1, nodes) + data(2, "graph") + join(5, initializers) + join(11, inputs)
        + join(12, outputs) + extra
    )  # fmt: skip


def opset(version: int = 17, domain: Text = "") -> bytes:
    """An OperatorSetIdProto."""
    return data(1, domain) + number(2, version)


def model(
    content: bytes, opsets: Optional[Sequence[bytes]] = None, functions: Sequence[bytes] = (),
    extra: bytes = b"",
) -> bytes:  # fmt: skip
    """A ModelProto."""
    imports = [opset()] if opsets is None else opsets
    return (
        number(1, 8) + data(2, "corpus") + data(7, content) + join(8, imports)
        + join(25, functions) + extra
    )  # fmt: skip


def function(
    name: str, nodes: Sequence[bytes], inputs: Sequence[str], outputs: Sequence[str]
) -> bytes:
    """A FunctionProto in the domain `local`."""
    return (
        data(1, name) + join(4, inputs) + join(5, outputs) + join(7, nodes) + data(9, opset())
        + data(9, opset(1, "local")) + data(10, "local")
    )  # fmt: skip


def single(
    op: Text, dims: Sequence[Sequence[Union[int, str]]], *attributes: bytes,
    constants: Sequence[bytes] = (), names: Sequence[str] = (), kind: int = FLOAT,
    kinds: Optional[Sequence[int]] = None, outputs: Sequence[str] = ("y",), version: int = 17,
) -> bytes:  # fmt: skip
    """A model of one node: inputs x0, x1, ... of the given shapes, then the constants `names`."""
    xs = [f"x{i}" for i in range(len(dims))]
    types = kinds or [kind] * len(dims)
    inputs = [value(x, d, k) for x, d, k in zip(xs, dims, types)]
    content = graph(
        [node(op, xs + list(names), outputs, *attributes)], inputs,
        [value(o, None, kind) for o in outputs], constants,
    )  # fmt: skip
    return model(content, [opset(version)])
