# This file is part of the Sectile project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""sectile.quantize: samples and files of weights from Python; test/tools looks at what is computed."""

from __future__ import annotations

import os
import sys
import tempfile
import unittest
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import sectile
from onnx import helper

HERE = os.path.dirname(os.path.realpath(__file__))
HAS_COMPILER = os.access(os.path.join(HERE, "..", "..", "build", "bin", "sectile"), os.X_OK)
sys.path.insert(0, os.path.join(HERE, "..", "Weights"))
from make_weights import gguf, safetensors  # noqa: E402


def make_model(weight: np.ndarray, name: str = "x") -> onnx.ModelProto:
    """The product of an input with a weight."""
    graph = helper.make_graph(
        [helper.make_node("MatMul", [name, "w"], ["y"], name="product")], "one", [helper.make_tensor_value_info(name, 1, ["n", 32])],
        [helper.make_tensor_value_info("y", 1, None)], [helper.make_tensor("w", 1, weight.shape, weight.ravel())])  # fmt: skip
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)


@unittest.skipUnless(HAS_COMPILER, "the compiler is not built")
class QuantizeTest(unittest.TestCase):
    """What the command line does, from Python."""

    def setUp(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.path = os.path.join(self.folder.name, "out.onnx")
        self.rng = np.random.default_rng(0)
        self.weight = self.rng.normal(size=(32, 6)).astype(np.float32)

    def quantize(self, name: str = "x", **options: Any) -> sectile.QuantizedWeights:
        """The result for a small model."""
        return sectile.quantize(make_model(self.weight, name), self.path, **options)

    def test_samples_are_arrays_or_files(self) -> None:
        samples = (self.rng.normal(size=(60, 5)) @ self.rng.normal(size=(5, 32))).astype(np.float32)
        archive = Path(self.folder.name) / "x.npz"
        np.savez(archive, x=samples[:20])
        results = []
        for calibrate in ({"x": samples}, [{"x": samples[20:]}, archive], {"x": samples.reshape(6, 10, 32)}):
            layer = self.quantize(format="int3,group=16", method="gptq", calibrate=calibrate)[0]
            self.assertLess(layer.output_errors["gptq"], layer.output_errors["rtn"])
            results.append(layer.relative_errors)
        for result in results[1:]:
            for method, error in results[0].items():
                self.assertAlmostEqual(result[method], error, delta=0.05 * error)

    def test_an_input_may_be_called_file(self) -> None:
        layer = self.quantize("file", format="int4", calibrate={"file": np.ones((2, 32), np.float32)})[0]
        self.assertEqual(list(layer.output_errors), ["rtn"])

    def test_weights_of_files(self) -> None:
        matrix = self.rng.normal(size=(6, 32)).astype(np.float32)
        tensors = Path(self.folder.name) / "w.safetensors"
        tensors.write_bytes(safetensors([("model.w", "F32", (6, 32), matrix.tobytes()), ("more", "U8", (0,), b"")]))
        layers = self.quantize(weights=tensors, rename=["s/^/model./"], transpose="^w$")
        self.assertEqual([(t.tensor, t.name, t.transposed) for t in layers.taken], [("w", "model.w", True), ("", "more", False)])
        self.assertEqual((layers[0].stays, layers.kept), ("no format is asked for", []))
        x = self.rng.normal(size=(3, 32)).astype(np.float32)
        np.testing.assert_allclose(sectile.compile(self.path)(x), x @ matrix.T, atol=1e-5)
        blocks = Path(self.folder.name) / "w.gguf"
        blocks.write_bytes(gguf([("w", "Q8_0", (6, 32), (b"\0\x3c" + bytes(range(32))) * 6)]))
        layers = self.quantize(weights=[blocks], transpose="w", format="int4")
        self.assertEqual((layers[0].source, layers[0].relative_error), ("Q8_0", 0.0))
        expected = np.repeat(x @ np.arange(32, dtype=np.float32)[:, None], 6, axis=1)
        np.testing.assert_allclose(sectile.compile(self.path)(x), expected, rtol=1e-4, atol=1e-3)

    def test_refusals(self) -> None:
        nan = np.full((1, 32), np.nan, np.float32)
        for options, message in (
            ({"format": "int4", "method": "gptq"}, "takes inputs"), ({"format": "int4", "calibrate": {"x": nan}}, "NaN at element 0"),
            ({"format": "int4", "calibrate": {"z": nan[:, :0]}}, "name of no input"), ({"weights": "/absent.gguf"}, "cannot be opened"),
            ({}, "expects --format"), ({"format": "int4", "calibrate": "/absent.npz"}, "cannot open"),
        ):  # fmt: skip
            with self.subTest(message), self.assertRaisesRegex(sectile.CompileError, message):
                self.quantize(**options)
            self.assertFalse(os.path.exists(self.path))


if __name__ == "__main__":
    unittest.main()
