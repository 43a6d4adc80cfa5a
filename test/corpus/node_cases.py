# This file is part of the Sectile project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Well-formed files whose nodes make no sense: types, shapes, attributes, constants."""

from __future__ import annotations

import struct
from typing import Dict

from messages import (
    BOOL, FLOAT, INT8, INT64, STRING, UINT8, attribute, graph, int64s, model, node, number, single,
    tensor, value, zeros,
)  # fmt: skip

BIG = 2**63 - 1


def _with_weight(weight: bytes) -> bytes:
    """x + w with the given initialiser."""
    return model(graph([node("Add", ["x", "w"], ["y"])], [value("x")], [value("y")], [weight]))


def _constant(*attributes: bytes) -> bytes:
    nodes = [node("Constant", [], ["c"], *attributes), node("Add", ["x", "c"], ["y"])]
    return model(graph(nodes, [value("x")], [value("y")]))


def _window(op: str, x: tuple, w: tuple, *attributes: bytes) -> bytes:
    return single(op, [x], *attributes, constants=[zeros("w", *w)], names=["w"])


def _pool(x: tuple, *attributes: bytes) -> bytes:
    return single("MaxPool", [x], *attributes)


def _initializers() -> Dict[str, bytes]:
    return {
        "initializer-shorter": _with_weight(tensor("w", [2, 3], raw=bytes(20))),
        "initializer-longer": _with_weight(tensor("w", [2, 3], raw=bytes(28))),
        "initializer-odd-bytes": _with_weight(tensor("w", [3], raw=bytes(11))),
        "initializer-no-data": _with_weight(tensor("w", [2, 3])),
        "initializer-floats-shorter": _with_weight(tensor("w", [3], floats=[1.0, 2.0])),
        "initializer-floats-longer": _with_weight(tensor("w", [3], floats=[1.0] * 4)),
        "initializer-in-wrong-field": _with_weight(tensor("w", [3], ints=[1, 2, 3])),
        "initializer-negative": _with_weight(tensor("w", [-3], raw=bytes(12))),
        "initializer-overflow": _with_weight(tensor("w", [2**32, 2**32], raw=bytes(8))),
        "initializer-overflow-to-4": _with_weight(tensor("w", [2**62, 4, 3], raw=bytes(0))),
        "initializer-huge": _with_weight(tensor("w", [2**40], raw=bytes(12))),
        "initializer-type-0": _with_weight(tensor("w", [3], 0, raw=bytes(12))),
        "initializer-type-77": _with_weight(tensor("w", [3], 77, raw=bytes(12))),
        "initializer-string": _with_weight(tensor("w", [1], STRING, extra=b"\x32\x01a")),
        "initializer-segment": _with_weight(
            tensor("w", [3], raw=bytes(12), extra=b"\x1a\x04\x08\x00\x10\x06")
        ),
        "constant-without-value": _constant(),
        "constant-with-two-values": _constant(
            attribute("value_int", i=1), attribute("value_float", f=1.0)
        ),
        "constant-string": _constant(attribute("value_string", s="text")),
        "constant-sparse": _constant(attribute("sparse_value", kind=11, extra=b"\xb2\x01\x00")),
        "constant-shorter": _constant(attribute("value", t=tensor("", [2, 3], raw=bytes(4)))),
    }


def _attributes() -> Dict[str, bytes]:
    two = dict(dims=[(2, 3), (2, 3)])
    return {
        "axis-as-float": single("Softmax", [(2, 3)], attribute("axis", f=1.0)),
        "axis-as-string": single("Softmax", [(2, 3)], attribute("axis", s="1")),
        "axis-as-list": single("Softmax", [(2, 3)], attribute("axis", ints=[1])),
        "axis-with-wrong-type-field": single("Softmax", [(2, 3)], attribute("axis", i=1, kind=4)),
        "axis-without-type": single("Softmax", [(2, 3)], attribute("axis", i=1, kind=99)),
        "axis-twice": single("Softmax", [(2, 3)], attribute("axis", i=0), attribute("axis", i=1)),
        "axis-out-of-range": single("Softmax", [(2, 3)], attribute("axis", i=2)),
        "axis-far-out-of-range": single("Softmax", [(2, 3)], attribute("axis", i=-(2**63))),
        "axis-missing": single("Concat", **two),
        "concat-axis-out-of-range": single("Concat", [(2, 3), (2, 3)], attribute("axis", i=5)),
        "perm-as-int": single("Transpose", [(2, 3)], attribute("perm", i=1)),
        "perm-repeats": single("Transpose", [(2, 3)], attribute("perm", ints=[0, 0])),
        "perm-out-of-range": single("Transpose", [(2, 3)], attribute("perm", ints=[0, 2])),
        "perm-negative": single("Transpose", [(2, 3)], attribute("perm", ints=[-1, 0])),
        "perm-too-short": single("Transpose", [(2, 3)], attribute("perm", ints=[0])),
        "cast-without-to": single("Cast", [(2, 3)]),
        "cast-to-77": single("Cast", [(2, 3)], attribute("to", i=77)),
        "cast-to-string": single("Cast", [(2, 3)], attribute("to", i=STRING)),
        "flatten-axis-out-of-range": single("Flatten", [(2, 3)], attribute("axis", i=4)),
        "layernorm-axis-out-of-range": single(
            "LayerNormalization",
            [(2, 3)],
            attribute("axis", i=3),
            constants=[zeros("w", 3)],
            names=["w"],
        ),
        "reference-outside-function": single(
            "Softmax", [(2, 3)], attribute("axis", kind=2, extra=b"\xaa\x01\x01q")
        ),
    }


def _arity() -> Dict[str, bytes]:
    return {
        "too-few-inputs": single("Add", [(2, 3)]),
        "no-inputs": single("Relu", []),
        "too-many-inputs": single("Relu", [(2, 3), (2, 3)]),
        "too-many-outputs": single("Relu", [(2, 3)], outputs=("y", "z")),
        "required-input-empty": single("Add", [(2, 3)], names=[""]),
        "split-of-5-into-2-even": single("Split", [(5,)], outputs=("a", "b"), version=13),
        "split-sizes-wrong": single(
            "Split", [(5,)], constants=[int64s("s", 2, 4)], names=["s"], outputs=("a", "b")
        ),
        "split-sizes-negative": single(
            "Split", [(5,)], constants=[int64s("s", 6, -1)], names=["s"], outputs=("a", "b")
        ),
        "split-sizes-too-few": single(
            "Split", [(5,)], constants=[int64s("s", 5)], names=["s"], outputs=("a", "b")
        ),
    }


def _types_and_shapes() -> Dict[str, bytes]:
    def reshape(*target: int) -> bytes:
        return single("Reshape", [(2, 3)], constants=[int64s("s", *target)], names=["s"])

    def constant_of_shape(*dims: int) -> bytes:
        return single("ConstantOfShape", [], constants=[int64s("s", *dims)], names=["s"])

    def range_(kind: str, *limits: float) -> bytes:
        code, element = {"f": ("<f", FLOAT), "q": ("<q", INT64)}[kind]
        values = [tensor(n, [], element, raw=struct.pack(code, v)) for n, v in zip("abc", limits)]
        return single("Range", [], constants=values, names=["a", "b", "c"], kind=element)

    def slice_(start: int, end: int, axis: int, step: int) -> bytes:
        values = [int64s(n, v) for n, v in zip("abcd", (start, end, axis, step))]
        return single("Slice", [(2, 3)], constants=values, names=["a", "b", "c", "d"])

    def axes(op: str, *values: int) -> bytes:
        return single(op, [(2, 1, 3)], constants=[int64s("s", *values)], names=["s"])

    return {
        "types-differ": single("Add", [(2, 3), (2, 3)], kinds=[FLOAT, INT64]),
        "type-not-allowed": single("Erf", [(2, 3)], kind=BOOL),
        "where-condition-float": single("Where", [(2, 3), (2, 3), (2, 3)]),
        "gather-indices-float": single("Gather", [(2, 3), (2,)]),
        "reshape-target-float": single("Reshape", [(2, 3), (2,)]),
        "broadcast-3-and-4": single("Add", [(2, 3), (2, 4)]),
        "matmul-inner-sizes": single("MatMul", [(2, 3), (4, 5)]),
        "matmul-batch-sizes": single("MatMul", [(2, 2, 3), (3, 3, 5)]),
        "matmul-rank-0": single("MatMul", [(), (3, 5)]),
        "gemm-rank-3": single("Gemm", [(2, 3, 4), (4, 5)]),
        "gemm-bias": single("Gemm", [(2, 3), (3, 5), (7,)]),
        "concat-sizes": single("Concat", [(2, 3), (3, 4)], attribute("axis", i=0)),
        "concat-ranks": single("Concat", [(2, 3), (2, 3, 1)], attribute("axis", i=0)),
        "expand-incompatible": single(
            "Expand", [(2, 3)], constants=[int64s("s", 2, 4)], names=["s"]
        ),
        "expand-negative": single("Expand", [(2, 3)], constants=[int64s("s", -2, 3)], names=["s"]),
        "expand-overflow": single(
            "Expand", [(1, 1)], constants=[int64s("s", 2**40, 2**40)], names=["s"]
        ),
        "reshape-count": reshape(4),
        "reshape-two-wildcards": reshape(-1, -1),
        "reshape-negative": reshape(-2, 3),
        "reshape-wildcard-not-integral": reshape(4, -1),
        "reshape-zero-out-of-range": reshape(2, 3, 0),
        "reshape-overflow": reshape(2**33, 2**33, -1),
        "squeeze-size-2": axes("Squeeze", 0),
        "squeeze-axis-out-of-range": axes("Squeeze", 3),
        "squeeze-axis-twice": axes("Squeeze", 1, 1),
        "unsqueeze-axis-twice": axes("Unsqueeze", 1, 1),
        "unsqueeze-axis-out-of-range": axes("Unsqueeze", 9),
        "slice-step-0": slice_(0, 2, 0, 0),
        "slice-axis-out-of-range": slice_(0, 2, 7, 1),
        "gather-axis-out-of-range": single(
            "Gather", [(2, 3), (2,)], attribute("axis", i=2), kinds=[FLOAT, INT64]
        ),
        "constant-of-shape-huge": constant_of_shape(2**40),
        "constant-of-shape-overflow": constant_of_shape(2**32, 2**32, 2**32),
        "constant-of-shape-negative": constant_of_shape(-5),
        "constant-of-shape-two-values": single(
            "ConstantOfShape",
            [],
            attribute("value", t=tensor("", [2], floats=[1.0, 2.0])),
            constants=[int64s("s", 3)],
            names=["s"],
        ),
        "range-step-0": range_("q", 0, 5, 0),
        "range-huge": range_("q", 0, BIG, 1),
        "range-not-finite": range_("f", 0, float("inf"), 1),
        "batchnorm-sizes": single("BatchNormalization", [(1, 4, 2, 2), (4,), (4,), (4,), (5,)]),
        "layernorm-scale-size": single("LayerNormalization", [(2, 3), (4,)]),
        "quantize-scale-size": single("QuantizeLinear", [(2, 3), (4,)], kind=FLOAT),
        "dequantize-zero-type": single(
            "DequantizeLinear", [(2, 3), (), ()], kinds=[UINT8, FLOAT, INT8]
        ),
    }


def _windows() -> Dict[str, bytes]:
    image, filters = (1, 3, 8, 8), (4, 3, 3, 3)
    kernel = attribute("kernel_shape", ints=[3, 3])

    def with_ints(name: str, *values: int) -> bytes:
        return _window("Conv", image, filters, attribute(name, ints=values))

    return {
        "conv-weight-rank": _window("Conv", image, (4, 3, 3)),
        "conv-weight-rank-1": _window("Conv", image, (4,)),
        "conv-image-rank-2": _window("Conv", (1, 3), filters),
        "conv-channels": _window("Conv", image, (4, 5, 3, 3)),
        "conv-group-0": _window("Conv", image, filters, attribute("group", i=0)),
        "conv-group-negative": _window("Conv", image, filters, attribute("group", i=-1)),
        "conv-group-not-dividing": _window("Conv", image, filters, attribute("group", i=2)),
        "conv-group-huge": _window("Conv", image, filters, attribute("group", i=BIG)),
        "conv-stride-0": with_ints("strides", 0, 1),
        "conv-stride-negative": with_ints("strides", -1, 1),
        "conv-strides-too-few": with_ints("strides", 1),
        "conv-dilation-0": with_ints("dilations", 0, 0),
        "conv-dilation-huge": with_ints("dilations", BIG, BIG),
        "conv-pads-overflow": with_ints("pads", BIG, BIG, BIG, BIG),
        "conv-pads-huge": with_ints("pads", 2**31, 2**31, 2**31, 2**31),
        "conv-pads-too-few": with_ints("pads", 1, 1),
        "conv-pads-odd": with_ints("pads", 1, 1, 1, 1, 1),
        "conv-kernel-shape-differs": with_ints("kernel_shape", 5, 5),
        "conv-kernel-shape-negative": with_ints("kernel_shape", -3, 3),
        "conv-image-too-small": _window("Conv", (1, 3, 2, 2), filters),
        "conv-auto-pad-unknown": _window("Conv", image, filters, attribute("auto_pad", s="MAYBE")),
        "conv-bias-size": single(
            "Conv", [image], constants=[zeros("w", *filters), zeros("b", 5)], names=["w", "b"]
        ),
        "convtranspose-stride-0": _window(
            "ConvTranspose", image, (3, 4, 2, 2), attribute("strides", ints=[0, 0])
        ),
        "convtranspose-stride-huge": _window(
            "ConvTranspose", image, (3, 4, 2, 2), attribute("strides", ints=[2**62, 2**62])
        ),
        "convtranspose-pads-huge": _window(
            "ConvTranspose", image, (3, 4, 2, 2), attribute("pads", ints=[50, 50, 50, 50])
        ),
        "convtranspose-channels": _window("ConvTranspose", image, (5, 4, 2, 2)),
        "pool-without-kernel": _pool(image),
        "pool-kernel-0": _pool(image, attribute("kernel_shape", ints=[0, 0])),
        "pool-kernel-negative": _pool(image, attribute("kernel_shape", ints=[-1, 3])),
        "pool-kernel-rank": _pool(image, attribute("kernel_shape", ints=[3])),
        "pool-kernel-too-large": _pool(image, attribute("kernel_shape", ints=[9, 9])),
        "pool-stride-0": _pool(image, kernel, attribute("strides", ints=[0, 0])),
        "pool-stride-overflow": _pool(image, kernel, attribute("strides", ints=[-(2**63), 1])),
    }


def refused() -> Dict[str, bytes]:
    """Models by name; each has to be refused."""
    cases: Dict[str, bytes] = {}
    for part in (_initializers, _attributes, _arity, _types_and_shapes, _windows):
        cases.update(part())
    return cases


def survived() -> Dict[str, bytes]:
    """Models that may be accepted or refused, but must not crash or exhaust anything."""
    return {
        "initializer-not-minimal": _with_weight(
            tensor("w", [3], floats=[1.0] * 3, extra=number(14, 0))
        ),
        "slice-bounds-extreme": single(
            "Slice",
            [(2, 3)],
            constants=[int64s("a", -(2**63)), int64s("b", BIG), int64s("c", 1), int64s("d", BIG)],
            names=["a", "b", "c", "d"],
        ),
        "slice-step-extreme": single(
            "Slice",
            [(2, 3)],
            constants=[
                int64s("a", BIG),
                int64s("b", -(2**63)),
                int64s("c", 1),
                int64s("d", -(2**63)),
            ],
            names=["a", "b", "c", "d"],
        ),
        "gather-constant-index-out-of-range": single(
            "Gather", [(2, 3)], constants=[int64s("i", 9)], names=["i"]
        ),
        "integer-division-by-zero": single(
            "Div", [(2,)], constants=[int64s("z", 0, 0)], names=["z"], kind=INT64
        ),
        "pool-pads-cover-windows": _pool(
            (1, 1, 2, 2),
            attribute("kernel_shape", ints=[1, 1]),
            attribute("pads", ints=[3, 3, 3, 3]),
        ),
        "value-info-of-symbol-conflict": model(
            graph(
                [node("Add", ["x0", "x1"], ["y"])],
                [value("x0", ("n", 3)), value("x1", ("m", 3))],
                [value("y", ("n", 3))],
            )
        ),
    }
