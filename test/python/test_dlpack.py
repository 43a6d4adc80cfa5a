# This file is part of the Sectile project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Tests of tensors that come and go by DLPack, with a producer that numpy is not."""

import ctypes
import gc
import os
import unittest

import numpy as np
import onnx
import onnx.parser

import sectile
from sectile.tensors import _DLTensor, _Versioned

HERE = os.path.dirname(os.path.realpath(__file__))
HAS_COMPILER = os.access(os.path.join(HERE, "..", "..", "build", "bin", "sectile"), os.X_OK)

_new = ctypes.pythonapi.PyCapsule_New
_new.restype = ctypes.py_object
_new.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]


class Foreign:
    """An array behind DLPack alone; members say what to lie about."""

    def __init__(self, array, versioned=False, **members) -> None:
        self.array, self.versioned = array, versioned
        self.device = members.pop("device", 1)
        self.offset = members.pop("byte_offset", 0)
        self.plain = members.pop("no_strides", False)
        self.major = members.pop("major", 1)
        self.type = members.pop("type", None)

    def __dlpack_device__(self):
        return (self.device, 0)

    def __dlpack__(self, **keywords):
        if keywords and not self.versioned:
            raise TypeError("__dlpack__() got an unexpected keyword argument 'max_version'")
        array = self.array
        managed = _Versioned(self.major, 0, None, None, 0)
        tensor = managed.tensor
        tensor.data = array.ctypes.data - self.offset
        tensor.byte_offset, tensor.device_type, tensor.ndim = self.offset, self.device, array.ndim
        kinds = {"i": 0, "u": 1, "f": 2, "b": 6}
        given = self.type or (kinds[array.dtype.kind], 8 * array.itemsize, 1)
        tensor.code, tensor.bits, tensor.lanes = given
        self.shape = (ctypes.c_int64 * array.ndim)(*array.shape)
        tensor.shape = self.shape
        if not self.plain:
            steps = [stride // array.itemsize for stride in array.strides]
            self.strides = (ctypes.c_int64 * array.ndim)(*steps)
            tensor.strides = self.strides
        self.kept = managed
        address = ctypes.addressof(managed)
        if self.versioned:
            return _new(address, b"dltensor_versioned", None)
        return _new(address + _Versioned.tensor.offset, b"dltensor", None)


def model(text: str):
    """Compiles ONNX's text form."""
    proto = onnx.parser.parse_model(f'<ir_version: 9, opset_import: ["" : 19]> {text}')
    return sectile.compile(proto, threads=1)


@unittest.skipUnless(HAS_COMPILER, "the compiler is not built")
class DLPackTest(unittest.TestCase):
    """Arguments by DLPack, results to DLPack."""

    @classmethod
    def setUpClass(cls) -> None:
        cls.double = model("double (float[a, b] x) => (float[a, b] y) { y = Add (x, x) }")
        cls.narrow = model(
            "narrow (float[a, b] x) => (bfloat16[a, b] y) { y = Cast <to = 16> (x) }"
        )
        cls.widened = model("wide (bfloat16[a, b] x) => (float[a, b] y) { y = Cast <to = 1> (x) }")

    def draw(self, *shape: int):
        return np.random.default_rng(shape).standard_normal(shape).astype(np.float32)

    def test_in(self) -> None:
        x = self.draw(5, 7)
        for versioned in (False, True):
            for members in (
                {},
                {"byte_offset": 12},
                {"no_strides": True},
                {"device": 3},
                {"device": 11},
            ):
                got = self.double(Foreign(x, versioned, **members))
                np.testing.assert_array_equal(got, x + x)

    def test_no_copy_where_contiguous(self) -> None:
        x = self.draw(4, 4)
        self.assertEqual(sectile.tensors.read_argument("x", x).address, x.ctypes.data)
        self.assertEqual(sectile.tensors.read_argument("x", Foreign(x)).address, x.ctypes.data)
        row = x[2:3]  # of one row, whose stride means nothing
        self.assertEqual(sectile.tensors.read_argument("x", Foreign(row)).address, row.ctypes.data)
        self.assertNotEqual(sectile.tensors.read_argument("x", Foreign(x.T)).address, x.ctypes.data)

    def test_strides(self) -> None:
        x = self.draw(9, 11)
        for view in (
            x.T,
            x[::2],
            x[:, 1::3],
            x[3:4, ::5],
            x[:, :1],
            x[:0],
            x[:, 4:4],
            np.broadcast_to(x[0], (6, 11)),
        ):
            np.testing.assert_array_equal(self.double(Foreign(view)), view + view)
        raw = np.zeros(4 * 6 + 1, np.uint8)
        shifted = raw[1:].view(np.float32).reshape(2, 3)
        shifted[...] = self.draw(2, 3)
        np.testing.assert_array_equal(self.double(Foreign(shifted)), shifted + shifted)

    def test_all_types(self) -> None:
        names = {"float": "f4", "double": "f8", "float16": "f2", "int8": "i1", "int16": "i2", "int32": "i4",
                 "int64": "i8", "uint8": "u1", "uint16": "u2", "uint32": "u4", "uint64": "u8", "bool": "?"}  # fmt: skip
        for name, kind in names.items():
            same = model(f"same ({name}[n] x) => ({name}[n] y) {{ y = Identity (x) }}")
            x = (np.arange(13) % 5 * 3).astype(kind)
            for given in (x, Foreign(x)):
                got = same(given)
                self.assertEqual(got.dtype, np.dtype(kind))
                np.testing.assert_array_equal(got, x)

    def test_refused(self) -> None:
        x = self.draw(3, 3)
        for members, reason in (
            ({"device": 2}, "'x': expects memory of the host, but got DLPack's device type 2"),
            ({"type": (5, 64, 1)}, r"'x': no element type for DLPack's \(5, 64, 1\)"),
            ({"type": (2, 32, 4)}, r"\(2, 32, 4\)"),
            ({"type": (2, 64, 1)}, "'x'.*f32.*f64"),
            ({"versioned": True, "major": 2}, "expects DLPack 1, but got version 2.0"),
        ):
            with self.assertRaisesRegex(sectile.RunError, reason):
                self.double(Foreign(x, **members))

        class Used:
            def __dlpack_device__(self):
                return (1, 0)

            def __dlpack__(self, **keywords):
                return _new(1, b"used_dltensor", None)

        class Unwilling(Used):
            def __dlpack__(self, **keywords):
                raise BufferError("it needs a gradient")

        with self.assertRaisesRegex(
            sectile.RunError, "'x': expects __dlpack__ to return a capsule"
        ):
            self.double(Used())
        with self.assertRaisesRegex(sectile.RunError, "'x': it needs a gradient"):
            self.double(Unwilling())

    def test_bfloat16(self) -> None:
        x = self.draw(17, 3)
        narrow = self.narrow(x)
        self.assertEqual((narrow.dtype, narrow.shape), ("bf16", (17, 3)))
        bits = x.view(np.uint32).astype(np.uint64)
        rounded = ((bits + 0x7FFF + (bits >> 16 & 1)) >> 16).astype(np.uint16)  # ties to even
        np.testing.assert_array_equal(narrow.bits, rounded)
        expected = (rounded.astype(np.uint32) << 16).view(np.float32)
        np.testing.assert_array_equal(narrow.float32(), expected)
        self.assertIn("bf16", repr(narrow))

        class Wrapped:
            __dlpack__, __dlpack_device__ = narrow.__dlpack__, narrow.__dlpack_device__

        for given in (
            narrow,
            Wrapped(),
            Foreign(rounded, type=(4, 16, 1)),
            Foreign(rounded.T.copy().T, type=(4, 16, 1)),
        ):
            np.testing.assert_array_equal(self.widened(given), expected)
        with self.assertRaisesRegex(sectile.RunError, "'x'.*bf16.*u16"):
            self.widened(rounded)

    def test_capsules_own_the_result(self) -> None:
        narrow = self.narrow(np.full((1000, 1000), 3, np.float32))
        capsule = narrow.__dlpack__()
        del narrow
        gc.collect()
        self.narrow(np.full((1000, 1000), 5, np.float32))
        pointer = ctypes.pythonapi.PyCapsule_GetPointer
        tensor = _DLTensor.from_address(pointer(capsule, b"dltensor"))
        self.assertEqual((tensor.code, tensor.bits, tensor.ndim), (4, 16, 2))
        got = np.ctypeslib.as_array((ctypes.c_uint16 * 10**6).from_address(tensor.data))
        np.testing.assert_array_equal(got, 0x4040)

    def test_device_of_results(self) -> None:
        narrow = self.narrow(self.draw(2, 2))
        self.assertEqual(narrow.__dlpack_device__(), (1, 0))
        with self.assertRaises(BufferError):
            narrow.__dlpack__(stream=1)
        with self.assertRaises(BufferError):
            narrow.__dlpack__(dl_device=(2, 0))

    def test_narrow_floats_of_8_bits(self) -> None:
        for to, name, values in (
            (17, "f8E4M3FN", [0, 1, -448, 0.015625, 2**-9]),
            (18, "f8E4M3FNUZ", [0, 1, -240, 0.015625, 2**-10]),
            (19, "f8E5M2", [0, 1, -57344, 0.015625, 2**-16]),
            (20, "f8E5M2FNUZ", [0, 1, -57344, 0.015625, 2**-17]),
        ):
            kind = {
                17: "float8e4m3fn",
                18: "float8e4m3fnuz",
                19: "float8e5m2",
                20: "float8e5m2fnuz",
            }[to]
            node = onnx.helper.make_node("Cast", ["x"], ["y"], to=to)
            x = onnx.helper.make_tensor_value_info("x", 1, [5])
            y = onnx.helper.make_tensor_value_info("y", to, [5])
            graph = onnx.helper.make_graph([node], kind, [x], [y])
            proto = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 19)])
            result = sectile.compile(proto)(np.float32(values))
            self.assertEqual(result.dtype, name)
            np.testing.assert_array_equal(result.float32(), np.float32(values))


if __name__ == "__main__":
    unittest.main()
