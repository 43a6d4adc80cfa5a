# This file is part of the Sectile project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""C programs that call static output: each function with given inputs, and with arguments it must refuse.

What a function takes is read from the header it comes with, so that the program is what a user would write.
"""

from __future__ import annotations

import re
from typing import Dict, List, Tuple

import numpy as np
from static_cases import Case

GUARD = 256
"""Bytes behind every buffer that nobody may write."""

COMMON = r"""
#include "board.h"
#include <stdint.h>

static void put(const char *text) { size_t n = 0; while (text[n]) ++n; board_write(text, n); }
static void put_number(long long value) {
  char text[24]; int at = 24; unsigned long long rest = value < 0 ? 0ull - (unsigned long long)value : (unsigned long long)value;
  do { unsigned long long next = 0, digit = rest; /* without a division, which small CPUs call a function for */
    for (int bit = 63; bit >= 0; --bit) if ((digit >> bit) >= 10) { digit -= 10ull << bit; next += 1ull << bit; }
    text[--at] = (char)('0' + digit); rest = next;
  } while (rest);
  if (value < 0) text[--at] = '-';
  board_write(text + at, (size_t)(24 - at));
}
static void put_bytes(const void *data, size_t size) {
  const unsigned char *bytes = data;
  for (size_t i = 0; i < size; ++i) {
    const char *digits = "0123456789abcdef"; char text[2] = {digits[bytes[i] >> 4], digits[bytes[i] & 15]};
    board_write(text, 2);
  }
}
static int is_filled(const unsigned char *data, size_t size) { for (size_t i = 0; i < size; ++i) if (data[i] != 0xa5) return 0; return 1; }
static void fill(unsigned char *data, size_t size) { for (size_t i = 0; i < size; ++i) data[i] = 0xa5; }
#define ALIGNED __attribute__((aligned(64)))
static unsigned char arena[ARENA_SIZE + GUARD] ALIGNED;
"""
# fmt: skip


def parameters(header: str, function: str) -> List[Tuple[str, str]]:
    """Type and name of each parameter of a function that a header declares."""
    found = re.search(rf"int32_t {function}\(([^)]*)\);", header)
    assert found, f"no {function} in the header"
    # A tensor called like a keyword has a number behind it.
    return [
        re.fullmatch(r"\s*(.*?[ *])(\w+?)(?:_2)?(?:\[\d+\])?\s*", text).groups()
        for text in found[1].split(",")
    ]


class Driver:
    """The program for several cases; `expect` holds what it must print, line by line, None where it is results."""

    def __init__(self, arena_size: int) -> None:
        self.head: List[str] = [COMMON.replace("GUARD", str(GUARD)).replace("ARENA_SIZE", str(arena_size))]
        self.body: List[str] = []
        self.refusals: Dict[str, int] = {}
        self.arena_size = arena_size

    def _array(self, name: str, data: bytes, is_constant: bool) -> None:
        values = ",".join(map(str, data))
        const = "const " if is_constant else ""
        self.head.append(f"static {const}unsigned char {name}[{max(len(data), 1)}] ALIGNED = {{{values or 0}}};")

    def _call(self, case: str, what: str, call: str, status: int) -> None:
        """A call that must return `status`."""
        key = f"{case}.{what}"
        self.refusals[key] = status
        self.body.append(f'  put("status {key} "); put_number({call}); put("\\n");')

    def add(self, case: Case, header: str, outputs: Dict[str, np.ndarray]) -> None:
        """Runs a case; `outputs` have the right shapes and types."""
        name, upper = case.name, case.name.upper()
        self.head.append(f'#include "{name}.h"')
        for of, array in case.inputs.items():
            data = array.tobytes()
            if of in case.shared.values():  # rows of the capacity, of which the first ones are in use
                room = np.zeros([array.shape[0], case.capacity, *array.shape[2:]], array.dtype)
                room[:, : array.shape[1]] = array
                data = room.tobytes()
            self._array(f"{name}_in_{of}", data, of not in case.shared.values())
        for of, array in outputs.items():
            if of not in case.shared:
                self.head.append(f"static unsigned char {name}_out_{of}[{self._room(case, of, array)} + {GUARD}] ALIGNED;")
                self.body.append(f"  fill({name}_out_{of}, sizeof {name}_out_{of});")
        values: Dict[str, str] = {**{of: str(value) for of, value in case.dims.items()}, "arena": "arena"}
        for of in case.inputs:
            values[of] = f"(void *){name}_in_{of}"
        for of in outputs:
            if of not in case.shared:
                values[of] = f"(void *){name}_out_{of}"
        takes = parameters(header, f"{name}_run")

        def call(**changed: str) -> str:
            given = {**values, **changed}
            return f"{name}_run({', '.join(given[of] for _, of in takes)})"

        has_sizes = f"{name}_sizes(" in header
        if has_sizes:
            self.head.append(f"static size_t {name}_bytes;")
            values["arena_bytes"] = f"{name}_bytes"
            given = dict(values, arena_bytes=f"&{name}_bytes")
            for _, of in parameters(header, f"{name}_sizes"):
                if of.endswith("_extents"):
                    output = of.removesuffix("_extents")
                    self.head.append(f"static int64_t {name}_extents_{output}[8];")
                    given[of] = values[of] = f"{name}_extents_{output}"
            arguments = [given[of] for _, of in parameters(header, f"{name}_sizes")]
            self._call(name, "sizes", f"{name}_sizes({', '.join(arguments)})", 0)
            nulls = [
                "0" if "*" in kind or "extents" in of else given[of]
                for kind, of in parameters(header, f"{name}_sizes")
            ]
            if not any(f"{of} " in header.split("_sizes(")[1].split(";")[0] for of in case.inputs) and name != "shapes":
                self._call(name, "sizes_to_nobody", f"{name}_sizes({', '.join(nulls)})", 0)
            for of, array in outputs.items():
                if f"{of}_extents" in [name_of for _, name_of in parameters(header, f"{name}_sizes")]:
                    for dim, extent in enumerate(case.room.get(of, array.shape)):
                        self._call(name, f"extent_{of}_{dim}", f"{name}_extents_{of}[{dim}]", extent)
        else:
            self.head.append(f"enum {{ {name}_bytes = {upper}_ARENA_BYTES }};")
        self.body.append(f"  if ({name}_bytes > {self.arena_size}) {{ put(\"{name}: the arena is too large\\n\"); return 1; }}")
        self.body.append("  fill(arena, sizeof arena);")
        self._call(name, "run", call(), 0)
        for of in case.room:
            for dim, extent in enumerate(outputs[of].shape):
                self._call(name, f"decided_{of}_{dim}", f"{name}_extents_{of}[{dim}]", extent)
        self.body.append(f'  if (!is_filled(arena + {name}_bytes, {GUARD})) put("overrun {name} arena\\n");')
        for of, array in outputs.items():
            buffer = f"{name}_in_{case.shared[of]}" if of in case.shared else f"{name}_out_{of}"
            if of not in case.shared:
                self.body.append(f'  if (!is_filled({buffer} + {self._room(case, of, array)}, {GUARD})) put("overrun {name} {of}\\n");')
            self.body.append(f'  put("result {name} {of} "); put_bytes({buffer}, {self._bytes(case, of, array)}); put("\\n");')
        self._add_refusals(case, takes, call, has_sizes, values, outputs)

    @staticmethod
    def _room(case: Case, of: str, array: np.ndarray) -> int:
        return int(np.prod(case.room[of])) * array.itemsize if of in case.room else array.nbytes

    @staticmethod
    def _bytes(case: Case, of: str, array: np.ndarray) -> int:
        return array.nbytes // array.shape[1] * case.capacity if of in case.shared else array.nbytes

    def _add_refusals(self, case: Case, takes, call, has_sizes: bool, values, outputs) -> None:
        name = case.name
        for _, of in takes:
            if of in case.inputs and case.inputs[of].nbytes or of in outputs and outputs[of].nbytes:
                self._call(name, f"null_{of}", call(**{of: "0"}), 1)
            if of in case.dims:
                self._call(name, f"negative_{of}", call(**{of: "-1"}), 3)
                self._call(name, f"least_{of}", call(**{of: "INT64_MIN"}), 3)
        self.body.append(f"  if ({name}_bytes > 1) {{")
        self._call(name, "no_arena", call(arena="0"), 2)
        self._call(name, "crooked_arena", call(arena="arena + 4"), 2)
        if has_sizes:
            self._call(name, "small_arena", call(arena_bytes=f"{name}_bytes - 1"), 2)
        self.body.append("  }")
        if case.capacity:
            (dim,) = case.dims
            self._call(name, "beyond", call(**{dim: str(case.capacity + 1)}), 4)
            self._call(name, "full", call(**{dim: str(case.capacity)}), 4)

    def expect(self, case: Case, what: str, inputs: Dict[str, np.ndarray], header: str, status: int) -> None:
        """Runs a case once more with other inputs of the same sizes, which must end in `status`."""
        changed = {}
        for of, array in inputs.items():
            self._array(f"{case.name}_{what}_{of}", array.tobytes(), True)
            changed[of] = f"(void *){case.name}_{what}_{of}"
        given = {**{of: str(value) for of, value in case.dims.items()}, "arena": "arena",
                 "arena_bytes": f"{case.name}_bytes", **changed}  # fmt: skip
        arguments = [
            given.get(of, f"(void *){case.name}_out_{of}") for _, of in parameters(header, f"{case.name}_run")
        ]
        self._call(case.name, what, f"{case.name}_run({', '.join(arguments)})", status)

    def text(self) -> str:
        """The program."""
        return "\n".join([*self.head, "int main(void) {", *self.body, '  put("end\\n");', "  return 0;", "}", ""])
