# This file is part of the Sectile project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Nodes of one operator each, on odd shapes, for run_operators.py."""

from __future__ import annotations

import dataclasses
from typing import Any, Dict, Iterator, List, Optional, Tuple

import numpy as np

F32, F64, I64, I32, U8, I8 = np.float32, np.float64, np.int64, np.int32, np.uint8, np.int8


@dataclasses.dataclass
class Case:
    """A node: inputs by position, None where one is left out."""

    name: str
    op: str
    inputs: List[Optional[np.ndarray]]
    outputs: int = 1
    attributes: Dict[str, Any] = dataclasses.field(default_factory=dict)
    opset: int = 17
    domain: str = ""
    standard: bool = False
    """Whether the onnx package's evaluator is asked, since ONNX Runtime does not know the operator."""
    constants: Tuple[int, ...] = ()
    """Inputs that are initialisers."""
    error: str = ""
    """What the run's message must hold; it must fail."""
    static: bool = False
    """Whether the rank of the result hangs on an extent, which then must be known."""


_RANDOM = np.random.default_rng(7)


def make_floats(*shape: int, dtype: Any = F32) -> np.ndarray:
    return _RANDOM.standard_normal(shape).astype(dtype)


def make_integers(low: int, high: int, *shape: int, dtype: Any = I64) -> np.ndarray:
    return _RANDOM.integers(low, high, shape).astype(dtype)


def _gathers() -> Iterator[Case]:
    for axis in (0, 1, -1):
        x, at = make_floats(5, 7, 3), make_integers(-3, 3, 3, 4, 2)
        yield Case(f"gather_elements_{axis}", "GatherElements", [x, at], 1, {"axis": axis})
    yield Case("gather_elements_outside", "GatherElements", [make_floats(5, 7), make_integers(7, 8, 5, 2)],
               1, {"axis": 1}, error="GatherElements")  # fmt: skip
    yield Case("gather_elements_below", "GatherElements", [make_floats(5, 7), make_integers(-6, -5, 3, 2)],
               1, {"axis": 0}, error="GatherElements")  # fmt: skip
    yield Case("gather_nd", "GatherND", [make_floats(5, 3, 7), make_integers(-3, 3, 4, 1, 2)], static=True)
    yield Case("gather_nd_batch", "GatherND", [make_floats(5, 3, 7, 2), make_integers(0, 3, 5, 6, 1)], 1,
               {"batch_dims": 1}, static=True)  # fmt: skip
    # Inside of all elements, but outside of its own dimension.
    yield Case("gather_nd_outside", "GatherND", [make_floats(5, 3, 7), np.array([[0, 3]], I64)],
               error="GatherND", static=True)  # fmt: skip
    lengths = np.array([1, 5, 3], I64)
    yield Case("reverse_sequence", "ReverseSequence", [make_floats(5, 3, 7), lengths])
    yield Case("reverse_sequence_batch", "ReverseSequence", [make_floats(3, 5, 7), lengths], 1,
               {"batch_axis": 0, "time_axis": 1})  # fmt: skip


def _losses() -> Iterator[Case]:
    labels = make_integers(0, 5, 3, 7)
    for reduction in ("none", "sum", "mean"):
        for ignore in (None, 2, -1):
            attributes: Dict[str, Any] = {"reduction": reduction}
            chosen = labels.copy()
            if ignore is not None:
                attributes["ignore_index"] = ignore
                chosen[1, 3] = ignore
            weights = np.abs(make_floats(5)) + F32(0.1)
            name = f"{reduction}_{ignore}"
            scores = make_floats(3, 5, 7)
            yield Case("nll_" + name, "NegativeLogLikelihoodLoss", [scores, chosen, weights], 1,
                       attributes)  # fmt: skip
            yield Case("sce_" + name, "SoftmaxCrossEntropyLoss", [scores, chosen], 2, attributes)
    yield Case("nll_outside", "NegativeLogLikelihoodLoss", [make_floats(3, 5), make_integers(5, 6, 3)],
               error="NegativeLogLikelihoodLoss")  # fmt: skip
    yield Case("nll_negative", "NegativeLogLikelihoodLoss", [make_floats(3, 5), make_integers(-1, 0, 3)],
               error="NegativeLogLikelihoodLoss")  # fmt: skip


def _indicators() -> Iterator[Case]:
    values = np.array([2.5, -1], F32)
    for axis in (0, 1, -1):
        places = make_integers(-9, 9, 3, 5)
        yield Case(f"one_hot_{axis}", "OneHot", [places, np.array(7, I64), values], 1,
                   {"axis": axis})  # fmt: skip
    yield Case("one_hot_floats", "OneHot", [make_floats(5) * 3, np.array(7, F32), values])
    yield Case("one_hot_depth", "OneHot", [make_integers(0, 3, 5), np.array(-2, F32), values],
               error="depth")  # fmt: skip
    yield Case("eye_like", "EyeLike", [make_floats(5, 7)], 1, {"k": -2})
    for axis in (0, 1, -1):
        yield Case(f"hardmax_{axis}", "Hardmax", [make_floats(5, 3, 7)], 1, {"axis": axis})
    yield Case("hardmax_flat", "Hardmax", [make_floats(5, 3, 7)], 1, {"axis": 1}, opset=11)
    bits = make_integers(0, 256, 5, 7, dtype=U8), make_integers(0, 8, 7, dtype=U8)
    for direction in ("LEFT", "RIGHT"):
        yield Case(f"bit_shift_{direction}", "BitShift", list(bits), 1, {"direction": direction})


def _resizes() -> Iterator[Case]:
    x, none = make_floats(2, 3, 5, 7), None
    for mode in ("nearest", "linear", "cubic"):
        for transform in ("half_pixel", "asymmetric", "pytorch_half_pixel", "align_corners"):
            for scales in ((1, 1, 2.3, 1.7), (1, 1, 0.6, 3)):
                name = f"resize_{mode}_{transform}_{scales[2]}"
                # With sizes: peers round what is to be a corner, where scales give fractions.
                sizes = np.array([2, 3, int(5 * scales[2]), int(7 * scales[3])], I64)
                attributes = {"mode": mode, "coordinate_transformation_mode": transform}
                if transform == "align_corners":
                    yield Case(name, "Resize", [x, none, none, sizes], 1, attributes)
                else:
                    yield Case(name, "Resize", [x, none, np.array(scales, F32)], 1, attributes)
    for rounding in ("floor", "ceil", "round_prefer_ceil"):
        yield Case(f"resize_{rounding}", "Resize", [x, none, np.array([1, 1, 1.3, 0.7], F32)], 1,
                   {"nearest_mode": rounding})  # fmt: skip
    yield Case("resize_exclude", "Resize", [x, none, np.array([1, 1, 1.4, 0.7], F32)], 1,
               {"mode": "cubic", "exclude_outside": 1})  # fmt: skip
    yield Case("resize_negative", "Resize", [x, none, np.array([1, 1, -1, 1], F32)], error="scale")
    yield Case("upsample", "Upsample", [x, np.array([1, 1, 2, 3], F32)], 1, {"mode": "linear"}, 9)


def _samples() -> Iterator[Case]:
    x = make_floats(2, 3, 5, 7)
    grid = (_RANDOM.random((2, 3, 4, 2)) * 3 - 1.5).astype(F32)
    for mode in ("bilinear", "nearest", "bicubic"):
        for padding in ("zeros", "border", "reflection"):
            for corners in (0, 1):
                if mode == "bicubic" and padding != "zeros":
                    continue  # the peer does not move the coordinate first
                yield Case(f"grid_sample_{mode}_{padding}_{corners}", "GridSample", [x, grid], 1,
                           {"mode": mode, "padding_mode": padding, "align_corners": corners})  # fmt: skip


def _products() -> Iterator[Case]:
    a, b, c = make_floats(3, 5, 7), make_floats(3, 7, 2), make_floats(2, 5)
    for number, (equation, operands) in enumerate([
        ("bij,bjk->bik", [a, b]), ("bij,bjk", [a, b]), ("bij,bjk,ki->b", [a, b, c]),
        ("...ij->...ji", [a]), ("bij->", [a]), ("i...,j...->ij...", [make_floats(5, 3), make_floats(2, 3)]),
        ("...ij,...jk->...ik", [a, make_floats(1, 7, 2)]), ("ii->i", [make_floats(5, 5)]),
        ("bii->b", [make_floats(3, 5, 5)]),
    ]):  # fmt: skip
        yield Case(f"einsum_{number}", "Einsum", operands, 1, {"equation": equation})
    for left in (U8, I8):
        a8, b8 = make_integers(0, 100, 5, 7, dtype=left), make_integers(-9, 100, 7, 3, dtype=I8)
        yield Case(f"matmul_integer_{left.__name__}", "MatMulInteger",
                   [a8, b8, np.array(3, left), make_integers(-9, 9, 3, dtype=I8)])  # fmt: skip
    yield Case("conv_integer", "ConvInteger",
               [make_integers(0, 256, 2, 3, 7, 5, dtype=U8), make_integers(0, 256, 4, 3, 3, 2, dtype=U8),
                np.array(7, U8), np.array(2, U8)], 1, {"pads": [1, 0, 2, 1]})  # fmt: skip


def _norms() -> Iterator[Case]:
    for size in (1, 3, 9):
        yield Case(f"lrn_{size}", "LRN", [make_floats(2, 5, 7, 3)], 1, {"size": size, "alpha": 0.3})
    yield Case("mvn", "MeanVarianceNormalization", [make_floats(2, 5, 7, 3)])
    integers = make_integers(1, 12, 5, 7, dtype=I32)
    yield Case("pow_integer", "Pow", [integers, make_integers(0, 6, 5, 7).astype(F32)])


def _recurrent() -> Iterator[Case]:
    length, batch, inputs, hidden = 5, 3, 7, 2
    for op, gates in (("RNN", 1), ("GRU", 3), ("LSTM", 4)):
        for direction, number in (("forward", 1), ("reverse", 1), ("bidirectional", 2)):
            for full in (False, True):
                x = make_floats(length, batch, inputs)
                weights = [make_floats(number, gates * hidden, inputs),
                           make_floats(number, gates * hidden, hidden)]  # fmt: skip
                given: List[Optional[np.ndarray]] = [x, *weights]
                attributes: Dict[str, Any] = {"hidden_size": hidden, "direction": direction}
                if full:
                    state = (number, batch, hidden)
                    given += [make_floats(number, 2 * gates * hidden), np.array([5, 1, 3], I32),
                              make_floats(*state)]  # fmt: skip
                    if op == "LSTM":
                        given += [make_floats(*state), make_floats(number, 3 * hidden)]
                    if op == "GRU":
                        attributes["linear_before_reset"] = 1
                    attributes["clip"] = 1.5
                outputs = 3 if op == "LSTM" else 2
                yield Case(f"{op}_{direction}_{full}", op, given, outputs, attributes, 14)


def _regions() -> Iterator[Case]:
    size = np.array([2, 1, 3, 5], I64)
    for corners in (0, 1):
        yield Case(f"affine_grid_{corners}", "AffineGrid", [make_floats(2, 2, 3), size], 1, {"align_corners": corners},
                   20)  # fmt: skip
    yield Case("affine_grid_3d", "AffineGrid", [make_floats(2, 3, 4), np.array([2, 1, 4, 3, 5], I64)], 1, {}, 20)
    yield Case("col2im", "Col2Im", [make_floats(2, 18, 12), np.array([7, 6], I64), np.array([2, 3], I64)], 1,
               {"strides": [2, 1], "dilations": [2, 1], "pads": [1, 0, 0, 0]}, 18)  # fmt: skip
    yield Case("col2im_1d", "Col2Im", [make_floats(1, 6, 9), np.array([11], I64), np.array([3], I64)], 1, {}, 18)
    x, places = make_floats(2, 3, 3, 2), np.stack([_RANDOM.permutation(7 * 5)[:6] for _ in range(6)])
    places = places.reshape(x.shape) + 35 * np.arange(6).reshape(2, 3, 1, 1)
    pooled = {"kernel_shape": [3, 3], "strides": [2, 2]}
    yield Case("max_unpool", "MaxUnpool", [x, places], 1, pooled)
    yield Case("max_unpool_larger", "MaxUnpool", [x, places, np.array([2, 3, 9, 5], I64)], 1, pooled, standard=True)
    yield Case("max_unpool_outside", "MaxUnpool", [x, places + 1000], 1, pooled, error="MaxUnpool")
    regions = np.array([[0, 0, 6, 4], [1.5, 2, 8, 9], [-3, -2, 2, 30], [4, 4, 4, 4]], F32)
    for mode in ("avg", "max"):
        for transform in ("half_pixel", "output_half_pixel"):
            attributes = {"mode": mode, "coordinate_transformation_mode": transform, "sampling_ratio": 3,
                          "spatial_scale": 0.75, "output_height": 3, "output_width": 2}  # fmt: skip
            yield Case(f"roi_align_{mode}_{transform}", "RoiAlign",
                       [make_floats(2, 3, 8, 7), regions, np.array([1, 0, 1, 0], I64)], 1, attributes)  # fmt: skip
    for extent in (1, 2, 3, 7):
        yield Case(f"det_{extent}", "Det", [make_floats(2, 3, extent, extent)])
    yield Case("det_singular", "Det", [np.ones((2, 4, 4), F32)])
    yield Case("batch_norm_training", "BatchNormalization",
               [make_floats(3, 4, 5, 2), *(make_floats(4) for _ in range(3)), np.abs(make_floats(4))], 3,
               {"training_mode": 1, "momentum": 0.7}, 15, standard=True)  # fmt: skip
    yield Case("dropout_trains", "Dropout", [make_floats(3, 4), np.array(0.5, F32), np.array(True)], 1,
               error="expects not to train")  # fmt: skip
    numbers = [np.array(12, I64), np.array(64, I64), np.array(16000, I64), np.array(125, F32), np.array(7500, F32)]
    yield Case("mel_weights", "MelWeightMatrix", numbers, 1, {}, 17, standard=True)
    grams = {"mode": "TF", "min_gram_length": 1, "max_gram_length": 3, "max_skip_count": 2, "ngram_counts": [0, 3, 7],
             "ngram_indexes": [4, 0, 2, 1, 3, 6], "pool_int64s": [1, 2, 4, 1, 2, 3, 3, 0, 1, 2]}  # fmt: skip
    for mode in ("TF", "IDF", "TFIDF"):
        yield Case(f"tf_idf_{mode}", "TfIdfVectorizer", [make_integers(0, 5, 3, 17)], 1,
                   {**grams, "mode": mode, "weights": [0.5, 2.0, 1.5, 3.0, 0.25, 1.0]})  # fmt: skip
    yield Case("tf_idf_short", "TfIdfVectorizer", [make_integers(0, 5, 2, dtype=I32)], 1, grams)


def make_cases() -> Tuple[Case, ...]:
    """All cases; the same ones at every call of a process."""
    families = (_gathers, _losses, _indicators, _resizes, _samples, _products, _norms, _recurrent, _regions)
    return tuple(case for family in families for case in family())
