# This file is part of the Sectile project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Tests of torch.compile(backend="sectile") against eager mode; test_torch.py runs them by a Python that
has torch. The last line is "N passed, N failed, N skipped"."""

import sys
import unittest
import warnings

import sectile
import torch
from sectile.torch_backend import Unsupported
from sectile.torch_backend import sectile as backend


class Network(torch.nn.Module):
    """A bit of everything."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = torch.nn.Conv2d(3, 8, 3, padding=1)
        self.norm = torch.nn.BatchNorm2d(8)
        self.attention = torch.nn.MultiheadAttention(8, 2, batch_first=True)
        self.last = torch.nn.Linear(8, 5)

    def forward(self, x):
        y = torch.relu(self.norm(self.conv(x))).flatten(2).transpose(1, 2)
        y = y + self.attention(y, y, y, need_weights=False)[0]
        return torch.softmax(self.last(y.mean(1)), -1), y.argmax(1)


class TorchTest(unittest.TestCase):
    """Each test has graphs of its own."""

    def setUp(self) -> None:
        torch._dynamo.reset()
        torch.manual_seed(0)

    def twice(self, function, *inputs, **options):
        """Compiled function and whether its second call ran compiled; compares both with eager mode."""
        compiled = torch.compile(function, backend=backend, options={"fallback": False, **options})
        with torch.no_grad():
            for _ in range(3):
                torch.testing.assert_close(
                    compiled(*inputs), function(*inputs), rtol=1e-4, atol=1e-5
                )
        return compiled

    def test_network(self) -> None:
        for freeze in (False, True):
            torch._dynamo.reset()
            network = Network().eval()
            self.twice(network, torch.randn(2, 3, 9, 7), freeze=freeze)

    def test_it_does_run_compiled(self) -> None:
        calls = []
        original = sectile.Model.run

        def run(model, inputs):
            calls.append(model)
            return original(model, inputs)

        sectile.Model.run = run
        try:
            self.twice(lambda x: torch.tanh(x) * 2, torch.randn(5))
        finally:
            sectile.Model.run = original
        self.assertEqual(len(calls), 2)

    def test_new_parameters_are_seen(self) -> None:
        layer = torch.nn.Linear(4, 3)
        x = torch.randn(2, 4)
        compiled = self.twice(layer, x)
        with torch.no_grad():
            layer.weight.add_(1)
            torch.testing.assert_close(compiled(x), layer(x))
            layer.weight.data.mul_(3)
            torch.testing.assert_close(compiled(x), layer(x))
            layer.bias = torch.nn.Parameter(torch.randn(3))
            torch.testing.assert_close(compiled(x), layer(x))

    def test_frozen_parameters_that_change(self) -> None:
        layer = torch.nn.Linear(4, 3)
        x = torch.randn(2, 4)
        compiled = torch.compile(layer, backend=backend, options={"freeze": True})
        with torch.no_grad():
            for _ in range(3):
                torch.testing.assert_close(compiled(x), layer(x))
            layer.weight.add_(1)
            with self.assertWarnsRegex(sectile.CompileWarning, "a parameter changed"):
                torch.testing.assert_close(compiled(x), layer(x))
            torch.testing.assert_close(compiled(x), layer(x))

    def test_sizes(self) -> None:
        function = torch.compile(
            lambda x, y: torch.softmax(x @ y, -1), backend=backend, options={"fallback": False}
        )  # fmt: skip
        for _ in range(2):
            for rows, inner in ((3, 4), (5, 4), (1, 7), (0, 2), (6, 9)):
                x, y = torch.randn(rows, inner), torch.randn(inner, 5)
                torch.testing.assert_close(function(x, y), torch.softmax(x @ y, -1))

    def test_types_and_strides(self) -> None:
        for dtype in (
            torch.float32,
            torch.float64,
            torch.int64,
            torch.int32,
            torch.uint8,
            torch.bool,
        ):
            torch._dynamo.reset()
            x = (torch.arange(24) % 5).reshape(4, 6).to(dtype)
            self.twice(lambda x, y: torch.where(x == y, x, y), x.T, x[:, ::2].T.repeat(2, 1))
        torch._dynamo.reset()
        self.twice(lambda x: x.to(torch.bfloat16) * 2, torch.randn(7))
        torch._dynamo.reset()
        self.twice(lambda x: x + 1, torch.randn(3, 2).to(torch.bfloat16))

    def falls_back(self, reason, function, *inputs):
        compiled = torch.compile(function, backend=backend)
        with self.assertWarnsRegex(sectile.CompileWarning, reason):
            got = compiled(*inputs)
        with warnings.catch_warnings():
            warnings.simplefilter("error", sectile.CompileWarning)  # once per graph
            torch.testing.assert_close(compiled(*inputs), function(*inputs))
        torch._dynamo.reset()
        strict = torch.compile(function, backend=backend, options={"fallback": False})
        with self.assertRaisesRegex(Exception, "would run in eager mode"):
            strict(*inputs)
        return got

    def test_gradients(self) -> None:
        layer = torch.nn.Linear(3, 2)
        got = self.falls_back("gradients", layer, torch.randn(4, 3))
        got.sum().backward()
        self.assertIsNotNone(layer.weight.grad)

    @torch.no_grad()
    def test_left_to_eager_mode(self) -> None:
        x = torch.randn(4, 4)
        self.falls_back("view of an input", lambda x: x.view(16), x)
        self.falls_back("view of an input or of another", lambda x: ((y := x + 1), y[0]), x)
        self.falls_back("complex", lambda x: x * 2, torch.randn(3, dtype=torch.complex64))

    @torch.no_grad()
    def test_changed_inputs(self) -> None:
        def function(x):
            x.add_(1)
            return x * 2

        compiled = torch.compile(function, backend=backend)
        x, y = torch.zeros(3), torch.zeros(3)
        with self.assertWarnsRegex(sectile.CompileWarning, "changes its inputs"):
            compiled(x)
        compiled(x)
        function(function(y) * 0 + y)
        torch.testing.assert_close(x, torch.full((3,), 2.0))

    @torch.no_grad()
    def test_training_statistics(self) -> None:
        norm, same = torch.nn.BatchNorm1d(3), torch.nn.BatchNorm1d(3)
        compiled = torch.compile(norm, backend=backend)
        with self.assertWarns(sectile.CompileWarning):
            for i in range(3):
                x = torch.randn(5, 3) + i
                torch.testing.assert_close(compiled(x), same(x))
        torch.testing.assert_close(norm.running_mean, same.running_mean)

    @torch.no_grad()
    def test_random_numbers(self) -> None:
        compiled = torch.compile(torch.nn.Dropout(0.5).train(), backend=backend)
        x = torch.ones(1000)
        with self.assertWarnsRegex(sectile.CompileWarning, "random"):
            first = compiled(x)
        self.assertFalse(torch.equal(first, compiled(x)))

    @torch.no_grad()
    def test_number_of_sizes(self) -> None:
        function = torch.compile(
            lambda x: x.exp() * 3, backend=backend, options={"sizes": 2}, dynamic=True
        )
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            for n in (2, 3, 4, 5, 2, 4):
                x = torch.randn(n)
                torch.testing.assert_close(function(x), x.exp() * 3)
        reasons = [str(w.message) for w in caught if w.category is sectile.CompileWarning]
        self.assertTrue(
            len(reasons) == 1 and all("more than 2 sets of sizes" in reason for reason in reasons),
            reasons,
        )

    def test_bad_options(self) -> None:
        for more, reason in (
            ({"options": {"speed": 1}}, "speed"),
            ({"mode": "max-autotune"}, "mode"),
        ):
            with self.assertRaisesRegex(Exception, reason):
                torch.compile(lambda x: x + 1, backend=backend, **more)(torch.randn(2))
            torch._dynamo.reset()
        self.assertTrue(issubclass(Unsupported, sectile.SectileError))


if __name__ == "__main__":
    suite = unittest.defaultTestLoader.loadTestsFromTestCase(TorchTest)
    outcome = unittest.TextTestRunner(stream=sys.stdout).run(suite)
    bad = len(outcome.failures) + len(outcome.errors)
    print(
        f"{outcome.testsRun - bad - len(outcome.skipped)} passed, {bad} failed, {len(outcome.skipped)} skipped"
    )
    sys.exit(1 if bad else 0)
