#!/usr/bin/python3
# This file is part of the Sectile project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Runs products and convolutions of quantized numbers at random and compares them with integers of 64 bits:
MatMulInteger and ConvInteger exactly, MatMul and Conv of DequantizeLinear with the sums of codes, scaled.

    test/Frontend/integer_products.py --sectile=build/bin/sectile [--cases=N] [--seed=N]

The last line is "N passed, N failed, N skipped".
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from typing import List, Tuple

import numpy as np
import onnx
from onnx import TensorProto, helper

KINDS = {"int8": TensorProto.INT8, "uint8": TensorProto.UINT8, "float32": TensorProto.FLOAT, "int32": TensorProto.INT32}


def constant(name: str, array: np.ndarray) -> TensorProto:
    """An initialiser."""
    return TensorProto(name=name, data_type=KINDS[array.dtype.name], dims=array.shape, raw_data=array.tobytes())


def draw(rng: np.random.Generator, shape: Tuple[int, ...], dtype: str, extreme: bool) -> np.ndarray:
    """Codes; the least and the greatest ones if `extreme`."""
    info = np.iinfo(dtype)
    if extreme:
        return rng.choice(np.array([info.min, info.max], dtype), shape)
    return rng.integers(info.min, info.max + 1, shape).astype(dtype)


def convolve(x: np.ndarray, w: np.ndarray, group: int, stride: int, pads: List[int]) -> np.ndarray:
    """A convolution in two dimensions of int64."""
    x = np.pad(x, ((0, 0), (0, 0), (pads[0], pads[2]), (pads[1], pads[3])))
    windows = np.lib.stride_tricks.sliding_window_view(x, w.shape[2:], axis=(2, 3))[:, :, ::stride, ::stride]
    n, channels, height, width = windows.shape[:4]
    windows = windows.reshape(n, group, channels // group, height, width, *w.shape[2:])
    kernels = w.reshape(group, w.shape[0] // group, *w.shape[1:])
    return np.einsum("ngchwij,gocij->ngohw", windows, kernels).reshape(n, w.shape[0], height, width)


class Case:
    """A random model, and what it gives."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.isConv = bool(rng.integers(0, 2))
        self.isReal = bool(rng.integers(0, 2))
        extreme, isDynamic = rng.random() < 0.2, rng.random() < 0.4
        self.kinds = [str(rng.choice(["int8", "uint8"])) for _ in range(2)]
        nodes, constants, attributes = [], [], {}
        if self.isConv:
            group = int(rng.choice([1, 1, 2]))
            channels, filters = group * int(rng.choice([1, 3, 8, 17])), group * int(rng.choice([1, 5, 16, 24]))
            kernel = tuple(int(rng.choice([1, 2, 3])) for _ in range(2))
            pads, stride = [int(p) for p in rng.integers(0, 3, 4)], int(rng.choice([1, 1, 2]))
            xShape = (int(rng.choice([1, 2])), channels, int(rng.choice([3, 7, 10])), int(rng.choice([3, 8, 9])))
            wShape = (filters, channels // group, *kernel)
            attributes = {"group": group, "pads": pads, "strides": [stride, stride]}
            columns, axis = filters, 0
        else:
            depth, columns = int(rng.choice([1, 2, 17, 64, 333])), int(rng.choice([1, 5, 16, 33, 70]))
            rows = int(rng.choice([1, 1, 2, 6, 7, 40] + [0] * isDynamic))
            xShape, wShape, axis = (rows, depth), (depth, columns), 1
        self.x, w = draw(rng, xShape, self.kinds[0], extreme), draw(rng, wShape, self.kinds[1], extreme)
        # One zero point for the left side, one or one for each column for the right side, or none.
        points, sides = [None, None], [self.x.astype(np.int64), w.astype(np.int64)]
        perColumn = bool(rng.integers(0, 2))
        if not self.isReal and self.isConv:
            perColumn = False  # of ConvInteger, one number at most in what ONNX's own tests cover
        for side, kind in enumerate(self.kinds):
            if rng.integers(0, 2):
                shape = (columns,) if side == 1 and perColumn else ()
                points[side] = draw(rng, shape, kind, False)
                shown = points[side].astype(np.int64)
                if shown.ndim and self.isConv:
                    shown = shown.reshape(-1, 1, 1, 1)
                sides[side] = sides[side] - shown
        constants.append(constant("w", w))
        names = ["x", "w"]
        scales = [np.float32(rng.random() + 0.01) for _ in range(2)]
        if self.isReal:
            if perColumn:
                scales[1] = (rng.random(columns) + 0.01).astype(np.float32)
            for side, name in enumerate("xw"):
                constants.append(constant(f"{name}Scale", np.asarray(scales[side], np.float32)))
                inputs = [name, f"{name}Scale"]
                point = points[side]
                if point is None and side == 1 and perColumn and rng.integers(0, 2):
                    point = np.zeros(columns, w.dtype)
                if point is not None and np.shape(point) != np.shape(scales[side]):
                    point = np.broadcast_to(point, np.shape(scales[side])).copy()
                if point is not None:
                    constants.append(constant(f"{name}Zero", point))
                    inputs.append(f"{name}Zero")
                elif self.kinds[side] == "int8":
                    inputs.append(f"{name}Zero")  # what says that codes are signed
                    constants.append(constant(f"{name}Zero", np.zeros(np.shape(scales[side]), "int8")))
                node = helper.make_node("DequantizeLinear", inputs, [f"{name}Real"])
                if np.ndim(scales[side]):
                    node.attribute.append(helper.make_attribute("axis", axis))
                nodes.append(node)
            nodes.append(helper.make_node("Conv" if self.isConv else "MatMul", ["xReal", "wReal"], ["y"], **attributes))
        else:
            for side, point in enumerate(points):
                names.append("" if point is None else f"zero{side}")
                if point is not None:
                    constants.append(constant(f"zero{side}", point))
            while names[-1] == "":
                names.pop()
            nodes.append(helper.make_node("ConvInteger" if self.isConv else "MatMulInteger", names, ["y"], **attributes))
        def multiply(left: np.ndarray, right: np.ndarray) -> np.ndarray:
            if self.isConv:
                return convolve(left, right, attributes["group"], stride, attributes["pads"])
            return left @ right

        sums = multiply(*sides)
        # A sum becomes a float, the scales' product and the result are rounded: three times 2^-24.
        self.want, self.bound = sums, np.abs(sums) * 4 * 2.0**-24
        if self.isConv and attributes["group"] > 1:  # which floats are summed for: each term is rounded
            terms = np.prod(wShape[1:])
            self.bound = multiply(np.abs(sides[0]), np.abs(sides[1])) * (terms + 4) * 2.0**-24
        if self.isReal:
            scale = np.asarray(scales[1], np.float64)
            if scale.ndim and self.isConv:
                scale = scale.reshape(-1, 1, 1)
            self.want = sums * np.float64(scales[0]) * scale
            self.bound = self.bound * np.float64(scales[0]) * scale
        # Rows, or images and their extents, that only the run knows; of none of them too.
        shownX, shownY = list(xShape), list(sums.shape)
        if isDynamic:
            for dim in range(len(shownX)):
                if not (dim == 1 and (self.isConv or rng.integers(0, 2))):
                    shownX[dim] = f"x{dim}"
            for dim in range(len(shownY)):
                if dim != 1:
                    shownY[dim] = f"y{dim}"
            shownX[0] = shownY[0] = "rows"
        graph = helper.make_graph(
            nodes, "integers", [helper.make_tensor_value_info("x", KINDS[self.kinds[0]], shownX)],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT if self.isReal else TensorProto.INT32, shownY)],
            constants,
        )  # fmt: skip
        self.model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        self.name = f"{nodes[-1].op_type} {self.kinds[0]}{list(xShape)} {self.kinds[1]}{list(wShape)} {points} {attributes}{' dynamic' * isDynamic}"

    def compare(self, got: np.ndarray) -> str:
        """What is wrong with a result, or nothing."""
        if got.shape != self.want.shape:
            return f"shape {got.shape}, expected {self.want.shape}"
        bound = self.bound if self.isReal else np.zeros(got.shape)
        off = np.abs(got.astype(np.float64) - self.want)
        return "" if (off <= bound).all() or not off.size else f"off by {off.max()} in {(off > bound).sum()} elements"


def run(command: List[str], level: str = "") -> str:
    """What a command said, if it failed."""
    environment = dict(os.environ, **({"SECTILE_CPU_LEVEL": level} if level else {}))
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    return "" if done.returncode == 0 else f"{done.stderr.strip()[:300]} (exit {done.returncode})"


def try_case(sectile: str, rng: np.random.Generator, folder: str, levels: List[str]) -> str:
    """A random case; returns what is wrong with it, or nothing."""
    case = Case(rng)
    model, package = f"{folder}/model.onnx", f"{folder}/model.stp"
    onnx.save(case.model, model)
    np.save(f"{folder}/x.npy", case.x)
    wrong = run([sectile, "compile", model, "-o", package, "--quiet", f"--cpu-levels={','.join(levels)}"])
    for level in levels:
        wrong = wrong or run([sectile, "run", package, "--quiet", f"--input=x={folder}/x.npy",
                              f"--output-dir={folder}/{level}"], level)  # fmt: skip
        if not wrong:
            wrong = case.compare(np.load(f"{folder}/{level}/y.npy"))
        if wrong:
            return f"{case.name} on {level}: {wrong}"
    return ""


def main() -> int:
    """Runs the cases."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--sectile", required=True)
    parser.add_argument("--cases", type=int, default=24)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with open("/proc/cpuinfo", encoding="utf-8") as text:
        flags = text.read()
    levels = ["sse4", *(["avx2"] if " avx2 " in flags else []), *(["avx512"] if " avx512vl " in flags else [])]
    levels += ["avx512vnni"] if " avx512_vnni " in flags and " avx512vbmi " in flags else []
    passed = failed = 0
    for seed in range(options.seed, options.seed + options.cases):
        with tempfile.TemporaryDirectory() as folder:
            wrong = try_case(options.sectile, np.random.default_rng(seed), folder, levels)
        if wrong:
            print(f"FAILED: seed {seed}: {wrong}")
        failed += bool(wrong)
        passed += not wrong
    print(f"{passed} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
