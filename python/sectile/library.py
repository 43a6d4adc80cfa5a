# This file is part of the Sectile project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""libsectile.so through ctypes: the structures and functions of sectile.h that running packages needs.

ctypes releases the interpreter lock during every call.
"""

from __future__ import annotations

import ctypes
import functools
import os
from ctypes import POINTER, c_char_p, c_int32, c_int64, c_size_t, c_uint32, c_uint64, c_void_p
from typing import Any, Callable, TypeVar

from .errors import LoadError

API_VERSION = 1
MESSAGE_BYTES = 4096
FOLDER = os.path.dirname(os.path.realpath(__file__))
# The build of a source tree, where this package lies in one.
BUILD = os.path.join(os.path.dirname(os.path.dirname(FOLDER)), "build")


class PackageOptions(ctypes.Structure):
    """sectile_package_options"""

    _fields_ = [
        ("size", c_size_t), ("cpu_level", c_char_p), ("threads", c_uint32),
        ("reserved", c_uint32), ("parallel_for", c_void_p), ("parallel_for_user", c_void_p),
        ("allocate", c_void_p), ("deallocate", c_void_p), ("allocator_user", c_void_p),
        ("log", c_void_p), ("log_user", c_void_p), ("target", c_char_p),
        ("device_launch", c_void_p), ("device_user", c_void_p), ("device_name", c_char_p),
    ]  # fmt: skip


class PackageInfo(ctypes.Structure):
    """sectile_package_info"""

    _fields_ = [
        ("size", c_size_t), ("compiler_version", c_char_p), ("model_name", c_char_p),
        ("compile_options", c_char_p), ("target", c_char_p), ("num_inputs", c_uint32),
        ("num_outputs", c_uint32), ("num_symbols", c_uint32), ("num_aliases", c_uint32),
        ("num_targets", c_uint32), ("num_kernels", c_uint32), ("num_levels", c_uint32),
        ("level", c_uint32), ("threads", c_uint32), ("reserved", c_uint32),
        ("constants", c_void_p), ("constants_bytes", c_uint64), ("constants_hash", c_uint64),
        ("weights_file", c_char_p), ("num_pieces", c_uint64),
    ]  # fmt: skip


class PieceInfo(ctypes.Structure):
    """sectile_piece_info"""

    _fields_ = [
        ("size", c_size_t), ("name", c_char_p), ("offset", c_uint64), ("bytes", c_uint64),
        ("hash", c_uint64),
    ]  # fmt: skip


class TensorInfo(ctypes.Structure):
    """sectile_tensor_info"""

    _fields_ = [
        ("size", c_size_t), ("name", c_char_p), ("dtype", c_int32), ("rank", c_int32),
        ("dims", POINTER(c_int64)), ("dim_exprs", POINTER(c_char_p)), ("alias", c_int32),
        ("reserved", c_int32),
    ]  # fmt: skip


class AliasInfo(ctypes.Structure):
    """sectile_alias_info"""

    _fields_ = [
        ("size", c_size_t), ("input", c_uint32), ("output", c_uint32), ("dim", c_int32),
        ("reserved", c_int32), ("capacity", c_int64),
    ]  # fmt: skip


class KernelInfo(ctypes.Structure):
    """sectile_kernel_info"""

    _fields_ = [
        ("size", c_size_t), ("name", c_char_p), ("nodes", c_char_p), ("description", c_char_p),
        ("schedule", c_char_p),
    ]  # fmt: skip


class LevelInfo(ctypes.Structure):
    """sectile_level_info"""

    _fields_ = [
        ("size", c_size_t), ("name", c_char_p), ("available", c_uint32), ("reserved", c_uint32),
    ]  # fmt: skip


class ContextOptions(ctypes.Structure):
    """sectile_context_options"""

    _fields_ = [
        ("size", c_size_t), ("threads", c_uint32), ("reserved", c_uint32),
        ("kernel_hook", c_void_p), ("kernel_hook_user", c_void_p), ("stream", c_void_p),
        ("capture", c_uint32), ("reserved2", c_uint32),
    ]  # fmt: skip


class Tensor(ctypes.Structure):
    """sectile_tensor"""

    _fields_ = [
        ("data", c_void_p), ("bytes", c_uint64), ("dtype", c_int32), ("rank", c_int32),
        ("dims", POINTER(c_int64)), ("memory", c_uint64),
    ]  # fmt: skip


def _candidates() -> list[str]:
    given = os.environ.get("SECTILE_LIBRARY")
    if given:
        return [given]
    files = [
        os.path.join(FOLDER, "lib", "libsectile.so.1"),
        os.path.join(BUILD, "lib", "libsectile.so"),
    ]
    return [path for path in files if os.path.exists(path)] + ["libsectile.so.1", "libsectile.so"]


@functools.lru_cache(maxsize=None)
def library() -> ctypes.CDLL:
    """The loaded runtime library, its interface version checked. It is searched in SECTILE_LIBRARY (a
    file), in this package, in the build of this source tree, and where the system's loader looks."""
    lib, reason = None, ""
    for path in _candidates():
        try:
            lib = ctypes.CDLL(path)
            break
        except OSError as error:
            reason = reason or str(error)
    if lib is None:
        raise LoadError(f"the runtime library cannot be loaded: {reason}")
    lib.sectile_api_version.restype = c_uint32
    if lib.sectile_api_version() != API_VERSION:
        raise LoadError(
            f"{path}: expects interface version {API_VERSION}, but got {lib.sectile_api_version()}"
        )
    lib.sectile_package_load.argtypes = [
        c_char_p, POINTER(PackageOptions), POINTER(c_void_p), c_char_p, c_size_t,
    ]  # fmt: skip
    lib.sectile_package_release.argtypes = [c_void_p]
    lib.sectile_package_release.restype = None
    lib.sectile_package_get_info.argtypes = [c_void_p, POINTER(PackageInfo)]
    for name, structure in (
        ("input", TensorInfo), ("output", TensorInfo), ("alias", AliasInfo), ("kernel", KernelInfo),
        ("level", LevelInfo),
    ):  # fmt: skip
        getattr(lib, f"sectile_package_get_{name}").argtypes = [
            c_void_p,
            c_uint32,
            POINTER(structure),
        ]
    lib.sectile_context_create.argtypes = [
        c_void_p, POINTER(ContextOptions), POINTER(c_void_p), c_char_p, c_size_t,
    ]  # fmt: skip
    lib.sectile_context_destroy.argtypes = [c_void_p]
    lib.sectile_context_destroy.restype = None
    lib.sectile_context_message.argtypes = [c_void_p]
    lib.sectile_context_message.restype = c_char_p
    for name in ("run", "infer_shapes"):
        getattr(lib, f"sectile_context_{name}").argtypes = [
            c_void_p, POINTER(Tensor), c_size_t, POINTER(Tensor), c_size_t,
        ]  # fmt: skip
    lib.sectile_version.restype = c_char_p
    return lib


def text(value: Any) -> str:
    """A C string of the library, or "" for none."""
    return (value or b"").decode(errors="replace")


Structure = TypeVar("Structure", bound=ctypes.Structure)


def query(structure: type[Structure], get: Callable[..., int], *arguments: Any) -> Structure:
    """What one of the library's sectile_*_get_* says; its strings die with the package."""
    info = structure(size=ctypes.sizeof(structure))
    if get(*arguments, ctypes.byref(info)):
        raise LoadError(f"the library does not answer for {structure.__name__} {arguments[1:]}")
    return info
