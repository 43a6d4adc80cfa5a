# This file is part of the Sectile project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Tests of the wheel: in an empty virtual environment, where LLVM is hidden."""

import glob
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import unittest

import numpy as np
import onnx
import onnx.parser
import sectile_build
import sectile_reference
from support import ROOT, clean_environment, run, without_llvm
from test_install import is_built

MODEL = """network (float[batch, 3, h, w] x, float[8, 3, 3, 3] k) => (float[batch, 8, m, n] y, int64[batch] best) {
    c = Conv <pads = [1, 1, 1, 1]> (x, k)
    r = Relu (c)
    y = Softmax <axis = 1> (r)
    s = GlobalAveragePool (c)
    f = Flatten (s)
    best = ArgMax <axis = 1, keepdims = 0> (f)
}"""

# What a user's first program does; run by the environment's Python.
PROGRAM = """
import os, sys, numpy as np, sectile
prefix = os.path.realpath(sys.prefix)
assert os.path.realpath(sectile.__file__).startswith(prefix), sectile.__file__
assert os.path.realpath(sectile.program.find_program()).startswith(prefix)
data = np.load("data.npz")
model = sectile.compile("model.onnx", output="model.stp")
y, best = model(data["x"], data["k"])
np.testing.assert_allclose(y, data["y"], rtol=1e-5, atol=1e-6)
np.testing.assert_array_equal(best, data["best"])
model.save("saved.stp")
again = sectile.load("saved.stp", threads=1).run({"x": data["x"], "k": data["k"]})
np.testing.assert_allclose(again["y"], data["y"], rtol=1e-5, atol=1e-6)
assert model.benchmark({"x": data["x"], "k": data["k"]}, repeat=3).rounds == 3
assert sectile.check("model.onnx") == []
try:
    sectile.compile(b"no model")
except sectile.CompileError as error:
    print("refused:", error)
else:
    raise AssertionError("a bad model was compiled")
libraries = [line.split()[-1] for line in open("/proc/self/maps") if "libsectile" in line]
assert libraries and all(os.path.realpath(path).startswith(prefix) for path in libraries), libraries
print("all is well with", sectile.__version__)
"""


def find_python() -> str:
    """A Python that can make virtual environments with pip."""
    for python in (sys.executable, shutil.which("python3") or ""):
        if not python:
            continue
        done = subprocess.run(
            [python, "-c", "import ensurepip, venv"], capture_output=True, check=False
        )
        if done.returncode == 0:
            return python
    raise unittest.SkipTest("no Python with venv and ensurepip")


@unittest.skipUnless(is_built(), "the compiler is not built")
class WheelTest(unittest.TestCase):
    """One wheel, installed once."""

    @classmethod
    def setUpClass(cls) -> None:
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        python = find_python()
        cls.wheel = run(["scripts/wheel", os.path.join(cls.folder.name, "dist")], cwd=ROOT).split()[
            -1
        ]
        cls.venv = os.path.join(cls.folder.name, "venv")
        cls.python = os.path.join(cls.venv, "bin", "python")
        run([python, "-m", "venv", cls.venv], env=clean_environment())
        cls.pip = [cls.python, "-m", "pip", "--disable-pip-version-check", "--no-input", "--quiet"]
        numpy = subprocess.run(
            [*cls.pip, "install", "--retries=1", "--timeout=15", "numpy>=1.23"],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if numpy.returncode:
            # Without a network the distribution's numpy does, where the Python is the distribution's.
            more = ["--clear", "--system-site-packages"]
            run([python, "-m", "venv", *more, cls.venv], env=clean_environment())
            probe = [cls.python, "-c", "import numpy"]
            if subprocess.run(probe, capture_output=True, check=False).returncode:
                reason = numpy.stderr.strip().splitlines()[-1]
                raise unittest.SkipTest(f"numpy cannot be installed here: {reason}")
        run([*cls.pip, "install", "--no-index", cls.wheel])

    def write_model(self) -> None:
        model = onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["" : 17]> {MODEL}')
        onnx.save(model, os.path.join(self.folder.name, "model.onnx"))
        rng = np.random.default_rng(1)
        inputs = {
            "x": rng.standard_normal((3, 3, 13, 17)).astype(np.float32),
            "k": rng.standard_normal((8, 3, 3, 3)).astype(np.float32),
        }
        outputs = {
            name: value.array for name, value in sectile_reference.run(model, inputs).items()
        }
        np.savez(os.path.join(self.folder.name, "data.npz"), **inputs, **outputs)

    def test_without_llvm(self) -> None:
        self.write_model()
        command = without_llvm([self.python, "-c", PROGRAM])
        output = run(command, cwd=self.folder.name, env=clean_environment())
        self.assertIn("refused: ", output)
        self.assertIn(f"all is well with {sectile_build._project()['version']}", output)

    def test_command(self) -> None:
        self.write_model()
        sectile = os.path.join(self.venv, "bin", "sectile")
        keywords = {"cwd": self.folder.name, "env": clean_environment()}
        version = run(without_llvm([sectile, "--version"]), **keywords)
        self.assertEqual(version.split(), ["sectile", sectile_build._project()["version"]])
        run(without_llvm([sectile, "compile", "model.onnx", "-o", "c.stp", "--quiet"]), **keywords)
        run(
            without_llvm([sectile, "run", "c.stp", "--dims=batch=2,h=4,w=5", "--quiet"]), **keywords
        )

    def test_pip_builds_the_same_wheel(self) -> None:
        out = os.path.join(self.folder.name, "pip")
        run([*self.pip, "wheel", "--no-deps", "--wheel-dir", out, ROOT])
        (wheel,) = glob.glob(out + "/*.whl")
        self.assertEqual(os.path.basename(wheel), os.path.basename(self.wheel))
        with open(wheel, "rb") as one, open(self.wheel, "rb") as other:
            self.assertEqual(one.read(), other.read())
        self.assertLess(os.path.getsize(wheel), 60e6)

    def test_metadata(self) -> None:
        run([*self.pip, "check"])
        code = "import importlib.metadata as m; d = m.distribution('sectile'); print(d.version, d.requires)"
        self.assertIn("numpy>=1.23", run([self.python, "-c", code], env=clean_environment()))
        code = "import sectile, os; print(os.path.exists(os.path.dirname(sectile.__file__) + '/py.typed'))"
        self.assertIn("True", run([self.python, "-c", code], env=clean_environment()))

    def test_editable(self) -> None:
        folder = os.path.join(self.folder.name, "editable")
        run([*self.pip, "install", "--no-deps", "--target", folder, "-e", ROOT])
        with open(os.path.join(folder, "sectile.pth"), encoding="utf-8") as file:
            self.assertEqual(file.read().strip(), os.path.join(ROOT, "python"))

    def test_source_distribution(self) -> None:
        if not os.path.exists(os.path.join(ROOT, ".git")):
            self.skipTest("no git checkout")
        name = sectile_build.build_sdist(self.folder.name)
        with tarfile.open(os.path.join(self.folder.name, name)) as archive:
            names = {member.split("/", 1)[1] for member in archive.getnames()}
        needed = {"PKG-INFO", "pyproject.toml", "python/sectile_build.py", "scripts/build"}
        self.assertEqual(needed - names, set())


class VersionTest(unittest.TestCase):
    """One version everywhere."""

    def test_version(self) -> None:
        import sectile

        self.assertEqual(sectile.__version__, sectile_build._project()["version"])


if __name__ == "__main__":
    unittest.main()
