# This file is part of the Sectile project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Runs torch_cases.py by a Python that has torch: SECTILE_TORCH_PYTHON, or the tests' own."""

import os
import subprocess
import sys
import unittest

HERE = os.path.dirname(os.path.realpath(__file__))
PYTHON = os.path.join(HERE, "..", "..", "python")
HAS_COMPILER = os.access(os.path.join(PYTHON, "..", "build", "bin", "sectile"), os.X_OK)


@unittest.skipUnless(HAS_COMPILER, "the compiler is not built")
class TorchTest(unittest.TestCase):
    """The back end of torch.compile."""

    def test_back_end(self) -> None:
        python = os.environ.get("SECTILE_TORCH_PYTHON", sys.executable)
        probe = "import torch, onnxscript; assert int(torch.__version__.split('.')[0]) >= 2"
        if subprocess.run([python, "-c", probe], capture_output=True, check=False).returncode:
            self.skipTest(
                "no torch 2 with onnxscript; SECTILE_TORCH_PYTHON names a Python that has it"
            )
        done = subprocess.run(
            [python, os.path.join(HERE, "torch_cases.py")],
            env={**os.environ, "PYTHONPATH": PYTHON}, capture_output=True, text=True, check=False,
        )  # fmt: skip
        last = done.stdout.strip().splitlines()[-1:] or [""]
        print(f"torch: {last[0]}")
        self.assertRegex(
            last[0], r"^[1-9]\d* passed, 0 failed, \d+ skipped$", done.stdout + done.stderr
        )


if __name__ == "__main__":
    unittest.main()
