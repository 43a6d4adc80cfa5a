# This file is part of the Sectile project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Builds wheels: the back end of pyproject.toml, as PEP 517 and PEP 660 have it.

setuptools and scikit-build-core would each bring more than what is done here: run scripts/build, let
`cmake --install` put the compiler and the runtime library where the package looks for them, and write a
zip file. The wheel is the same, byte by byte, for the same build.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from typing import Any, Dict, List, Mapping, Optional, Tuple

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
_Settings = Optional[Mapping[str, Any]]
_Entries = List[Tuple[str, bytes, int]]  # name, contents, mode


def _read(*path: str) -> bytes:
    with open(os.path.join(ROOT, *path), "rb") as file:
        return file.read()


def _project() -> Dict[str, Any]:
    project: Dict[str, Any] = tomllib.loads(_read("pyproject.toml").decode())["project"]
    version = re.search(r"project\(Sectile VERSION ([0-9.]+)", _read("CMakeLists.txt").decode())
    if version is None:
        raise RuntimeError("CMakeLists.txt states no version")
    return {**project, "version": version.group(1)}


def _metadata(project: Mapping[str, Any]) -> str:
    lines = [
        "Metadata-Version: 2.4",
        f"Name: {project['name']}",
        f"Version: {project['version']}",
        f"Summary: {project['description']}",
        f"License-Expression: {project['license']}",
        *(f"License-File: {name}" for name in project["license-files"]),
        *(f"Classifier: {text}" for text in project["classifiers"]),
        f"Requires-Python: {project['requires-python']}",
        *(f"Requires-Dist: {text}" for text in project["dependencies"]),
    ]
    for extra, needed in project["optional-dependencies"].items():
        lines.append(f"Provides-Extra: {extra}")
        lines += [f"Requires-Dist: {text}; extra == '{extra}'" for text in needed]
    lines += ["Description-Content-Type: text/markdown", "", _read(project["readme"]).decode()]
    return "\n".join(lines)


def _entry_points(project: Mapping[str, Any]) -> str:
    groups = {"console_scripts": project["scripts"], **project["entry-points"]}
    return "\n".join(
        f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in entries.items())
        for group, entries in groups.items()
    )


def _distribution(project: Mapping[str, Any], tag: str) -> _Entries:
    """The files of the .dist-info folder, without RECORD."""
    folder = f"{project['name']}-{project['version']}.dist-info"
    wheel = f"Wheel-Version: 1.0\nGenerator: sectile_build\nRoot-Is-Purelib: false\nTag: {tag}\n"
    texts = {
        "METADATA": _metadata(project),
        "WHEEL": wheel,
        "entry_points.txt": _entry_points(project),
    }
    entries = [(f"{folder}/{name}", text.encode(), 0o644) for name, text in texts.items()]
    return entries + [
        (f"{folder}/licenses/{name}", _read(name), 0o644) for name in project["license-files"]
    ]


def _write(path: str, entries: _Entries, distribution: str) -> None:
    """Writes the zip file, RECORD last."""
    record = ""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
        for name, contents, mode in entries:
            digest = (
                base64.urlsafe_b64encode(hashlib.sha256(contents).digest()).rstrip(b"=").decode()
            )
            record += f"{name},sha256={digest},{len(contents)}\n"
            out.writestr(_info(name, mode), contents)
        name = f"{distribution}.dist-info/RECORD"
        out.writestr(_info(name, 0o644), record + f"{name},,\n")


def _info(name: str, mode: int) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
    info.external_attr = (0o100000 | mode) << 16
    info.compress_type = zipfile.ZIP_DEFLATED
    return info


def _installed(component: str, prefix: str) -> None:
    subprocess.run(
        ["cmake", "--install", "build", "--prefix", prefix, "--component", component, "--strip"],
        cwd=ROOT, check=True, stdout=subprocess.DEVNULL,
    )  # fmt: skip


def _binaries() -> _Entries:
    """The compiler, the runtime library, the header and the licenses of what the compiler holds."""
    subprocess.run(
        ["scripts/build", "sectile", "sectile_shared", "sectile_runtime"], cwd=ROOT, check=True
    )
    with tempfile.TemporaryDirectory() as prefix:
        for component in ("Runtime", "Compiler", "Development"):
            _installed(component, prefix)
        libraries = os.path.join(prefix, "lib")
        if not os.path.isdir(libraries):  # Debian's /usr has a folder per architecture
            libraries = os.path.dirname(_find(prefix, "libsectile.so.1"))
        places = {
            "sectile/bin/sectile": (os.path.join(prefix, "bin", "sectile"), 0o755),
            "sectile/lib/libsectile.so.1": (_find(libraries, "libsectile.so.1"), 0o755),
            "sectile/include/sectile/sectile.h": (_find(prefix, "sectile.h"), 0o644),
        }
        licenses = os.path.join(prefix, "share", "doc", "sectile")
        for name in sorted(os.listdir(licenses)):
            places[f"sectile/bin/licenses/{name}"] = (os.path.join(licenses, name), 0o644)
        return [(name, _read(path), mode) for name, (path, mode) in places.items()]


def _find(folder: str, name: str) -> str:
    for where, _, files in os.walk(folder):
        if name in files:
            return os.path.join(where, name)
    raise RuntimeError(f"{folder} lacks {name}")


def _platform(entries: _Entries) -> str:
    """The platform tag: the newest version of glibc's symbols that the binaries ask for."""
    versions = {
        int(match)
        for _, contents, _ in entries
        for match in re.findall(rb"\0GLIBC_2\.(\d+)(?=\0)", contents)
    }
    return f"manylinux_2_{max(versions)}_x86_64"


def build_wheel(
    wheel_directory: str,
    config_settings: _Settings = None,
    metadata_directory: Optional[str] = None,
) -> str:
    """Builds the compiler if need be, and the wheel; returns its name."""
    project = _project()
    entries = [
        (f"sectile/{name}", _read("python", "sectile", name), 0o644)
        for name in sorted(os.listdir(os.path.join(ROOT, "python", "sectile")))
        if name.endswith((".py", ".typed"))
    ]
    binaries = _binaries()
    tag = f"py3-none-{_platform(binaries)}"
    distribution = f"{project['name']}-{project['version']}"
    name = f"{distribution}-{tag}.whl"
    everything = entries + binaries + _distribution(project, tag)
    _write(os.path.join(wheel_directory, name), everything, distribution)
    return name


def build_editable(
    wheel_directory: str,
    config_settings: _Settings = None,
    metadata_directory: Optional[str] = None,
) -> str:
    """A wheel that leads to this source tree, whose package finds the compiler in build/."""
    project = _project()
    subprocess.run(["scripts/build", "sectile", "sectile_shared"], cwd=ROOT, check=True)
    distribution = f"{project['name']}-{project['version']}"
    name = f"{distribution}-py3-none-any.whl"
    path = [("sectile.pth", os.path.join(ROOT, "python").encode() + b"\n", 0o644)]
    entries = path + _distribution(project, "py3-none-any")
    _write(os.path.join(wheel_directory, name), entries, distribution)
    return name


def build_sdist(sdist_directory: str, config_settings: _Settings = None) -> str:
    """The files that git tracks."""
    project = _project()
    distribution = f"{project['name']}-{project['version']}"
    if not shutil.which("git") or not os.path.exists(os.path.join(ROOT, ".git")):
        raise RuntimeError("a source distribution is made of a git checkout")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True)
    path = os.path.join(sdist_directory, f"{distribution}.tar.gz")
    with tempfile.TemporaryDirectory() as folder, tarfile.open(path, "w:gz") as out:
        about = os.path.join(folder, "PKG-INFO")
        with open(about, "w", encoding="utf-8") as file:
            file.write(_metadata(project))
        out.add(about, f"{distribution}/PKG-INFO")
        for name in listed.stdout.decode().split("\0")[:-1]:
            out.add(os.path.join(ROOT, name), f"{distribution}/{name}", recursive=False)
    return os.path.basename(path)
