# This file is part of the Sectile project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Models with weights in other files, some of which they have no business to read."""

from __future__ import annotations

import os
from typing import Callable, Dict, Optional

from messages import Text, attribute, graph, model, node, tensor, value

SECRET = "secret.bin"
"""A file beside, not inside, the folder of each model."""

Prepare = Callable[[str], None]


class ExternalCase:
    """A model and what has to lie in its folder."""

    def __init__(self, content: bytes, prepare: Optional[Prepare] = None) -> None:
        self.content = content
        self.prepare = prepare


def _weight(external: Dict[str, Text], dims: tuple = (3,), **more: object) -> bytes:
    w = tensor("w", dims, external=external, **more)
    return model(graph([node("Add", ["x", "w"], ["y"])], [value("x")], [value("y")], [w]))


def _at(location: Text, **entries: Text) -> bytes:
    return _weight({"location": location, **entries})


def _in_constant(location: str) -> bytes:
    content = attribute("value", t=tensor("", [3], external={"location": location}))
    nodes = [node("Constant", [], ["c"], content), node("Add", ["x", "c"], ["y"])]
    return model(graph(nodes, [value("x")], [value("y")]))


def _file(name: str, size: int = 12) -> Prepare:
    def prepare(folder: str) -> None:
        path = os.path.join(folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(bytes(size))

    return prepare


def _symlink(name: str, target: str) -> Prepare:
    return lambda folder: os.symlink(target, os.path.join(folder, name))


def _hard_link(name: str) -> Prepare:
    def prepare(folder: str) -> None:
        os.link(os.path.join(folder, "..", SECRET), os.path.join(folder, name))

    return prepare


def accepted() -> Dict[str, ExternalCase]:
    """Models whose external data is in order."""
    padded = {"location": "w.bin", "offset": "8", "length": "12", "checksum": "0" * 40}
    return {
        "external-good": ExternalCase(_at("w.bin"), _file("w.bin")),
        "external-good-subfolder": ExternalCase(_at("sub/w.bin"), _file("sub/w.bin")),
        "external-good-offset": ExternalCase(_weight(padded), _file("w.bin", 64)),
    }


def refused() -> Dict[str, ExternalCase]:
    """Models whose external data has to be refused."""
    plain = _file("w.bin")
    return {
        "external-missing": ExternalCase(_at("w.bin")),
        "external-dot-dot": ExternalCase(_at(f"../{SECRET}")),
        "external-dot-dot-inside": ExternalCase(_at(f"sub/../../{SECRET}"), _file("sub/w.bin")),
        "external-dot-dot-in-constant": ExternalCase(_in_constant(f"../{SECRET}")),
        "external-absolute": ExternalCase(_at("/etc/hostname")),
        "external-device": ExternalCase(_at("/dev/zero")),
        "external-symlink": ExternalCase(_at("w.bin"), _symlink("w.bin", f"../{SECRET}")),
        "external-symlink-absolute": ExternalCase(_at("w.bin"), _symlink("w.bin", "/etc/passwd")),
        "external-symlink-folder": ExternalCase(_at(f"up/{SECRET}"), _symlink("up", "..")),
        "external-symlink-loop": ExternalCase(_at("w.bin"), _symlink("w.bin", "w.bin")),
        "external-hard-link": ExternalCase(_at("w.bin"), _hard_link("w.bin")),
        "external-folder": ExternalCase(_at("sub"), _file("sub/w.bin")),
        "external-fifo": ExternalCase(
            _at("w.bin"), lambda folder: os.mkfifo(os.path.join(folder, "w.bin"))
        ),
        "external-location-empty": ExternalCase(_at("")),
        "external-location-missing": ExternalCase(_weight({"offset": "0"}), plain),
        "external-location-nul": ExternalCase(_at(b"w.bin\x00/../x"), plain),
        "external-location-long": ExternalCase(_at("d/" * 5000 + "w.bin")),
        "external-key-unknown": ExternalCase(_at("w.bin", surprise="1"), plain),
        "external-offset-negative": ExternalCase(_at("w.bin", offset="-4", length="12"), plain),
        "external-offset-beyond": ExternalCase(_at("w.bin", offset="4096"), plain),
        "external-offset-overflow": ExternalCase(
            _at("w.bin", offset="18446744073709551612", length="12"), plain
        ),
        "external-offset-not-a-number": ExternalCase(_at("w.bin", offset="4x"), plain),
        "external-length-beyond": ExternalCase(_at("w.bin", length="4096"), plain),
        "external-length-negative": ExternalCase(_at("w.bin", length="-1"), plain),
        "external-length-differs": ExternalCase(_at("w.bin", length="8"), plain),
        "external-file-shorter": ExternalCase(_at("w.bin"), _file("w.bin", 8)),
        "external-shape-overflow": ExternalCase(
            _weight({"location": "w.bin"}, (2**40, 2**40)), plain
        ),
        "external-and-raw": ExternalCase(_weight({"location": "w.bin"}, raw=bytes(12)), plain),
    }
