# This file is part of the Sectile project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Models of tier-1 operators at an opset of choice, made without ONNX's own schemas.

Inputs are of static shape, or with symbols for the first extent of each case's first input.

Debian's python3-onnx knows opsets up to 17, but a model is only a protobuf: `make_models(opset)` writes
all cases that the opset has into two models, one of operators and one of quantisation, whose integers
are judged by another rule. Every case has outputs of its own, called by its name.
"""

from __future__ import annotations

import re
from typing import Any, Dict, List, Optional, Sequence, Tuple, Union

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from sectile_reference import run as evaluate

Array = np.ndarray


class Const:
    """A tensor that the model holds, as against an input."""

    def __init__(self, values: Any, dtype: Any = np.int64) -> None:
        self.array = np.asarray(values, dtype)


class Builder:
    """Collects cases into one graph."""

    def __init__(self, opset: int, dynamic: bool, draw: int) -> None:
        self.opset, self.dynamic = opset, dynamic
        self.nodes: List[onnx.NodeProto] = []
        self.inputs: Dict[str, Array] = {}
        self.constants: List[onnx.TensorProto] = []
        self.outputs: List[str] = []
        self.random = np.random.default_rng(opset if draw == 0 else [opset, draw])

    def floats(self, *shape: int, dtype: Any = np.float32) -> Array:
        """Normal values."""
        return self.random.standard_normal(shape).astype(dtype)

    def integers(self, *shape: int, low: int = -9, high: int = 10, dtype: Any = np.int32) -> Array:
        """Uniform values in [low, high)."""
        return self.random.integers(low, high, shape).astype(dtype)

    def value(self, case: str, place: int, operand: Union[Array, Const, str, None]) -> str:
        """The name of an operand: an array becomes an input, None stands for an absent one."""
        if operand is None:
            return ""
        if isinstance(operand, str):
            return operand
        name = f"{case}.{place}"
        if isinstance(operand, Const):
            self.constants.append(numpy_helper.from_array(operand.array, name))
        else:
            self.inputs[name] = operand
        return name

    def add(
        self, case: str, op: str, *operands: Union[Array, Const, str, None], outputs: int = 1,
        hidden: bool = False, since: int = 1, **attributes: Any,
    ) -> Optional[str]:  # fmt: skip
        """One node, and unless hidden its results as outputs; the name of the first. A case of a later
        opset is left out."""
        if self.opset < since:
            return None
        names = [self.value(case, i, operand) for i, operand in enumerate(operands)]
        results = [case if i == 0 else f"{case}:{i}" for i in range(outputs)]
        self.nodes.append(helper.make_node(op, names, results, name=case, **attributes))
        if not hidden:
            self.outputs += results
        return case

    def model(self) -> Tuple[onnx.ModelProto, Dict[str, Array]]:
        """The model and its inputs. Outputs get the types that the reference computes."""
        inputs = []
        for name, array in self.inputs.items():
            shape: List[Union[int, str]] = list(array.shape)
            if self.dynamic and shape and name.endswith(".0"):
                shape[0] = re.sub(r"\W", "_", name)
            kind = numpy_helper.from_array(array).data_type
            inputs.append(helper.make_tensor_value_info(name, kind, shape))
        outputs = [helper.make_empty_tensor_value_info(name) for name in self.outputs]
        graph = helper.make_graph(self.nodes, "opset", inputs, outputs, self.constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)])
        model.ir_version = 8 if self.opset < 19 else 10
        results = evaluate(model, self.inputs)
        del model.graph.output[:]
        for name, tensor in results.items():
            # With dynamic inputs the ranks are all that is known without inference.
            shape = [None] * tensor.array.ndim if self.dynamic else tensor.array.shape
            model.graph.output.append(helper.make_tensor_value_info(name, tensor.kind, shape))
        return model, self.inputs


def _elementwise(b: Builder) -> None:
    x, y = b.floats(3, 1, 35), b.floats(4, 35)
    for op in ("Identity", "Neg", "Erf", "Tanh", "Sigmoid", "Relu", "Reciprocal"):
        b.add(op, op, b.floats(3, 37))
    b.add("Sqrt", "Sqrt", np.abs(b.floats(3, 37)))
    for op in ("Add", "Sub", "Mul", "Div"):
        b.add(op, op, x, y)
        b.add(f"{op}.f64", op, b.floats(5, 9, dtype=np.float64), b.floats(9, dtype=np.float64))
        b.add(f"{op}.f16", op, b.floats(5, 9, dtype=np.float16), b.floats(9, dtype=np.float16))
        b.add(f"{op}.i64", op, b.integers(5, 9, dtype=np.int64), Const(7))
        b.add(f"{op}.u8", op, b.integers(5, 9, low=1, dtype=np.uint8), Const(3, np.uint8))
    b.add("Pow", "Pow", np.abs(x), y)
    b.add("Pow.square", "Pow", x, Const(2.0, np.float32))
    b.add("Pow.i", "Pow", x, b.integers(4, 35, low=0, high=4))
    b.add("Equal.f", "Equal", b.integers(6, 30).astype(np.float32), b.integers(30).astype(np.float32))
    b.add("Equal.i", "Equal", b.integers(6, 30), b.integers(30))
    b.add("Equal.b", "Equal", b.integers(6, 30) > 0, b.integers(30) > 0)
    b.add("Where", "Where", b.integers(6, 30) > 0, b.floats(30), b.floats(6, 1))
    b.add("Clip", "Clip", b.floats(6, 30), Const(-0.5, np.float32), Const(0.25, np.float32))
    b.add("Clip.max", "Clip", b.floats(6, 30), None, Const(0.25, np.float32))
    b.add("Clip.i", "Clip", b.integers(6, 30), Const(-3, np.int32), Const(4, np.int32))
    # A float outside of an integer's range has no defined value there.
    wide = np.clip(b.floats(6, 30) * 100, -127, 127)
    for name, kind in (("f16", TensorProto.FLOAT16), ("bf16", TensorProto.BFLOAT16), ("b", TensorProto.BOOL),
                       ("f64", TensorProto.DOUBLE), ("i8", TensorProto.INT8), ("i32", TensorProto.INT32),
                       ("i64", TensorProto.INT64)):  # fmt: skip
        narrow = b.add(f"Cast.{name}", "Cast", wide, to=kind, hidden=name == "bf16")
        if name == "bf16":
            b.add("Cast.from.bf16", "Cast", narrow, to=TensorProto.FLOAT)
    # Says nothing of wider types than 8-bit floats.
    b.add("Cast.saturate", "Cast", wide * 1e5, to=TensorProto.FLOAT16, saturate=0, since=19)
    b.add("Cast.from.i", "Cast", b.integers(6, 30), to=TensorProto.FLOAT)
    b.add("Cast.from.b", "Cast", b.integers(6, 30) > 0, to=TensorProto.FLOAT)


def _products(b: Builder) -> None:
    b.add("MatMul", "MatMul", b.floats(13, 21), b.floats(21, 30))
    b.add("MatMul.batch", "MatMul", b.floats(2, 1, 13, 21), b.floats(3, 21, 30))
    b.add("MatMul.vector", "MatMul", b.floats(21), b.floats(3, 21, 30))
    b.add("MatMul.const", "MatMul", b.floats(13, 21), Const(b.floats(21, 30), np.float32))
    b.add("Gemm", "Gemm", b.floats(13, 21), b.floats(21, 30), b.floats(30))
    b.add("Gemm.trans", "Gemm", b.floats(21, 13), b.floats(30, 21), b.floats(13, 1),
          transA=1, transB=1, alpha=0.5, beta=2.0)  # fmt: skip
    b.add("Gemm.plain", "Gemm", b.floats(13, 21), b.floats(21, 30))
    image, bias = b.floats(2, 6, 11, 12), b.floats(8)
    b.add("Conv", "Conv", image, b.floats(8, 6, 3, 3), bias, pads=[1, 0, 2, 1], strides=[2, 1])
    b.add("Conv.group", "Conv", image, b.floats(8, 3, 3, 2), group=2, dilations=[2, 3])
    b.add("Conv.depthwise", "Conv", image, b.floats(6, 1, 3, 3), group=6, auto_pad="SAME_UPPER")
    b.add("Conv.1d", "Conv", b.floats(2, 6, 17), b.floats(4, 6, 3), strides=[2])
    b.add("ConvTranspose", "ConvTranspose", image, b.floats(6, 4, 3, 3), strides=[2, 3], pads=[1, 0, 1, 2],
          output_padding=[1, 0])  # fmt: skip
    b.add("ConvTranspose.group", "ConvTranspose", image, b.floats(6, 2, 3, 3), group=3)


def _reductions(b: Builder) -> None:
    x = b.floats(3, 5, 37)
    for axis in (-1, 1):
        b.add(f"Softmax.{axis}", "Softmax", x, axis=axis)
    b.add("Softmax.default", "Softmax", x)
    b.add("LayerNormalization", "LayerNormalization", x, b.floats(37), b.floats(37))
    b.add("LayerNormalization.axis", "LayerNormalization", x, b.floats(5, 37), axis=1, epsilon=1e-3)
    b.add("LayerNormalization.all", "LayerNormalization", x, b.floats(37), b.floats(37), outputs=3)
    image = b.floats(2, 6, 7, 9)
    b.add("InstanceNormalization", "InstanceNormalization", image, b.floats(6), b.floats(6))
    b.add("BatchNormalization", "BatchNormalization", image, b.floats(6), b.floats(6), b.floats(6),
          np.abs(b.floats(6)) + 0.1, epsilon=1e-4)  # fmt: skip
    if b.opset >= 18:
        b.add("ReduceMean", "ReduceMean", x, Const([-1, 0]))
        b.add("ReduceMean.drop", "ReduceMean", x, Const([1]), keepdims=0)
        b.add("ReduceMean.noop", "ReduceMean", x, noop_with_empty_axes=1)
        b.add("ReduceMean.empty", "ReduceMean", x, Const([]), noop_with_empty_axes=1)
    else:
        b.add("ReduceMean", "ReduceMean", x, axes=[-1, 0])
    # One number of a peer's is no measure of its error: exact sums leave one rounding.
    b.add("ReduceMean.all", "ReduceMean", b.integers(5, 9).astype(np.float32))
    b.add("ReduceMean.i", "ReduceMean", b.integers(4, 9, dtype=np.int32))
    b.add("GlobalAveragePool", "GlobalAveragePool", image)
    b.add("MaxPool", "MaxPool", image, kernel_shape=[3, 2], strides=[2, 2], pads=[1, 0, 1, 1])
    b.add("MaxPool.ceil", "MaxPool", image, kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1)
    b.add("MaxPool.dilated", "MaxPool", image, kernel_shape=[2, 2], dilations=[2, 3])
    b.add("MaxPool.u8", "MaxPool", b.integers(1, 2, 8, 8, low=0, high=255, dtype=np.uint8),
          kernel_shape=[3, 3])  # fmt: skip


def _orders(b: Builder) -> None:
    x = b.floats(3, 5, 37)
    for axis in (0, 1, -1):
        b.add(f"CumSum.{axis}", "CumSum", x, Const(axis))
    b.add("CumSum.reverse", "CumSum", x, Const(-1), reverse=1)
    b.add("CumSum.exclusive", "CumSum", x, Const(2), exclusive=1)
    b.add("CumSum.both", "CumSum", x, Const([1]), exclusive=1, reverse=1)
    b.add("CumSum.i64", "CumSum", b.integers(4, 70, dtype=np.int64), Const(1), reverse=1)
    b.add("CumSum.i32", "CumSum", b.integers(19, 70), Const(0), exclusive=1)
    # The reference adds up in f64 itself, and no peer's error in 16 bits is a measure: sums of these
    # are exact.
    b.add("CumSum.f64", "CumSum", b.integers(70).astype(np.float64), Const(0))
    b.add("CumSum.f16", "CumSum", b.integers(5, 33).astype(np.float16), Const(1))


def _scatters(b: Builder) -> None:
    x, rows = b.floats(6, 5, 37), b.integers(4, 1, low=-6, high=6, dtype=np.int64)
    # The reference takes the last of several updates too, but which that is ONNX does not say.
    once = Const(b.random.permutation(6)[:4, None])
    b.add("ScatterND", "ScatterND", x, once, b.floats(4, 5, 37))
    b.add("ScatterND.add", "ScatterND", b.integers(6, 5, 37).astype(np.float32), rows,
          b.integers(4, 5, 37).astype(np.float32), reduction="add")  # fmt: skip
    b.add("ScatterND.max", "ScatterND", x, rows, b.floats(4, 5, 37), reduction="max")
    pairs = b.integers(3, 7, 2, low=-5, high=5, dtype=np.int64)
    b.add("ScatterND.mul", "ScatterND", b.integers(6, 5, 9), pairs, b.integers(3, 7, 9), reduction="mul")
    b.add("ScatterND.elements", "ScatterND", b.integers(6, 5), pairs, b.integers(3, 7), reduction="add")
    columns = b.integers(6, 5, 20, low=-37, high=37, dtype=np.int64)
    b.add("ScatterElements.max", "ScatterElements", x, columns, b.floats(6, 5, 20), axis=-1, reduction="max")
    b.add("ScatterElements.min", "ScatterElements", x, b.integers(9, 4, 30, low=-6, high=6),
          b.floats(9, 4, 30), reduction="min")  # fmt: skip
    b.add("ScatterElements.add", "ScatterElements", b.integers(6, 50, dtype=np.int64),
          b.integers(6, 70, low=-50, high=50, dtype=np.int64), b.integers(6, 70, dtype=np.int64),
          axis=1, reduction="add")  # fmt: skip
    b.add("ScatterElements.few", "ScatterElements", b.integers(9, 130), b.integers(30, 18, low=-9, high=9),
          b.integers(30, 18), reduction="add")  # fmt: skip
    b.add("ScatterElements", "ScatterElements", b.floats(40), Const(b.random.permutation(40)[:30] - 40),
          b.floats(30))  # fmt: skip


def _selections(b: Builder) -> None:
    x = b.floats(4, 6, 70)
    b.add("TopK", "TopK", x, Const([5]), outputs=2)
    b.add("TopK.smallest", "TopK", x, Const([3]), outputs=2, axis=1, largest=0)
    b.add("TopK.columns", "TopK", x, Const([2]), outputs=2, axis=1)
    b.add("TopK.sort", "TopK", b.floats(3, 40), Const([40]), outputs=2, axis=-1, largest=0)
    b.add("TopK.ties", "TopK", b.integers(5, 90, low=0, high=4), Const([20]), outputs=2)
    b.add("TopK.f16", "TopK", b.floats(3, 50).astype(np.float16), Const([1]), outputs=2)
    b.add("TopK.i64", "TopK", b.integers(200, dtype=np.int64), Const([9]), outputs=2, largest=0)
    b.add("TopK.u8", "TopK", b.integers(30, 7, low=0, high=255, dtype=np.uint8), Const([4]), outputs=2,
          axis=0 if not b.dynamic else 1)  # fmt: skip


def _shapes(b: Builder) -> None:
    x = b.floats(2, 3, 20)
    b.add("Transpose", "Transpose", x)
    b.add("Transpose.perm", "Transpose", x, perm=[1, 2, 0])
    b.add("Reshape", "Reshape", x, Const([0, -1, 4]))
    b.add("Reshape.allowzero", "Reshape", np.zeros((0, 4), np.float32), Const([3, 0]), allowzero=1)
    b.add("Flatten", "Flatten", x, axis=-1)
    b.add("Squeeze", "Squeeze", b.floats(1, 3, 1, 5), Const([0, -2]))
    if not b.dynamic:
        # Which extents are 1 must be known.
        b.add("Squeeze.all", "Squeeze", b.floats(1, 3, 1, 5))
    b.add("Unsqueeze", "Unsqueeze", x, Const([0, -1]))
    b.add("Split", "Split", x, Const([4, 7, 9]), axis=-1, outputs=3)
    if b.opset >= 18:
        b.add("Split.uneven", "Split", x, axis=2, outputs=3, num_outputs=3)
    else:
        b.add("Split.equal", "Split", x, axis=2, outputs=2)
    b.add("Concat", "Concat", x, b.floats(2, 5, 20), axis=1)
    b.add("Slice", "Slice", x, Const([19, 0]), Const([2, 2]), Const([2, 0]), Const([-3, 1]))
    b.add("Slice.ends", "Slice", x, Const([-2]), Const([2**40]), Const([1]))
    b.add("Gather", "Gather", x, b.integers(4, 2, low=-3, high=3, dtype=np.int64), axis=1)
    b.add("Gather.scalar", "Gather", x, Const(-1), axis=2)
    b.add("Expand", "Expand", b.floats(3, 1), Const([2, 1, 6]))
    b.add("Shape", "Shape", x)
    b.add("Shape.slice", "Shape", x, start=1, end=-1)
    b.add("ConstantOfShape", "ConstantOfShape", Const([2, 9]), value=helper.make_tensor("v", 1, [1], [2.5]))
    b.add("Range", "Range", Const(3), Const(30), Const(4))
    b.add("Range.f", "Range", *(Const(v, np.float32) for v in (1.0, -2.0, -0.25)))
    b.add("Constant", "Constant", value_floats=[1.0, 2.5])
    b.add("Constant.ints", "Constant", value_ints=[1, -5, 7])
    b.add("Pad", "Pad", x, Const([1, 0, 2, 0, 1, 3]), Const(1.5, np.float32))
    b.add("Pad.axes", "Pad", x, Const([1, 2]), None, Const([-1]), mode="reflect", since=18)
    b.add("Pad.wrap", "Pad", x, Const([1, 2, 4, 3]), None, Const([2, 1]), mode="wrap", since=19)
    # Further than one turn along the axis.
    b.add("Pad.far", "Pad", x, Const([3, 5, 4, 7]), None, Const([0, 1]), mode="reflect", since=18)
    b.add("Pad.one", "Pad", b.floats(4, 1), Const([0, 2, 3, 1]), mode="reflect")
    b.add("Pad.turns", "Pad", x, Const([9, 1, 0, 8]), None, Const([1, 0]), mode="wrap", since=19)


def _quantization(b: Builder) -> None:
    x, scale = b.floats(6, 24) * 3, Const([0.02, 0.05, 0.1, 0.25, 0.5, 1.0], np.float32)
    b.add("Quantize.u8", "QuantizeLinear", x, Const(0.05, np.float32), Const(128, np.uint8))
    b.add("Quantize.i8", "QuantizeLinear", x, Const(0.05, np.float32), Const(-3, np.int8))
    b.add("Quantize.default", "QuantizeLinear", x, Const(0.05, np.float32))
    b.add("Quantize.axis", "QuantizeLinear", x, scale, Const([0, 1, 2, 3, 4, 5], np.int8), axis=0)
    codes, wide = b.integers(6, 24, low=-128, high=128, dtype=np.int8), np.int16
    b.add("Dequantize", "DequantizeLinear", codes, Const(0.05, np.float32), Const(-3, np.int8))
    b.add("Dequantize.default", "DequantizeLinear", codes, Const(0.05, np.float32))
    b.add("Dequantize.axis", "DequantizeLinear", codes, scale, Const([0, 1, 2, 3, 4, 5], np.int8), axis=-2)
    b.add("Dequantize.i32", "DequantizeLinear", b.integers(6, 24, low=-99, high=99), Const(0.5, np.float32))
    # Divided by a power of two there is nothing to round: a kernel may keep the ratio in more bits.
    b.add("Quantize.f16", "QuantizeLinear", x.astype(np.float16), Const(0.0625, np.float16),
          Const(3, np.uint8), since=19)  # fmt: skip
    b.add("Dequantize.f16", "DequantizeLinear", codes, Const(0.05, np.float16), since=19)
    blocks = Const(np.abs(b.floats(6, 3)) + 0.02, np.float32)
    b.add("Quantize.i16", "QuantizeLinear", x, Const(0.001, np.float32), Const(-30, wide), since=21)
    b.add("Quantize.u16", "QuantizeLinear", x, Const(0.001, np.float32), Const(4000, np.uint16), since=21)
    b.add("Quantize.dtype", "QuantizeLinear", x, Const(0.05, np.float32), output_dtype=TensorProto.INT8,
          since=21)  # fmt: skip
    b.add("Quantize.block", "QuantizeLinear", x, blocks, axis=1, block_size=8, since=21)
    b.add("Dequantize.block", "DequantizeLinear", codes, blocks, axis=1, block_size=8, since=21)
    b.add("Dequantize.i16", "DequantizeLinear", b.integers(6, 24, low=-999, high=999, dtype=wide),
          Const(0.001, np.float32), Const(-30, wide), since=21)  # fmt: skip


def make_models(
    opset: int, dynamic: bool = False, draw: int = 0
) -> Sequence[Tuple[str, onnx.ModelProto, Dict[str, Array]]]:
    """The models of an opset, each with its inputs; other numbers for another `draw`."""
    parts = {"operators": [_elementwise, _products, _reductions, _orders, _scatters, _selections, _shapes], "quantization": [_quantization]}
    models = []
    for name, makers in parts.items():
        builder = Builder(opset, dynamic, draw)
        for make in makers:
            make(builder)
        models.append((name, *builder.model()))
    return models
