# This file is part of the Sectile project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Tests of sectile.compile, load and check against numpy and the reference evaluator."""

import doctest
import gc
import importlib
import os
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import typing
import unittest
import unittest.mock
import warnings

import numpy as np
import onnx
import onnx.helper
import onnx.numpy_helper
import onnx.parser

import sectile
import sectile_reference

HERE = os.path.dirname(os.path.realpath(__file__))
PYTHON = os.path.join(HERE, "..", "..", "python")
HAS_COMPILER = os.access(os.path.join(PYTHON, "..", "build", "bin", "sectile"), os.X_OK)


def parse(graph: str, opset: int = 17) -> onnx.ModelProto:
    """A model in ONNX's text form."""
    return onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["" : {opset}]> {graph}')


MIXED = """mixed (float[batch, 5] x, float[5, 3] w, int64[batch] k) => (float[batch, 3] y, int64[batch] z) {
    p = MatMul (x, w)
    y = Tanh (p)
    z = Add (k, k)
}"""


@unittest.skipUnless(HAS_COMPILER, "the compiler is not built")
class CompileTest(unittest.TestCase):
    """From models to arrays."""

    @classmethod
    def setUpClass(cls) -> None:
        cls.folder = tempfile.TemporaryDirectory()
        cls.proto = parse(MIXED)
        cls.model = sectile.compile(cls.proto)

    @classmethod
    def tearDownClass(cls) -> None:
        cls.folder.cleanup()

    def place(self, name: str) -> str:
        return os.path.join(self.folder.name, name)

    def draw(self, batch: int, seed: int = 0):
        rng = np.random.default_rng(seed)
        return {
            "x": rng.standard_normal((batch, 5)).astype(np.float32),
            "w": rng.standard_normal((5, 3)).astype(np.float32),
            "k": rng.integers(-(2**40), 2**40, batch),
        }

    def compare(self, got, inputs) -> None:
        expected = sectile_reference.run(self.proto, inputs)
        np.testing.assert_allclose(got["y"], expected["y"].array, rtol=2e-6, atol=1e-6)
        np.testing.assert_array_equal(got["z"], expected["z"].array)

    def test_sources_give_the_same_model(self) -> None:
        path = self.place("mixed.onnx")
        onnx.save(self.proto, path)
        inputs = self.draw(7)
        for source in (path, self.proto.SerializeToString(), self.proto):
            self.compare(sectile.compile(source).run(inputs), inputs)

    def test_random_sizes(self) -> None:
        for batch in (0, 1, 2, 13, 64, 65, 257):
            inputs = self.draw(batch, batch)
            self.compare(self.model.run(inputs), inputs)

    def test_positional_and_named(self) -> None:
        inputs = self.draw(4)
        y, z = self.model(inputs["x"], k=inputs["k"], w=inputs["w"])
        self.compare({"y": y, "z": z}, inputs)

    def test_results_stay(self) -> None:
        first, second = self.draw(9, 1), self.draw(9, 2)
        kept = self.model.run(first)
        other = self.model.run(second)
        self.compare(kept, first)
        self.compare(other, second)
        kept["y"][...] = 0  # and are the caller's to write
        self.compare(other, second)

    def test_results_outlive_the_model(self) -> None:
        inputs = self.draw(6)
        model = sectile.compile(self.proto)
        results, path = model.run(inputs), model.path
        del model
        gc.collect()
        self.compare(results, inputs)
        self.assertFalse(os.path.exists(os.path.dirname(path)))

    def test_strided_and_swapped_arrays(self) -> None:
        inputs = self.draw(8)
        strided = {
            "x": np.asfortranarray(inputs["x"]),
            "w": np.repeat(inputs["w"], 2, axis=1)[:, ::2],
            "k": inputs["k"][::-1].copy()[::-1],
        }
        self.compare(self.model.run(strided), inputs)
        raw = bytearray(inputs["x"].nbytes + 1)
        shifted = np.frombuffer(raw, np.float32, inputs["x"].size, 1).reshape(inputs["x"].shape)
        shifted[...] = inputs["x"]
        self.compare(self.model.run({**inputs, "x": shifted}), inputs)
        with self.assertRaisesRegex(sectile.RunError, "input 'x': .*float32, bytes swapped"):
            self.model.run({**inputs, "x": inputs["x"].astype(">f4")})

    def test_dims_fix_sizes(self) -> None:
        model = sectile.compile(self.proto, dims={"batch": 3})
        self.assertEqual(model.inputs[0].shape, (3, 5))
        inputs = self.draw(3)
        self.compare(model.run(inputs), inputs)
        with self.assertRaisesRegex(sectile.RunError, "expects 3 in dimension 0, but got 4"):
            model.run(self.draw(4))

    def test_description(self) -> None:
        model = self.model
        self.assertEqual(
            [str(t) for t in model.inputs], ["x: f32[batch, 5]", "w: f32[5, 3]", "k: i64[batch]"]
        )
        self.assertEqual([t.name for t in model.outputs], ["y", "z"])
        nodes = sorted(node for kernel in model.kernels for node in kernel.nodes)
        self.assertEqual(nodes, ["Add_2", "MatMul_0", "Tanh_1"])

    def test_options_reach_the_compiler(self) -> None:
        output, dump = self.place("kept.stp"), self.place("dump")
        model = sectile.compile(
            self.proto, output=output, cpu_levels=["avx2"], fp="strict", explain=True, dump_dir=dump, threads=1
        )  # fmt: skip
        self.assertEqual((model.cpu_level, model.threads, model.path), ("avx2", 1, output))
        self.assertIn("Tanh", model.explanation)
        self.assertTrue(os.listdir(dump))
        del model
        gc.collect()
        inputs = self.draw(5)
        self.compare(sectile.load(output).run(inputs), inputs)

    def test_mlir(self) -> None:
        path = self.place("add.mlir")
        with open(path, "w", encoding="utf-8") as file:
            file.write("""func.func @main(%a: tensor<3xf32>) -> tensor<3xf32> {
              %e = tensor.empty() : tensor<3xf32>
              %0 = linalg.add ins(%a, %a : tensor<3xf32>, tensor<3xf32>) outs(%e : tensor<3xf32>) -> tensor<3xf32>
              return %0 : tensor<3xf32> }""")
        np.testing.assert_array_equal(sectile.compile(path)(np.float32([1, 2, 3])), [2, 4, 6])

    def test_save(self) -> None:
        path, inputs = self.place("saved.stp"), self.draw(5)
        model = sectile.compile(self.proto, output=self.place("first.stp"))
        os.replace(self.place("first.stp"), self.place("moved.stp"))
        with open(self.place("first.stp"), "wb") as file:
            file.write(b"another file of that name")
        model.save(path)
        self.compare(sectile.load(path).run(inputs), inputs)
        self.assertFalse(
            [name for name in os.listdir(self.folder.name) if name.startswith(".sectile")]
        )
        with self.assertRaises(FileNotFoundError):
            model.save(self.place("absent/x.stp"))

    def test_weights_beside_the_package(self) -> None:
        weight = np.random.default_rng(5).standard_normal((260, 260), np.float32)
        graph = onnx.helper.make_graph(
            [onnx.helper.make_node("MatMul", ["x", "w"], ["y"])],
            "product",
            [onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [3, 260])],
            [onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [3, 260])],
            [onnx.numpy_helper.from_array(weight, "w")],
        )
        proto = onnx.helper.make_model(
            graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8
        )
        output = self.place("beside.stp")
        model = sectile.compile(proto, output=output, weights="external:product")
        self.assertEqual(len(os.listdir(self.place("product"))), 1)
        self.assertLess(os.path.getsize(output), weight.nbytes)
        os.mkdir(self.place("elsewhere"))
        saved = self.place("elsewhere/saved.stp")
        model.save(saved)
        x = np.ones((3, 260), np.float32)
        np.testing.assert_array_equal(sectile.load(saved)(x), model(x))
        np.testing.assert_allclose(model(x), x @ weight, rtol=1e-4, atol=1e-4)
        # Without a place of its own it lasts as long as the result.
        np.testing.assert_array_equal(sectile.compile(proto, weights="external")(x), model(x))
        with self.assertRaisesRegex(sectile.CompileError, "expects --weights"):
            sectile.compile(proto, weights="outside")

    def test_time_budget(self) -> None:
        proto = onnx.parser.parse_model("""
            <ir_version: 8, opset_import: ["" : 17]>
            product (float[rows, 96] x, float[96, 64] w) => (float[rows, 64] y) { y = MatMul (x, w) }""")
        tuned = sectile.compile(proto, time_budget=60, measure_dims={"rows": 40}, explain=True)
        rng = np.random.default_rng(8)
        x, w = (rng.standard_normal(shape, np.float32) for shape in ((7, 96), (96, 64)))
        np.testing.assert_allclose(tuned(x, w), x @ w, rtol=1e-4, atol=1e-4)
        with self.assertWarnsRegex(sectile.CompileWarning, "time-budget.*rows"):
            sectile.compile(proto, time_budget=1)
        with self.assertRaisesRegex(sectile.CompileError, "goes with --time-budget"):
            sectile.compile(proto, measure_dims={"rows": 40})

    def test_threads_of_the_caller(self) -> None:
        inputs = [self.draw(50 + i, i) for i in range(4)]
        failures = []

        def work(mine) -> None:
            try:
                for _ in range(50):
                    self.compare(self.model.run(mine), mine)
            except BaseException as error:  # noqa: BLE001  handed to the main thread
                failures.append(error)

        threads = [threading.Thread(target=work, args=(mine,)) for mine in inputs]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(failures, [])

    def test_the_lock_is_released(self) -> None:
        large = sectile.compile(
            parse(
                "large (float[n, n] x) => (float[n, n] y) { a = MatMul (x, x) b = MatMul (a, x) y = MatMul (b, x) }"
            ),
            threads=1,
        )
        x = np.zeros((1500, 1500), np.float32)
        done = threading.Event()
        runner = threading.Thread(target=lambda: (large(x), done.set()))
        steps = 0
        runner.start()
        while not done.wait(0.001):
            steps += 1
        runner.join()
        self.assertGreater(steps, 10)

    def test_fork(self) -> None:
        model = sectile.compile(self.proto, threads=2)
        single = sectile.compile(self.proto, threads=1)
        inputs = self.draw(300)
        model.run(inputs)
        child = os.fork()
        if child == 0:
            status = 1
            try:
                self.compare(single.run(inputs), inputs)
                model.run(inputs)
            except sectile.RunError as error:
                status = 0 if "forked" in str(error) else 2
            finally:
                os._exit(status)
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), 0)

    def test_benchmark(self) -> None:
        result = self.model.benchmark(self.draw(31), repeat=25)
        self.assertEqual(result.rounds, 25)
        self.assertEqual({k.name for k in result.kernels}, {k.name for k in self.model.kernels})
        self.assertTrue(0 < result.min_us <= result.median_us <= result.p90_us)
        self.assertIn("host", str(result))
        self.assertEqual(self.model.benchmark(dims={"batch": 5}, repeat=3).rounds, 3)
        with self.assertRaisesRegex(sectile.RunError, "'y'"):
            self.model.benchmark({"y": np.zeros(1)})
        with self.assertRaisesRegex(sectile.RunError, "batch"):
            self.model.benchmark(repeat=3)

    def test_alias(self) -> None:
        proto = parse("""cache (float[2, past, 3] old, float[2, 1, 3] new) => (float[2, total, 3] grown) {
            grown = Concat <axis = 1> (old, new) }""")
        model = sectile.compile(proto, aliases=["old:grown,past=8"])
        self.assertEqual(model.aliases, (sectile.Alias("old", "grown", 1, 8),))
        buffer = np.full((2, 8, 3), np.nan, np.float32)
        rows = np.random.default_rng(3).standard_normal((8, 2, 1, 3)).astype(np.float32)
        for past in range(8):
            grown = model(buffer[:, :past], rows[past])
            self.assertTrue(np.shares_memory(grown, buffer))
            np.testing.assert_array_equal(grown, np.concatenate(rows[: past + 1], axis=1))
        np.testing.assert_array_equal(buffer, np.concatenate(rows, axis=1))
        for wrong in (
            np.zeros((2, 2, 3), np.float32),  # no room
            np.zeros((2, 0, 3), np.float32),
            np.zeros((2, 16, 3), np.float32)[:, :2],  # other strides
            np.zeros((3, 8, 3), np.float32)[2:, :2].repeat(2, axis=0),
            np.broadcast_to(buffer, buffer.shape)[:, :2],  # read-only
            [1.0],
        ):
            with self.assertRaisesRegex(sectile.RunError, "'old', which an output shares"):
                model(wrong, rows[0])
        with self.assertRaisesRegex(sectile.RunError, "8"):
            model(buffer, rows[0])  # full

    def test_bad_models(self) -> None:
        bad = parse("bad (float[4] x) => (float[4] y) { y = Unheard (x) }")
        with self.assertRaisesRegex(sectile.CompileError, "Unheard") as caught:
            sectile.compile(bad)
        self.assertEqual(caught.exception.status, 1)
        self.assertNotIn(tempfile.gettempdir(), str(caught.exception))
        gaps = sectile.check(bad)
        self.assertEqual(len(gaps), 1)
        self.assertIn("Unheard", str(gaps[0]))
        self.assertEqual(sectile.check(self.proto), [])
        for source, reason in (
            (b"no model", "bytes"),
            (b"", "bytes"),
            (self.place("absent.onnx"), "absent.onnx"),
            (self.folder.name, os.path.basename(self.folder.name)),
        ):
            for function in (sectile.compile, sectile.check):
                with self.assertRaisesRegex(sectile.CompileError, reason):
                    function(source)
        with self.assertRaisesRegex(TypeError, "but got int"):
            sectile.compile(3)

    def test_bad_options(self) -> None:
        for options, reason in (
            ({"dims": {"batch": -1}}, "batch"),
            ({"dims": {"batch": 2.5}}, "2.5"),
            ({"dims": {"batch": True}}, "True"),
            ({"dims": {"a,b": 1}}, "a,b"),
            ({"target": "tpu"}, "tpu"),
            ({"fp": "loose"}, "loose"),
            ({"cpu_levels": ["mmx"]}, "mmx"),
            ({"cpu_levels": []}, "levels"),
            ({"aliases": "x"}, "alias"),
            ({"aliases": ["x:nothing"]}, "nothing"),
            ({"output": self.place("absent/x.stp")}, "absent"),
        ):
            with self.assertRaisesRegex(sectile.CompileError, reason):
                sectile.compile(self.proto, **options)
        with self.assertRaisesRegex(sectile.LoadError, "none"):
            sectile.compile(self.proto, cpu_level="none")

    def test_bad_inputs(self) -> None:
        inputs = self.draw(4)
        for change, reason in (
            ({"x": inputs["x"][:, :4]}, "expects 5 in dimension 1, but got 4"),
            ({"k": inputs["k"][:3]}, "'k'.*batch|batch.*'k'"),
            ({"x": inputs["x"].astype(np.float64)}, "'x'.*f32.*f64"),
            ({"x": inputs["x"].astype(complex)}, "'x': no element type for complex128"),
            ({"x": inputs["x"].astype(object)}, "'x': no element type for object"),
            ({"x": inputs["x"].tolist()}, "'x': expects a numpy array .* but got list"),
            ({"x": None}, "NoneType"),
            ({"x": np.ma.masked_invalid(inputs["x"])}, "mask"),
            ({"extra": inputs["x"]}, "extra"),
        ):
            with self.assertRaisesRegex(sectile.RunError, reason):
                self.model.run({**inputs, **change})
        with self.assertRaisesRegex(sectile.RunError, "expects 3 inputs .* but got 4"):
            self.model(1, 2, 3, 4)
        with self.assertRaisesRegex(sectile.RunError, "twice"):
            self.model(inputs["x"], x=inputs["x"])
        self.compare(self.model.run(inputs), inputs)

    def test_bad_packages(self) -> None:
        damaged = self.place("damaged.stp")
        self.model.save(damaged)
        with open(damaged, "r+b") as file:
            file.truncate(os.path.getsize(damaged) // 2)
        with open(self.place("text.stp"), "w", encoding="utf-8") as file:
            file.write("no package")
        for name in ("damaged.stp", "text.stp", "absent.stp", "."):
            with self.assertRaises(sectile.LoadError):
                sectile.load(self.place(name))

    def test_a_crash_of_the_compiler_is_an_exception(self) -> None:
        for script, reason in (
            ("kill -SEGV $$", "SIGSEGV"),
            ("echo 'sectile: error: internal error: it' >&2; exit 70", "internal error: it"),
        ):
            program = self.place("crash")
            with open(program, "w", encoding="utf-8") as file:
                file.write(f"#!/bin/sh\n{script}\n")
            os.chmod(program, stat.S_IRWXU)
            with unittest.mock.patch.dict(os.environ, {"SECTILE_COMPILER": program}):
                with self.assertRaisesRegex(sectile.CompilerCrash, reason):
                    sectile.compile(self.proto)
        with unittest.mock.patch.dict(os.environ, {"SECTILE_COMPILER": self.place("absent")}):
            with self.assertRaisesRegex(sectile.CompileError, "cannot be started"):
                sectile.compile(self.proto)

    def test_warnings_of_the_compiler(self) -> None:
        program = self.place("warn")
        real = sectile.program.find_program()
        with open(program, "w", encoding="utf-8") as file:
            file.write(f"#!/bin/sh\necho 'sectile: warning: careful' >&2\nexec {real} \"$@\"\n")
        os.chmod(program, stat.S_IRWXU)
        with unittest.mock.patch.dict(os.environ, {"SECTILE_COMPILER": program}):
            with self.assertWarnsRegex(sectile.CompileWarning, "careful"):
                sectile.compile(self.proto)

    def test_an_interrupt_ends_the_compiler(self) -> None:
        program = self.place("slow")
        with open(program, "w", encoding="utf-8") as file:
            # Some time after it began: an interrupt while Python starts a process leaves that alone.
            file.write(f"#!/bin/sh\nsleep 0.5\necho $$ >{self.place('pid')}\nexec sleep 60\n")
        os.chmod(program, stat.S_IRWXU)
        # A shell's background jobs, which tests may be one of, start with the signal ignored.
        code = (
            "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
            f"import sectile; sectile.compile({self.place('mixed.onnx')!r})"
        )
        child = subprocess.Popen(
            [sys.executable, "-c", code],
            env={**os.environ, "SECTILE_COMPILER": program, "PYTHONPATH": PYTHON},
            stderr=subprocess.PIPE,
        )
        while not os.path.exists(self.place("pid")) or not os.path.getsize(self.place("pid")):
            self.assertIsNone(child.poll())
        child.send_signal(signal.SIGINT)
        self.assertIn(b"KeyboardInterrupt", child.communicate()[1])
        with open(self.place("pid"), encoding="utf-8") as file:
            with self.assertRaises(ProcessLookupError):
                os.kill(int(file.read()), 0)


class DocumentationTest(unittest.TestCase):
    """Examples run, annotations are true."""

    MODULES = ("", ".aliases", ".benchmark", ".compiler", ".dtypes", ".errors", ".library", ".model", ".program",
               ".quantizer", ".runtime", ".tensors")  # fmt: skip

    @unittest.skipUnless(HAS_COMPILER, "the compiler is not built")
    def test_examples(self) -> None:
        attempted = 0
        for name in self.MODULES:
            result = doctest.testmod(importlib.import_module("sectile" + name))
            self.assertEqual(result.failed, 0)
            attempted += result.attempted
        self.assertGreater(attempted, 10)

    def test_annotations_resolve(self) -> None:
        for name in sectile.__all__:
            thing = getattr(sectile, name)
            functions = [thing] if not isinstance(thing, type) else vars(thing).values()
            for function in functions:
                if callable(function) and hasattr(function, "__annotations__"):
                    typing.get_type_hints(function, localns={"Model": sectile.Model})
            self.assertTrue(thing.__doc__, name)

    def test_mypy(self) -> None:
        python = os.environ.get("SECTILE_MYPY_PYTHON", sys.executable)
        if subprocess.run(
            [python, "-c", "import mypy"], stderr=subprocess.DEVNULL, check=False
        ).returncode:
            self.skipTest("mypy is not installed; SECTILE_MYPY_PYTHON names a Python that has it")
        done = subprocess.run(
            [python, "-m", "mypy", "--strict", "--ignore-missing-imports", os.path.join(PYTHON, "sectile")],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        self.assertEqual(done.returncode, 0, done.stdout)


warnings.simplefilter("error", sectile.CompileWarning)

if __name__ == "__main__":
    unittest.main()
