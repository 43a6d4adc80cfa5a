# This file is part of the Sectile project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Where the tests are, and which of them say nothing about a compiler."""

from __future__ import annotations

import dataclasses
import glob
import os
import re
import subprocess
import zlib
from typing import Dict, List, Optional

import onnx

DEBIAN = "/usr/share/libonnx-testdata/data"
DEBIAN_SUITES = ("node", "simple", "pytorch-operator", "pytorch-converted")
WHEEL_SUITES = {"onnx-node": "node", "onnx-light": "light"}
"""Suites of the onnx package of another Python, by their folder in what export_wheel.py writes."""

RANDOM_OPERATORS = {
    "Bernoulli", "Multinomial", "RandomNormal", "RandomNormalLike", "RandomUniform",
    "RandomUniformLike",
}  # fmt: skip
TRAINING_DOMAIN = "ai.onnx.preview.training"

FLAWED = {
    r"_FLOAT_to_BFLOAT16(_expanded)?$": "the recorded values were truncated; the standard rounds",
    r"^test_castlike_BFLOAT16_to_FLOAT(_expanded)?$": "an input has another rank than its record",
    r"^test_(blackman|hamming|hann)window": "the recorded values were computed with pi = 3.1415",
}
"""Reasons not to compare tests of Debian's package, by patterns of their names."""

FLAWED_IN_WHEEL = {
    r"_to_FLOAT4E2M1(_expanded)?$": "a NaN has no code in float4e2m1, and none is defined for it",
    r"^test_quantizelinear_float4e2m1$": "a quotient of -0 was recorded as 0; it keeps its sign here",
    r"^test_dft_inverse(_opset19)?$": "a 0 was recorded as what rounding left of it, 1.9e-7",
    r"^light_inception_v1$": "softmax of equal logits of 1e21 tells apart how their sums were rounded",
}
"""The same for tests of the onnx package of PyPI."""


@dataclasses.dataclass(frozen=True)
class Test:
    """One test of one suite."""

    suite: str
    folder: str

    @property
    def name(self) -> str:
        """What results call it: tests of the wheel have names that Debian's have too."""
        base = os.path.basename(self.folder)
        return base if self.suite in DEBIAN_SUITES else f"{self.suite}/{base}"

    @property
    def model(self) -> str:
        """Path of the model."""
        return os.path.join(self.folder, "model.onnx")

    @property
    def data_sets(self) -> List[str]:
        """Folders of recorded inputs and outputs."""
        return sorted(glob.glob(os.path.join(glob.escape(self.folder), "test_data_set_*")))

    @property
    def sampled(self) -> bool:
        """Whether it is one of the sixteenth of all tests that is run most often."""
        return zlib.crc32(os.path.basename(self.folder).encode()) % 16 == 0


@dataclasses.dataclass
class Suites:
    """All tests that were found."""

    tests: List[Test]
    wheel: Optional[str]
    """Version of the onnx package that the wheel's suites come from."""


def export_wheel(python: str, folder: str) -> str:
    """Writes the tests of that Python's onnx package to `folder`; returns its version."""
    script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "export_wheel.py")
    done = subprocess.run([python, script, folder], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{python} {script} failed:\n{done.stderr}")
    return done.stdout.strip()


def find_suites(python: Optional[str], folder: str) -> Suites:
    """Debian's suites, and the wheel's where there is a `python` that has it; `folder` keeps them."""
    places = {suite: os.path.join(DEBIAN, suite) for suite in DEBIAN_SUITES}
    version = None
    if python:
        version = export_wheel(python, folder)
        places.update({suite: os.path.join(folder, sub) for suite, sub in WHEEL_SUITES.items()})
    tests = [
        Test(suite, os.path.dirname(model))
        for suite, place in places.items()
        for model in sorted(glob.glob(os.path.join(place, "*", "model.onnx")))
    ]
    return Suites(tests, version)


def _nodes(graph: onnx.GraphProto) -> List[onnx.NodeProto]:
    """The nodes of a graph and of the graphs in its nodes."""
    found = []
    for node in graph.node:
        found.append(node)
        for attribute in node.attribute:
            for inner in [attribute.g, *attribute.graphs]:
                found += _nodes(inner)
    return found


def why_not_comparable(test: Test, model: onnx.ModelProto) -> Optional[str]:
    """Why the recorded values of a test are not what every correct compiler computes, or None."""
    name = os.path.basename(test.folder)
    flawed = FLAWED if test.suite in DEBIAN_SUITES else FLAWED_IN_WHEEL
    for pattern, reason in flawed.items():
        if re.search(pattern, name):
            return reason
    nodes = _nodes(model.graph)
    for function in model.functions:
        nodes += function.node
    if any(node.domain == TRAINING_DOMAIN for node in nodes):
        return "training"
    if any(node.op_type in RANDOM_OPERATORS for node in nodes):
        return "random values"
    # A Dropout that drops: only the ratio 0 has one result.
    if name.startswith("test_training_dropout") and "zero_ratio" not in name:
        return "random values"
    return None


def by_suite(tests: List[Test]) -> Dict[str, List[Test]]:
    """The tests of each suite, in the order of their names."""
    result: Dict[str, List[Test]] = {}
    for test in tests:
        result.setdefault(test.suite, []).append(test)
    return result
