# This file is part of the Sectile project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Nodes of one operator each, of language models and quantized ones, for run_operators.py."""

from __future__ import annotations

from typing import Any, Iterator, List, Optional, Tuple

import numpy as np
from operator_cases import F32, I8, I32, I64, U8, Case, make_floats, make_integers

MICROSOFT = "com.microsoft"


def _mask(*shape: int) -> np.ndarray:
    """A mask of booleans, one row of which is all false."""
    mask = make_integers(0, 2, *shape).astype(bool)
    mask[..., 1, :] = False
    return mask


def _attentions() -> Iterator[Case]:
    batch, keys, queries, width, deep = 2, 7, 5, 6, 3
    # Everything with shared heads of keys, and the kinds of masks without.
    for heads, key_heads, names in ((6, 2, None), (3, 3, ("causal", "heads", "past", "counted"))):
        q = make_floats(batch, heads, queries, width)
        k = make_floats(batch, key_heads, keys, width)
        v = make_floats(batch, key_heads, keys, deep)
        past = [make_floats(batch, key_heads, 4, width), make_floats(batch, key_heads, 4, deep)]
        of = f"{heads}_{key_heads}"
        for name, more, attributes in (
            ("plain", [], {}),
            ("causal", [], {"is_causal": 1}),
            ("scaled", [], {"scale": 0.3, "softcap": 1.5}),
            ("added", [make_floats(queries, keys)], {"is_causal": 1}),
            ("heads", [make_floats(batch, heads, 1, keys)], {}),
            ("masked", [_mask(heads, queries, keys)], {}),
            ("short", [_mask(batch, 1, queries, keys - 3)], {}),
            ("past", [None, *past], {"is_causal": 1}),
            ("counted", [None, None, None, np.array([keys, 3], I64)], {"is_causal": 1}),
            ("window", [None, *past], {"left_window_size": 2, "right_window_size": 1}),
            ("blind", [], {"left_window_size": 0, "right_window_size": 0}),
        ):  # fmt: skip
            if names and name not in names:
                continue
            outputs = 3 if name in ("past", "window") else 1
            opset = 25 if "left_window_size" in attributes else 24
            # Where nothing is known of any extent, heads among them, compiling takes minutes.
            yield Case(f"attention_{name}_{of}", "Attention", [q, k, v, *more], outputs, attributes,
                       opset, standard=True, static=True)  # fmt: skip
        for mode in range(0 if names else 4):
            # Products that are not capped: the evaluator would cap those of mode 0, which are the raw ones.
            cap = 2.0 if mode else 0.0
            yield Case(f"attention_mode{mode}_{of}", "Attention", [q, k, v, _mask(queries, keys)], 4,
                       {"qk_matmul_output_mode": mode, "softcap": cap}, 24, standard=True,
                       static=True)  # fmt: skip
        flat = [make_floats(batch, queries, heads * width), make_floats(batch, keys, key_heads * width),
                make_floats(batch, keys, key_heads * deep)]  # fmt: skip
        yield Case(f"attention_flat_{of}", "Attention", flat, 1,
                   {"q_num_heads": heads, "kv_num_heads": key_heads}, 24, standard=True)  # fmt: skip


def _rotaries() -> Iterator[Case]:
    batch, heads, length, width = 2, 3, 5, 8
    tall = make_floats(batch, heads, length, width)
    flat = make_floats(batch, length, heads * width)
    for interleaved in (0, 1):
        for turning in (0, 4) if interleaved else (4,):
            half = (turning or width) // 2
            tables = [make_floats(11, half), make_floats(11, half)]
            angles = [make_floats(batch, length, half), make_floats(batch, length, half)]
            ids = make_integers(0, 11, batch, length)
            attributes = {"interleaved": interleaved, "rotary_embedding_dim": turning}
            for x in (tall, flat):
                given = {**attributes, "num_heads": heads} if x.ndim == 3 else attributes
                name = f"{interleaved}_{turning}_{x.ndim}"
                yield Case(f"rotary_{name}", "RotaryEmbedding", [x, *tables, ids], 1, given, 23,
                           standard=True)  # fmt: skip
                yield Case(f"rotary_angles_{name}", "RotaryEmbedding", [x, *angles], 1, given, 23,
                           standard=True)  # fmt: skip
                for positions in (ids, np.array([3], I64)):
                    named = {**attributes, "num_heads": heads}
                    yield Case(f"rotary_microsoft_{name}_{positions.ndim}", "RotaryEmbedding",
                               [x, positions, *tables], 1, named, 17, MICROSOFT)  # fmt: skip


def _cached() -> Iterator[Case]:
    batch, heads, key_heads, width = 2, 4, 2, 16
    for name, length, past, attributes in (
        ("prompt", 5, 0, {}),
        ("decode", 1, 6, {}),
        ("cap", 1, 6, {"softcap": 1.2, "scale": 0.4}),
        ("rotary", 5, 0, {"do_rotary": 1}),
        ("turned", 1, 6, {"do_rotary": 1, "rotary_interleaved": 1}),
        ("window", 6, 0, {"local_window_size": 3}),
    ):
        total = length + past
        q = make_floats(batch, length, heads * width)
        k, v = (make_floats(batch, length, key_heads * width) for _ in range(2))
        caches: List[Optional[np.ndarray]] = [None, None]
        if past:
            caches = [make_floats(batch, key_heads, past, width) for _ in range(2)]
        counts = [np.full(batch, total - 1, I32), np.array(total, I32)]
        tables = [make_floats(20, width // 2) for _ in range(2)] if "do_rotary" in attributes else []
        named = {"num_heads": heads, "kv_num_heads": key_heads, **attributes}
        outputs = 3
        yield Case(f"gqa_{name}", "GroupQueryAttention", [q, k, v, *caches, *counts, *tables], outputs,
                   named, 17, MICROSOFT, static=True)  # fmt: skip
        packed = np.concatenate([q, k, v], 2)
        yield Case(f"gqa_packed_{name}", "GroupQueryAttention",
                   [packed, None, None, *caches, *counts, *tables], outputs, named, 17, MICROSOFT,
                   static=True)  # fmt: skip
    cache, rows = make_floats(2, 3, 9, 4), make_floats(2, 3, 4, 4)
    for mode in ("linear", "circular"):
        starts = np.array([5, 2] if mode == "linear" else [7, 20], I64)
        yield Case(f"tensor_scatter_{mode}", "TensorScatter", [cache, rows, starts], 1,
                   {"mode": mode}, 24, standard=True)  # fmt: skip
    yield Case("tensor_scatter_axis", "TensorScatter", [cache, make_floats(2, 2, 9, 4)], 1,
               {"axis": 1}, 24, standard=True)  # fmt: skip
    for bad in (-1, 6):
        yield Case(f"tensor_scatter_outside_{bad}", "TensorScatter",
                   [cache, rows, np.array([0, bad], I64)], 1, {}, 24, error="TensorScatter")  # fmt: skip
    for past, bias, activation in ((0, 0, "none"), (1, 1, "silu"), (1, 0, "swish"), (0, 1, "none")):
        given = [make_floats(2, 3, 7), make_floats(3, 1, 4), make_floats(3) if bias else None]
        given += [make_floats(2, 3, 3)] if past else []
        yield Case(f"causal_conv_{past}{bias}_{activation}", "CausalConvWithState", given, 2,
                   {"activation": activation}, 27, standard=True)  # fmt: skip


def _fused() -> Iterator[Case]:
    for a, b in ((0, 0), (1, 0), (0, 1), (1, 1)):
        left = make_floats(*((3, 7, 5) if a else (3, 5, 7)))
        right = make_floats(*((3, 2, 7) if b else (3, 7, 2)))
        yield Case(f"fused_matmul_{a}{b}", "FusedMatMul", [left, right], 1,
                   {"transA": a, "transB": b, "alpha": 0.3}, 17, MICROSOFT)  # fmt: skip
    yield Case("fused_matmul_batch", "FusedMatMul", [make_floats(5, 3, 7), make_floats(2, 3, 7)], 1,
               {"transBatchA": 1, "transBatchB": 1, "transB": 1}, 17, MICROSOFT)  # fmt: skip
    x, vector = make_floats(3, 5, 7), [make_floats(7) for _ in range(3)]
    for name, given in (("two", vector[:1]), ("three", vector[:2]), ("all", vector)):
        yield Case(f"skip_norm_{name}", "SkipLayerNormalization", [x, make_floats(3, 5, 7), *given], 1,
                   {"epsilon": 1e-3}, 17, MICROSOFT)  # fmt: skip
    for name, given in (("plain", vector[:1]), ("bias", vector[:2])):
        yield Case(f"skip_simple_{name}", "SkipSimplifiedLayerNormalization",
                   [x, make_floats(3, 5, 7), *given], 1, {"epsilon": 1e-3}, 17, MICROSOFT)  # fmt: skip
    yield Case("simple_norm", "SimplifiedLayerNormalization", [x, vector[0]], 1, {"epsilon": 1e-3})
    yield Case("bias_gelu", "BiasGelu", [x, vector[0]], 1, {}, 17, MICROSOFT)
    yield Case("fast_gelu", "FastGelu", [x, vector[0]], 1, {}, 17, MICROSOFT)
    yield Case("gelu", "Gelu", [x], 1, {}, 17, MICROSOFT)
    yield Case("quick_gelu", "QuickGelu", [x], 1, {"alpha": 1.3}, 17, MICROSOFT)
    for axis in (-1, 0):
        for p in (1, 2):
            yield Case(f"lp_norm_{axis}_{p}", "LpNormalization", [x], 1, {"axis": axis, "p": p})
    for p in (1, 2, 3):
        yield Case(f"lp_pool_{p}", "LpPool", [make_floats(2, 3, 7, 9)], 1,
                   {"p": p, "kernel_shape": [3, 2], "pads": [1, 0, 1, 1], "strides": [2, 1]}, 18)  # fmt: skip
        yield Case(f"global_lp_pool_{p}", "GlobalLpPool", [make_floats(2, 3, 7, 9)], 1, {"p": p})


def _quantized() -> Iterator[Case]:
    def number(value: float, dtype: Any = F32) -> np.ndarray:
        return np.array(value, dtype)

    def scales(*shape: int) -> np.ndarray:
        return np.abs(make_floats(*shape)) * F32(0.02) + F32(0.01)

    for dtype, low, high in ((U8, 0, 256), (I8, -128, 128)):
        a, b = (make_integers(low, high, *shape, dtype=dtype) for shape in ((2, 5, 7), (7, 3)))
        zeros = [number(low + 120, dtype), number(low + 130, dtype)]
        yield Case(f"qlinear_matmul_{dtype.__name__}", "QLinearMatMul",
                   [a, number(0.03), zeros[0], b, number(0.02), zeros[1], number(0.4),
                    number(low + 100, dtype)])  # fmt: skip
        x, w = (make_integers(low, high, *shape, dtype=dtype) for shape in ((2, 4, 7, 5), (6, 2, 3, 2)))
        for name, scale, zero in (
            ("one", number(0.01), number(0, dtype)),
            ("each", scales(6), np.zeros(6, dtype)),
        ):
            yield Case(f"qlinear_conv_{name}_{dtype.__name__}", "QLinearConv",
                       [x, number(0.05), number(low + 90, dtype), w, scale, zero, number(0.3),
                        number(low + 120, dtype), make_integers(-900, 900, 6, dtype=I32)], 1,
                       {"pads": [1, 0, 2, 1], "strides": [2, 1], "group": 2}, constants=(3, 4, 5))  # fmt: skip
    a, b = make_integers(0, 256, 5, 7, dtype=U8), make_integers(-128, 128, 7, 3, dtype=I8)
    yield Case("qlinear_matmul_columns", "QLinearMatMul",
               [a, number(0.03), number(99, U8), b, scales(3), np.zeros(3, I8), number(0.4),
                number(100, U8)], constants=(3, 4, 5))  # fmt: skip
    for name, shift in (("mixed", 0.0), ("positive", 5.0), ("negative", -5.0)):
        yield Case(f"dynamic_quantize_{name}", "DynamicQuantizeLinear",
                   [make_floats(5, 7, 3) + F32(shift)], 3)  # fmt: skip


def _filters() -> Iterator[Case]:
    x = make_floats(1, 2, 13, 9)
    for mode in ("linear", "cubic"):
        for outside in (0, 1):
            for name, key, values in (("scales", 2, [0.31, 1.4]), ("sizes", 3, [4, 8])):
                numbers = np.array(values, F32 if key == 2 else I64)
                given = [x, None, numbers] if key == 2 else [x, None, None, numbers]
                yield Case(f"antialias_{mode}_{outside}_{name}", "Resize", given, 1,
                           {"mode": mode, "antialias": 1, "axes": [2, 3], "exclude_outside": outside},
                           19, standard=True)  # fmt: skip
    for policy in ("not_larger", "not_smaller"):
        for sizes in ((7, 5), (20, 31)):
            yield Case(f"proportions_{policy}_{sizes[0]}", "Resize", [x, None, None, np.array(sizes, I64)],
                       1, {"mode": "linear", "axes": [2, 3], "keep_aspect_ratio_policy": policy}, 19,
                       standard=True)  # fmt: skip


def _transforms() -> Iterator[Case]:
    real, both = make_floats(2, 9, 5, 1), make_floats(2, 9, 5, 2)
    for axis in (1, 2):
        at = np.array(axis, I64)
        for length in (None, np.array(7, I64), np.array(12, I64)):
            of = f"{axis}_{0 if length is None else length}"
            for name, x, attributes in (
                ("real", real, {}),
                ("both", both, {}),
                ("half", real, {"onesided": 1}),
                ("back", both, {"inverse": 1}),
                ("back_half", both, {"inverse": 1, "onesided": 1}),
            ):
                yield Case(f"dft_{name}_{of}", "DFT", [x, length, at], 1, attributes, 20,
                           constants=(2,), standard=True, static=True)  # fmt: skip
    yield Case("dft_axis", "DFT", [both, None, np.array(-3, I64)], 1, {}, 20, standard=True, static=True)
    signal, window = make_floats(2, 29, 1), make_floats(6)
    for step in (1, 4):
        number = np.array(step, I64)
        yield Case(f"stft_{step}", "STFT", [signal, number, window], 1, {}, 17, constants=(1,),
                   static=True)  # fmt: skip
        yield Case(f"stft_all_{step}", "STFT", [signal, number, window], 1, {"onesided": 0}, 17,
                   static=True)  # fmt: skip
    for op in ("HannWindow", "HammingWindow", "BlackmanWindow"):
        for periodic in (0, 1):
            yield Case(f"{op}_{periodic}", op, [np.array(13, I64)], 1, {"periodic": periodic}, 17,
                       static=True)  # fmt: skip


def _others() -> Iterator[Case]:
    for extents, axes in (((3, 9), (0, 1)), ((8, 2), (-1, 0)), ((4, 5), (1, 0))):
        yield Case(f"center_{extents[0]}_{extents[1]}", "CenterCropPad",
                   [make_floats(5, 6), np.array(extents, I64)], 1, {"axes": list(axes)}, 18)  # fmt: skip
    for largest in (0, 1):
        for axis, k in ((0, 3), (1, 7), (-1, 1)):
            yield Case(f"top_k_{largest}_{axis}_{k}", "TopK",
                       [make_integers(-4, 4, 5, 7).astype(F32), np.array([k], I64)], 2,
                       {"axis": axis, "largest": largest}, static=True)  # fmt: skip
    yield Case("top_k_many", "TopK", [make_floats(5, 7), np.array([8], I64)], 2, {}, error="TopK",
               static=True)  # fmt: skip
    for reverse in (0, 1):
        for exclusive in (0, 1):
            yield Case(f"cum_prod_{reverse}{exclusive}", "CumProd", [make_floats(5, 7), np.array(0, I64)],
                       1, {"reverse": reverse, "exclusive": exclusive}, 26, standard=True)  # fmt: skip
    for dtype in (I8, I32, I64, U8):
        info = np.iinfo(dtype)
        x = make_integers(info.min, info.max, 5, 7, dtype=dtype)
        bits = 8 * dtype(0).itemsize
        amounts = make_integers(0 if info.min == 0 else -3, bits + 4, 5, 7, dtype=dtype)
        for direction in ("LEFT", "RIGHT"):
            yield Case(f"shift_{dtype.__name__}_{direction}", "BitShift", [x, amounts], 1,
                       {"direction": direction}, 28, standard=True)  # fmt: skip
    special = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, 2.5, -2.5, 1e30, 3e-5], F32)
    left, right = (grid.ravel().copy() for grid in np.meshgrid(special, special))
    for fmod in (0, 1):
        yield Case(f"mod_{fmod}", "Mod", [make_floats(5, 7) * F32(9), make_floats(5, 7)], 1,
                   {"fmod": fmod}, 28, standard=True)  # fmt: skip
    yield Case("mod_special", "Mod", [left, right], 1, {"fmod": 0}, 28, standard=True)
    for mode in ("DCR", "CRD"):
        yield Case(f"space_to_depth_{mode}", "SpaceToDepth", [make_floats(2, 3, 6, 9)], 1,
                   {"blocksize": 3, "mode": mode}, 28, standard=True)  # fmt: skip
    yield Case("swiglu", "SwiGLU", [make_floats(5, 7), make_floats(5, 7)], 1, {"alpha": 1.3}, 28,
               standard=True)  # fmt: skip
    yield Case("bit_cast", "BitCast", [make_floats(5, 7)], 1, {"to": 6}, 26, standard=True)


def make_attention_cases() -> Tuple[Case, ...]:
    """All cases; the same ones at every call of a process."""
    families = (
        _attentions, _rotaries, _cached, _fused, _quantized, _filters, _transforms, _others
    )  # fmt: skip
    return tuple(case for family in families for case in family())
