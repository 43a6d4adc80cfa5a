# This file is part of the Sectile project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Tests of the binding, on a package written in C that adds two vectors."""

import os
import shutil
import subprocess
import tempfile
import unittest

import numpy as np

import sectile

ROOT = os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "..")
BUILT = os.environ.get("SECTILE_LIBRARY") or os.path.join(ROOT, "build", "lib", "libsectile.so")
SOURCE = os.path.join(ROOT, "test", "unit", "Runtime", "packages", "add.c")


@unittest.skipUnless(
    os.path.exists(BUILT) and os.path.exists(SOURCE) and shutil.which("clang-22"),
    "the runtime library is not built",
)
class BindingTest(unittest.TestCase):
    """Loading and running through ctypes."""

    @classmethod
    def setUpClass(cls) -> None:
        cls.folder = tempfile.TemporaryDirectory()
        cls.path = os.path.join(cls.folder.name, "add.stpk")
        subprocess.run(
            ["clang-22", "-O1", "-shared", "-fPIC", f"-I{ROOT}/include", SOURCE, "-o", cls.path],
            check=True,
        )

    @classmethod
    def tearDownClass(cls) -> None:
        cls.folder.cleanup()

    def test_run_at_several_sizes(self) -> None:
        package = sectile.Package(self.path, threads=2)
        self.assertEqual((package.inputs, package.outputs), (["a", "b"], ["c"]))
        context = sectile.Context(package)
        for count in (5, 1000, 0):
            a = np.arange(count, dtype=np.float32)
            result = context.run({"a": a, "b": 2 * a})["c"]
            np.testing.assert_array_equal(result, 3 * a)

    def test_repeated_calls_see_new_values(self) -> None:
        context = sectile.Context(sectile.Package(self.path))
        a = np.ones(7, np.float32)
        call = context.prepare({"a": a, "b": a})
        call.run()
        first = call.outputs()["c"]
        a[:] = 5
        call.run()
        np.testing.assert_array_equal(first, np.full(7, 2))
        np.testing.assert_array_equal(call.outputs()["c"], np.full(7, 10))

    def test_failures_carry_the_librarys_message(self) -> None:
        context = sectile.Context(sectile.Package(self.path))
        with self.assertRaisesRegex(sectile.SectileError, "expects .* but got"):
            context.run({"a": np.zeros(3, np.float32), "b": np.zeros(4, np.float32)})
        with self.assertRaisesRegex(sectile.SectileError, "expects rank 1, but got rank 0"):
            context.run({"a": np.array(1, np.float32), "b": np.array(2, np.float32)})
        with self.assertRaisesRegex(sectile.SectileError, r"expects inputs \['b'\]"):
            context.run({"a": np.zeros(3, np.float32)})
        with self.assertRaisesRegex(sectile.SectileError, "level"):
            sectile.Package(self.path, cpu_level="nonsense")
        with self.assertRaises(sectile.SectileError):
            sectile.Package(os.path.join(self.folder.name, "absent"))


if __name__ == "__main__":
    unittest.main()
