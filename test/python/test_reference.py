# This file is part of the Sectile project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Tests of the reference evaluator that the ONNX node tests do not cover, and of the accept rule."""

import unittest

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from sectile_reference import EXACT, NATIVE, ROUNDED, UnsupportedError, run
from sectile_reference.compare import (
    Draw,
    draws_needed,
    judge,
    judge_draws,
    measure,
    one_rounding,
)
from sectile_reference.tensors import BFLOAT16, FLOAT, FLOAT16, Tensor, round_to


def _model(nodes, inputs, outputs, opset=17, initializers=(), domain=""):
    def infos(entries):
        return [helper.make_tensor_value_info(name, kind, None) for name, kind in entries]

    graph = helper.make_graph(nodes, "test", infos(inputs), infos(outputs), list(initializers))
    return helper.make_model(graph, opset_imports=[helper.make_opsetid(domain, opset)])


def _unary(op, x, opset=17, kind=FLOAT, mode=EXACT, extra=(), **attributes):
    """Runs one node on `x` and constants."""
    constants = [numpy_helper.from_array(np.asarray(v), f"c{i}") for i, v in enumerate(extra)]
    node = helper.make_node(op, ["x"] + [c.name for c in constants], ["y"], **attributes)
    model = _model([node], [("x", kind)], [("y", kind)], opset, constants)
    return run(model, {"x": x}, mode)["y"]


class RoundingTest(unittest.TestCase):
    """Rounding to narrow formats, against numpy where it has the format."""

    def test_float16_matches_numpy(self) -> None:
        bits = np.arange(0, 0x7C00, dtype=np.uint16)
        exact = bits.view(np.float16).astype(np.float64)
        between = (exact[:-1] + exact[1:]) / 2
        near = np.concatenate([exact, between, between * (1 + 1e-12), between * (1 - 1e-12)])
        near = np.concatenate([near, -near, [65519.999, 65520, 1e30, np.inf, -np.inf, 0.0]])
        with np.errstate(over="ignore"):
            np.testing.assert_array_equal(round_to(near, FLOAT16), near.astype(np.float16))

    def test_bfloat16_rounds_ties_to_even(self) -> None:
        values = np.array([1 + 2**-8, 1 + 3 * 2**-8, 1 + 2**-8 + 2**-20, 3.4e38, 1e-40, np.nan])
        got = round_to(values, BFLOAT16)
        np.testing.assert_array_equal(got[:4], [1, 1 + 2**-6, 1 + 2**-7, np.inf])
        self.assertLess(abs(got[4] - 1e-40), 2.0**-134)
        self.assertTrue(np.isnan(got[5]))

    def test_modes(self) -> None:
        third = np.array([1 / 3, np.inf], np.float16)
        exact = _unary("Mul", third, kind=FLOAT16, extra=[np.array(3, np.float16)])
        self.assertNotEqual(exact.array[0], 1.0)
        for mode in (ROUNDED, NATIVE):
            rounded = _unary("Mul", third, kind=FLOAT16, mode=mode, extra=[np.array(3, np.float16)])
            np.testing.assert_array_equal(rounded.array, [1.0, np.inf])


class OpsetTest(unittest.TestCase):
    """Operators whose meaning changed with the opset."""

    x = np.arange(24, dtype=np.float32).reshape(2, 3, 4)

    def test_softmax_flattens_before_13(self) -> None:
        flat = _unary("Softmax", self.x, opset=11).array
        np.testing.assert_allclose(flat.sum((1, 2)), 1)
        np.testing.assert_allclose(_unary("Softmax", self.x, opset=13).array.sum(-1), 1)

    def test_axes_as_attribute_or_input(self) -> None:
        old = _unary("ReduceMean", self.x, opset=17, axes=[1], keepdims=0).array
        new = _unary("ReduceMean", self.x, opset=18, extra=[np.array([1])], keepdims=0).array
        np.testing.assert_array_equal(old, new)
        old = _unary("Squeeze", self.x[:1], opset=11, axes=[0]).array
        new = _unary("Squeeze", self.x[:1], opset=13, extra=[np.array([0])]).array
        np.testing.assert_array_equal(old, new)

    def test_clip_bounds(self) -> None:
        old = _unary("Clip", self.x, opset=6, min=2.0, max=5.0).array
        new = _unary("Clip", self.x, opset=13, extra=[np.float32(2), np.float32(5)]).array
        np.testing.assert_array_equal(old, new)

    def test_slice_bounds(self) -> None:
        old = _unary("Slice", self.x, opset=9, starts=[1, -3], ends=[100, -1], axes=[1, 2]).array
        extra = [np.array([1, -3]), np.array([100, -1]), np.array([1, 2])]
        np.testing.assert_array_equal(old, _unary("Slice", self.x, opset=10, extra=extra).array)
        extra = [np.array([-1]), np.array([-(2**63) + 1]), np.array([2]), np.array([-1])]
        back = _unary("Slice", self.x, opset=13, extra=extra).array
        np.testing.assert_array_equal(back, self.x[:, :, ::-1])

    def test_add_of_opset_6_aligns_at_axis(self) -> None:
        row = np.array([10, 20, 30], np.float32)
        got = _unary("Add", self.x, opset=6, extra=[row], broadcast=1, axis=1).array
        np.testing.assert_array_equal(got, self.x + row[:, None])

    def test_split_into_uneven_outputs(self) -> None:
        node = helper.make_node("Split", ["x"], ["a", "b"], axis=1, num_outputs=2)
        model = _model([node], [("x", FLOAT)], [("a", FLOAT), ("b", FLOAT)], 18)
        a, b = (t.array for t in run(model, {"x": self.x}).values())
        self.assertEqual((a.shape[1], b.shape[1]), (2, 1))

    def test_integer_division_truncates(self) -> None:
        x = np.array([7, -7, 7, -7, 1], np.int32)
        got = _unary(
            "Div", x, kind=TensorProto.INT32, extra=[np.array([2, 2, -2, -2, 0], np.int32)]
        )
        np.testing.assert_array_equal(got.array, [3, -3, -3, 3, 0])

    def test_quantize_rounds_to_even_and_saturates(self) -> None:
        x = np.array([0.25, 0.75, 1.25, -1000, 1000], np.float32)
        got = _unary("QuantizeLinear", x, extra=[np.float32(0.5), np.int8(0)])
        np.testing.assert_array_equal(got.array, [0, 2, 2, -128, 127])
        self.assertEqual(got.array.dtype, np.int8)

    def test_conv_against_a_direct_loop(self) -> None:
        rng = np.random.default_rng(0)
        x = rng.standard_normal((2, 4, 7, 6)).astype(np.float32)
        w = rng.standard_normal((6, 2, 3, 2)).astype(np.float32)
        got = _unary(
            "Conv", x, extra=[w], group=2, strides=[2, 1], dilations=[1, 2], pads=[1, 0, 2, 1]
        ).array
        padded = np.pad(x.astype(np.float64), [(0, 0), (0, 0), (1, 2), (0, 1)])
        expected = np.zeros(got.shape)
        for n, o, i, j in np.ndindex(*got.shape):
            for c, r, s in np.ndindex(*w.shape[1:]):
                expected[n, o, i, j] += (
                    padded[n, o // 3 * 2 + c, 2 * i + r, j + 2 * s] * w[o, c, r, s]
                )
        np.testing.assert_allclose(got, expected, rtol=1e-12, atol=1e-12)

    def test_an_unknown_operator_is_named(self) -> None:
        with self.assertRaisesRegex(UnsupportedError, "operator Frobnicate is not known"):
            _unary("Frobnicate", self.x)


class AcceptRuleTest(unittest.TestCase):
    """The rule of sectile_reference.compare."""

    model = _model([helper.make_node("Relu", ["x"], ["y"])], [("x", FLOAT)], [("y", FLOAT)])

    def _good(self, reference, result, peer) -> bool:
        tensor = Tensor(np.asarray(reference, np.float64), FLOAT)
        results = {"y": np.asarray(result, np.float32)}
        verdict = judge(self.model, {"y": tensor}, results, {"y": np.asarray(peer, np.float32)})
        return verdict[0].good

    def test_twice_the_peer_and_one_rounding(self) -> None:
        rounding = one_rounding(FLOAT, 1.0)
        self.assertEqual(rounding, 2.0**-24)
        self.assertTrue(self._good([1, 0], [1, 2e-3], [1, 1e-3]))
        self.assertFalse(self._good([1, 0], [1, 2.1e-3], [1, 1e-3]))
        self.assertTrue(self._good([1, 0], [1, rounding], [1, 0]))
        self.assertFalse(self._good([1, 0], [1, 2 * rounding], [1, 0]))

    def test_largest_errors_are_taken_over_all_draws(self) -> None:
        def draw(result: float, peer: float) -> Draw:
            tensor = Tensor(np.ones(1), FLOAT)
            return Draw({"y": tensor}, {"y": np.float32([result])}, {"y": np.float32([peer])})

        lucky_peer, unlucky_peer = draw(1 + 2e-3, 1), draw(1, 1 + 1e-3)
        self.assertFalse(judge_draws(self.model, [lucky_peer])[0].good)
        self.assertTrue(judge_draws(self.model, [lucky_peer, unlucky_peer])[0].good)
        self.assertFalse(judge_draws(self.model, [draw(1 + 3e-3, 1), unlucky_peer])[0].good)
        shape = Draw({"y": Tensor(np.ones(2), FLOAT)}, {"y": np.ones(1)}, {"y": np.ones(2)})
        self.assertFalse(judge_draws(self.model, [unlucky_peer, shape])[0].good)

    def test_few_elements_need_more_draws(self) -> None:
        def needed(*sizes: int) -> int:
            return draws_needed({str(i): Tensor(np.ones(n), FLOAT) for i, n in enumerate(sizes)})

        self.assertEqual([needed(64), needed(0), needed(100, 31), needed(2, 0)], [1, 1, 2, 16])

    def test_a_wrong_peer_allows_nothing(self) -> None:
        self.assertFalse(self._good([1, 0], [np.nan, 0], [np.nan, 0]))

    def test_special_values_must_agree(self) -> None:
        self.assertTrue(self._good([np.nan, np.inf], [np.nan, np.inf], [np.nan, np.inf]))
        self.assertFalse(self._good([np.nan, 1], [1, 1], [np.nan, 1]))
        self.assertFalse(self._good([1, 1], [1, np.nan], [1, 1]))
        self.assertFalse(self._good([1, np.inf], [1, -np.inf], [1, np.inf]))

    def test_shapes_must_agree(self) -> None:
        error = measure(Tensor(np.zeros((2, 1)), FLOAT), np.zeros(2, np.float32))
        self.assertEqual(error.largest, np.inf)
        self.assertIn("expects shape (2, 1), but got (2,)", error.note)

    def test_integers_must_be_equal(self) -> None:
        reference = {"y": Tensor(np.arange(5), TensorProto.INT64)}
        peer = {"y": np.arange(5)}
        for result, good in ((np.arange(5), True), (np.arange(5) + 1, False),
                             (np.arange(5, dtype=np.int32), False)):  # fmt: skip
            self.assertEqual(judge(self.model, reference, {"y": result}, peer)[0].good, good)


if __name__ == "__main__":
    unittest.main()
