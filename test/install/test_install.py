# This file is part of the Sectile project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Tests of the installed tree: the example project, CMake's function, pkg-config, Debian packages."""

import glob
import json
import os
import shutil
import subprocess
import tempfile
import unittest

import numpy as np
import onnx
import onnx.parser
from support import BUILD, ROOT, clean_environment, run, without_llvm

EXAMPLE = os.path.join(ROOT, "examples", "embedded")
COMPILERS = ["-DCMAKE_C_COMPILER=clang-22"]
DIRECTIONS = np.array([[1, 0, -1], [0, 1, -1]], np.float32)


def is_built() -> bool:
    """Whether there is something to install."""
    return os.access(os.path.join(BUILD, "bin", "sectile"), os.X_OK)


@unittest.skipUnless(is_built(), "the compiler is not built")
class InstallTest(unittest.TestCase):
    """One tree, installed once."""

    @classmethod
    def setUpClass(cls) -> None:
        cls.folder = tempfile.TemporaryDirectory()
        cls.prefix = os.path.join(cls.folder.name, "prefix")
        run(["cmake", "--install", BUILD, "--prefix", cls.prefix, "--strip"])
        cls.sectile = os.path.join(cls.prefix, "bin", "sectile")

    @classmethod
    def tearDownClass(cls) -> None:
        cls.folder.cleanup()

    def place(self, name: str) -> str:
        return os.path.join(self.folder.name, name)

    def configure(self, source: str, build: str, prefix: str, *options: str) -> str:
        paths = [f"-DCMAKE_PREFIX_PATH={prefix}", *COMPILERS, *options]
        return run(
            ["cmake", "-G", "Ninja", "-S", source, "-B", build, *paths], env=clean_environment()
        )

    def make(self, build: str) -> str:
        return run(["cmake", "--build", build], env=clean_environment())

    def check_classify(self, command, directions=DIRECTIONS, **keywords) -> None:
        for count in (0, 1, 5, 1024):
            points = np.random.default_rng(count).standard_normal((count, 2)).astype(np.float32)
            given = "".join(f"{x!r} {y!r}\n" for x, y in points.tolist())
            scores = np.maximum(points @ directions, 0)
            done = subprocess.run(
                command, input=given, capture_output=True, text=True, check=True, **keywords
            )
            got = np.array(done.stdout.split(), np.float64).reshape(count, 2)
            np.testing.assert_array_equal(got[:, 0], scores.argmax(1) if count else [])
            np.testing.assert_allclose(got[:, 1], scores.max(1, initial=0), rtol=1e-5)

    def test_example(self) -> None:
        build = self.place("example")
        self.configure(EXAMPLE, build, self.prefix)
        self.make(build)
        self.check_classify([os.path.join(build, "classify")])
        self.assertIn("no work to do", self.make(build))
        bin_folder = os.path.join(self.place("out"), "bin")
        run(["cmake", "--install", build, "--prefix", self.place("out")])
        program = [os.path.join(bin_folder, name) for name in ("classify", "classifier.stp")]
        path = {"LD_LIBRARY_PATH": os.path.join(self.prefix, "lib")}
        self.check_classify(program, env=clean_environment(**path))

    def test_moved_tree(self) -> None:
        moved, build = self.place("moved here"), self.place("moved-example")
        shutil.copytree(self.prefix, moved, symlinks=True)
        self.configure(EXAMPLE, build, moved)
        self.make(build)
        self.check_classify([os.path.join(build, "classify")])
        with open(os.path.join(build, "build.ninja"), encoding="utf-8") as file:
            text = file.read()
        self.assertNotIn(ROOT + "/build", text)

    def test_model_changes(self) -> None:
        source, build = self.place("changing"), self.place("changing-build")
        shutil.copytree(EXAMPLE, source)
        self.configure(source, build, self.prefix)
        self.make(build)
        model = os.path.join(source, "classifier.mlir")
        with open(model, encoding="utf-8") as file:
            text = file.read()
        with open(model, "w", encoding="utf-8") as file:
            file.write(text.replace("[1.0, 0.0, -1.0]", "[-2.0, 0.5, 3.0]"))
        self.assertIn("Compiling classifier.mlir", self.make(build))
        directions = np.array([[-2, 0.5, 3], [0, 1, -1]], np.float32)
        self.check_classify([os.path.join(build, "classify")], directions)

    def project(self, name: str, text: str, *options: str) -> str:
        """Builds a project with an ONNX model; returns its build folder."""
        source, build = self.place(name), self.place(name + "-build")
        os.makedirs(source, exist_ok=True)
        graph = """cache (float[batch, past, 4] old, float[batch, 1, 4] new) => (float[batch, total, 4] all) {
            all = Concat <axis = 1> (old, new) }"""
        model = onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["" : 17]> {graph}')
        onnx.save(model, os.path.join(source, "cache.onnx"))
        with open(os.path.join(source, "CMakeLists.txt"), "w", encoding="utf-8") as file:
            file.write("cmake_minimum_required(VERSION 3.18)\nproject(Test LANGUAGES C)\n" + text)
        self.configure(source, build, self.prefix, *options)
        self.make(build)
        return build

    def test_options_of_sectile_compile(self) -> None:
        build = self.project("options", """find_package(Sectile REQUIRED COMPONENTS compiler)
            sectile_compile(TARGET the-cache MODEL cache.onnx DIMS batch=3 ALIASES old:all,past=16
              CPU_LEVELS sse4 avx2 FP strict OUTPUT packages/c.stp)
            get_target_property(package the-cache SECTILE_PACKAGE)
            file(WRITE ${CMAKE_BINARY_DIR}/where "${package}")""")  # fmt: skip
        with open(os.path.join(build, "where"), encoding="utf-8") as file:
            package = file.read()
        self.assertEqual(package, os.path.join(build, "packages", "c.stp"))
        about = json.loads(run([self.sectile, "inspect", "--json", package]))
        self.assertEqual(about["inputs"][0]["dims"], [3, "past", 4])
        self.assertEqual(about["inputs"][0]["alias"]["capacity"], 16)
        self.assertEqual(
            [level["level" if "level" in level else "name"] for level in about["levels"]],
            ["sse4", "avx2"],
        )
        self.assertIn("--fp=strict", about["options"])
        with open(
            os.path.join(build, "the-cache-include", "the-cache.h"), encoding="utf-8"
        ) as file:
            self.assertIn(f'#define THE_CACHE_PACKAGE "{package}"', file.read())

    def test_errors(self) -> None:
        find = "find_package(Sectile REQUIRED)\n"
        for name, text, reason in (
            ("unknown", find + "sectile_compile(TARGET a MODEL cache.onnx NONSENSE)", "NONSENSE"),
            ("nothing", find + "sectile_compile(TARGET a)", "MODEL FILE"),
            (
                "dims",
                find + "sectile_compile(TARGET a MODEL cache.onnx DIMS batch)",
                "but got 'batch'",
            ),
            ("absent", find + "sectile_compile(TARGET a MODEL absent.onnx)", "absent.onnx"),
            ("version", "find_package(Sectile 9 REQUIRED)", "9"),
        ):
            with self.assertRaisesRegex(AssertionError, reason):
                self.project(name, text)
        without = "-DSECTILE_COMPILER=SECTILE_COMPILER-NOTFOUND"
        prefix = self.place("runtime-only")
        for component in ("Runtime", "Development"):
            run(["cmake", "--install", BUILD, "--prefix", prefix, "--component", component])
        kept, InstallTest.prefix = self.prefix, prefix
        try:
            self.project("runtime", "find_package(Sectile REQUIRED)", without)
            with self.assertRaisesRegex(AssertionError, "compiler"):
                self.project("needs", "find_package(Sectile REQUIRED COMPONENTS compiler)", without)
            with self.assertRaisesRegex(AssertionError, "set SECTILE_COMPILER"):
                self.project("calls", find + "sectile_compile(TARGET a MODEL cache.onnx)", without)
        finally:
            InstallTest.prefix = kept

    def test_without_cmake(self) -> None:
        if not shutil.which("pkg-config"):
            self.skipTest("no pkg-config")
        package, include = self.place("c.stp"), self.place("include")
        run(
            [
                self.sectile,
                "compile",
                os.path.join(EXAMPLE, "classifier.mlir"),
                "-o",
                package,
                "--quiet",
            ]
        )
        os.makedirs(include)
        with open(os.path.join(include, "classifier.h"), "w", encoding="utf-8") as file:
            file.write(f'#define CLASSIFIER_PACKAGE "{package}"\n')
        settings = clean_environment(PKG_CONFIG_PATH=os.path.join(self.prefix, "lib", "pkgconfig"))
        self.assertEqual(
            run(["pkg-config", "--modversion", "sectile"], env=settings).strip(), "0.1.0"
        )
        flags = run(["pkg-config", "--cflags", "--libs", "sectile"], env=settings).split()
        library = os.path.join(self.prefix, "lib")
        source = os.path.join(EXAMPLE, "classify.c")
        common = ["clang-22", "-std=c99", "-Wall", "-Werror", f"-I{include}", source]
        dynamic, static = self.place("dynamic"), self.place("static")
        run([*common, *flags, f"-Wl,-rpath,{library}", "-o", dynamic])
        archive = os.path.join(library, "libsectile_runtime.a")
        run([*common, flags[0], archive, "-pthread", "-ldl", "-o", static])
        for program in (dynamic, static):
            self.check_classify([program])
        self.assertIn("libsectile.so.1", run(["ldd", dynamic]))
        self.assertNotIn("sectile", run(["ldd", static]).replace(static, ""))
        self.assertNotIn("stdc++", run(["ldd", static]))

    def test_the_compiler_needs_libc_only(self) -> None:
        needed = [line.split()[0] for line in run(["ldd", self.sectile]).splitlines()]
        names = {os.path.basename(name) for name in needed} - {"linux-vdso.so.1"}
        self.assertEqual(names, {"libc.so.6", "libm.so.6", "ld-linux-x86-64.so.2"})
        self.assertLess(os.path.getsize(self.sectile), 180e6)

    def test_debian_packages(self) -> None:
        if not shutil.which("cpack") or not shutil.which("dpkg-deb"):
            self.skipTest("no cpack or dpkg-deb")
        out, root = self.place("debs"), self.place("root")
        run(["cpack", "--config", os.path.join(BUILD, "CPackConfig.cmake"), "-B", out])
        packages = {os.path.basename(p).split("_")[0]: p for p in glob.glob(out + "/*.deb")}
        self.assertEqual(set(packages), {"libsectile1", "libsectile-dev", "sectile"})
        for package in packages.values():
            run(["dpkg-deb", "-x", package, root])
        about = run(
            ["dpkg-deb", "-f", packages["libsectile-dev"], "Depends", "Version", "Architecture"]
        )
        self.assertIn("libsectile1 (= 0.1.0)", about)
        self.assertIn("amd64", about)
        for name in (
            "bin/sectile",
            "include/sectile/sectile.h",
            "share/doc/sectile/copyright.llvm-22-dev",
        ):
            self.assertTrue(os.path.exists(os.path.join(root, "usr", name)), name)
        build = self.place("deb-example")
        self.configure(EXAMPLE, build, os.path.join(root, "usr"))
        self.make(build)
        self.check_classify([os.path.join(build, "classify")])
        # The programs and the library alone, on what looks like a machine without LLVM.
        package, sectile = self.place("hidden.stp"), os.path.join(root, "usr", "bin", "sectile")
        model = os.path.join(EXAMPLE, "classifier.mlir")
        run(
            without_llvm([sectile, "compile", model, "-o", package, "--quiet"]),
            env=clean_environment(),
        )
        self.check_classify(
            without_llvm([os.path.join(build, "classify"), package]), env=clean_environment()
        )


if __name__ == "__main__":
    unittest.main()
