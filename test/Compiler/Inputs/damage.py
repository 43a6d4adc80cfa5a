"""Damages each entry of a cache in another way: damage.py FOLDER."""

import pathlib
import sys

entries = sorted(path for path in pathlib.Path(sys.argv[1]).rglob("*") if path.is_file())
assert len(entries) == 3, entries
contents = [path.read_bytes() for path in entries]
entries[0].write_bytes(contents[0][:-1])
entries[1].write_bytes(contents[1][:100] + bytes([contents[1][100] ^ 1]) + contents[1][101:])
entries[2].write_bytes(contents[0])  # whole, but of another kernel
