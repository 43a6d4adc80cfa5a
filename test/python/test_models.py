# This file is part of the Sectile project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Tests of the model generator and of the inputs."""

import unittest

import numpy as np
import onnx

from sectile_models import MODELS, build
from sectile_models.inputs import make_inputs, parse_dims
from sectile_reference import EXACT, NATIVE, run


class ModelsTest(unittest.TestCase):
    """Each scaled-down model is well formed, repeatable and numerically tame."""

    def test_models_are_repeatable(self) -> None:
        for name in ("matmul_relu", "bert_dyn", "resnet18"):
            first, second = build(name, small=True), build(name, small=True)
            self.assertEqual(first.SerializeToString(), second.SerializeToString(), name)

    def test_native_arithmetic_is_near_exact(self) -> None:
        for name, spec in MODELS.items():
            with self.subTest(name):
                model = build(name, small=True)
                inputs = make_inputs(model, 3, spec.dims)
                exact, native = (run(model, inputs, mode) for mode in (EXACT, NATIVE))
                for output, tensor in exact.items():
                    scale = np.abs(tensor.array.astype(float)).max()
                    error = np.abs(native[output].array.astype(float) - tensor.array).max()
                    self.assertLess(scale, 300, output)
                    self.assertGreater(scale, 0.01, output)
                    self.assertLess(error, 1 if name == "qdq_gemm" else 2e-6 * max(scale, 1))

    def test_opsets_agree(self) -> None:
        for name in ("bert", "llama", "mobilenetv2", "unet"):
            spec, results = MODELS[name], []
            for opset in (11, 13, 17, 18):
                model = build(name, small=True, opset=opset)
                outputs = run(model, make_inputs(model, 0, spec.dims))
                results.append(next(iter(outputs.values())).array)
            for other in results[1:]:
                self.assertLess(np.abs(results[0] - other).max(), 1e-9, name)

    def test_dynamic_models_take_many_sizes(self) -> None:
        model = build("gpt2_dyn", small=True)
        for batch, seq in ((1, 1), (0, 3), (3, 5)):
            outputs = run(model, make_inputs(model, 0, dict(batch=batch, seq=seq)))
            self.assertEqual(outputs["logits"].array.shape, (batch, seq, 61))

    def test_batch_replaces_only_static_sizes(self) -> None:
        def first(name: str):
            model = build(name, small=True, batch=5)
            return model.graph.input[0].type.tensor_type.shape.dim[0]

        self.assertEqual(first("bert").dim_value, 5)
        self.assertEqual(first("bert_dyn").dim_param, "batch")


class InputsTest(unittest.TestCase):
    """Inputs suit what the model does with them."""

    def test_tokens_stay_within_the_vocabulary(self) -> None:
        model = build("bert_dyn", small=True)
        inputs = make_inputs(model, 1, parse_dims("batch=40, seq=30"))
        self.assertEqual(inputs["input_ids"].max(), 60)
        self.assertEqual(set(np.unique(inputs["token_type"])), {0, 1})
        mask = inputs["attention_mask"]
        self.assertTrue((np.diff(mask, axis=1) <= 0).all() and (mask[:, 0] == 1).all())

    def test_a_missing_size_is_named(self) -> None:
        with self.assertRaisesRegex(ValueError, "'input_ids': no size is given for 'seq'"):
            make_inputs(build("bert_dyn", small=True), 0, dict(batch=1))

    def test_initializers_are_no_inputs(self) -> None:
        model = build("matmul_relu", small=True)
        weight = model.graph.initializer[0]
        model.graph.input.append(
            onnx.helper.make_tensor_value_info(weight.name, weight.data_type, weight.dims)
        )
        self.assertEqual(list(make_inputs(model)), ["x"])


if __name__ == "__main__":
    unittest.main()
