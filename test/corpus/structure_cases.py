# This file is part of the Sectile project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Files that are no model: truncated, random, with wrong lengths or hostile structure."""

from __future__ import annotations

import random
from typing import Dict

from messages import (
    BOOL, attribute, claims, data, function, graph, int64s, model, node, number, opset, single,
    tensor, value, varint, zeros,
)  # fmt: skip

X, Y = value("x"), value("y")


def good() -> bytes:
    """A model that must be accepted: y = relu(x @ w + b)."""
    nodes = [
        node("MatMul", ["x", "w"], ["a"], name="product"),
        node("Add", ["a", "b"], ["s"], name="sum"),
        node("Relu", ["s"], ["y"], name="activation"),
    ]
    return model(graph(nodes, [X], [value("y", (2, 4))], [zeros("w", 3, 4), zeros("b", 4)]))


def diamonds() -> bytes:
    """A product, then steps of two ops that read the same and a third that joins them."""
    nodes = [node("MatMul", ["x", "w"], ["v0"], name="product")]
    for i in range(24):
        nodes += [
            node("Relu", [f"v{i}"], [f"a{i}"], name=f"a{i}"),
            node("Neg", [f"v{i}"], [f"b{i}"], name=f"b{i}"),
            node("Add", [f"a{i}", f"b{i}"], [f"v{i + 1}"], name=f"v{i + 1}"),
        ]
    return model(graph(nodes, [X], [value("v24", (2, 4))], [zeros("w", 3, 4)]))


def constant_ladder() -> bytes:
    """Sums of a constant with itself, the first of which is too large to be folded."""
    shape, rng = (600, 1), random.Random(5)
    column = tensor("c", [600, 1], raw=bytes(rng.choice(b"\x3e\x3f") for _ in range(2400)))
    row = tensor("r", [1, 600], raw=bytes(rng.choice(b"\x3e\x3f") for _ in range(2400)))
    nodes = [node("Add", ["c", "r"], ["v0"], name="first")]
    nodes += [node("Add", [f"v{i}", f"v{i}"], [f"v{i + 1}"], name=f"n{i}") for i in range(60)]
    nodes.append(node("Add", ["v60", "x"], ["y"], name="last"))
    return model(graph(nodes, [value("x", shape)], [value("y", (600, 600))], [column, row]))


def _nested_if(depth: int) -> bytes:
    inner = graph([node("Relu", ["x"], ["t"])], [], [value("t")])
    for _ in range(depth):
        inner = graph([_choice(inner, "t")], [], [value("t")])
    return model(graph([_choice(inner, "y")], [X, value("c", (), BOOL)], [Y]))


def _choice(branch: bytes, output: str) -> bytes:
    leaf = graph([node("Relu", ["x"], ["t"])], [], [value("t")])
    return node(
        "If", ["c"], [output], attribute("then_branch", g=branch), attribute("else_branch", g=leaf)
    )


def _doubling(count: int) -> bytes:
    """A chain of Concat(v, v): the size doubles with each node."""
    nodes = [
        node("Concat", [f"v{i}", f"v{i}"], [f"v{i + 1}"], attribute("axis", i=0), name=f"n{i}")
        for i in range(count)
    ]
    return model(graph(nodes, [value("v0", (3,))], [value(f"v{count}", None)]))


def _function_bomb(depth: int) -> bytes:
    """Functions that call the next one twice: 2 ** depth nodes when expanded."""
    functions = []
    for i in range(depth):
        kind, domain = (f"f{i + 1}", "local") if i + 1 < depth else ("Relu", "")
        body = [node(kind, ["a"], ["t"], domain=domain), node(kind, ["t"], ["b"], domain=domain)]
        functions.append(function(f"f{i}", body, ["a"], ["b"]))
    call = node("f0", ["x"], ["y"], domain="local")
    return model(graph([call], [X], [Y]), [opset(), opset(1, "local")], functions)


def _function_cycle(*names: str) -> bytes:
    functions = [
        function(
            name, [node(names[(i + 1) % len(names)], ["a"], ["b"], domain="local")], ["a"], ["b"]
        )
        for i, name in enumerate(names)
    ]
    call = node(names[0], ["x"], ["y"], domain="local")
    return model(graph([call], [X], [Y]), [opset(), opset(1, "local")], functions)


def refused() -> Dict[str, bytes]:
    """Models by name; each has to be refused."""
    whole = good()
    relu = node("Relu", ["x"], ["y"])
    cases = {
        "empty-file": b"",
        "text": b"this is not a model\n" * 40,
        "zeros": bytes(4096),
        "no-graph": number(1, 8) + data(8, opset()),
        "empty-graph": model(b""),
        "no-opset-import": model(graph([relu], [X], [Y]), []),
        "opset-0": model(graph([relu], [X], [Y]), [opset(0)]),
        "opset-negative": model(graph([relu], [X], [Y]), [opset(-1)]),
        "opset-999": model(graph([relu], [X], [Y]), [opset(999)]),
        "opset-twice": model(graph([relu], [X], [Y]), [opset(17), opset(9)]),
        "opset-of-other-domain": model(graph([relu], [X], [Y]), [opset(1, "other")]),
        "length-2-gigabytes": number(1, 8) + claims(7, 2**31 - 1, b"\x0a\x02hi"),
        "length-4-gigabytes": number(1, 8) + claims(7, 2**32 + 5, b"\x0a\x02hi"),
        "length-negative": number(1, 8) + claims(7, -1, b"\x0a\x02hi"),
        "length-inside-initializer": model(graph([relu], [X], [Y], extra=claims(5, 2**31 - 1))),
        "varint-without-end": number(1, 8) + b"\x3a" + b"\xff" * 200,
        "wire-type-7": number(1, 8) + b"\x3f" + bytes(64),
        "group-nesting": number(1, 8) + b"\x3b" * 100000,
        "unknown-op": single("Frobnicate", [(2, 3)]),
        "unknown-domain": model(
            graph([node("Relu", ["x"], ["y"], domain="com.example")], [X], [Y]),
            [opset(), opset(1, "com.example")],
        ),
        "domain-without-opset": model(
            graph([node("FusedMatMul", ["x", "x"], ["y"], domain="com.microsoft")], [X], [Y])
        ),
        "op-type-empty": single("", [(2, 3)]),
        "op-newer-than-opset": single("Gelu", [(2, 3)], version=9),
        "names-hostile": model(
            graph(
                [node("Bad\nerror: fake\x1b[31m\x00Op", ["x"], ["y"], name="a\nb\x1b]0;t\x07")],
                [X],
                [Y],
            )
        ),
        "names-not-utf8": model(
            graph([node("Relu", [b"\xff\xfe\xc0"], [b"\xe2\x28\xa1"], name=b"\xf0\x28\x8c\xbc")],
                  [value(b"\xff\xfe\xc0")], [value(b"\xe2\x28\xa1")])  # fmt: skip
        ),
        "op-type-not-utf8": single(b"Re\xfflu", [(2, 3)]),
        "name-of-a-megabyte": single("Z" * (1 << 20), [(2, 3)]),
        "cycle-of-one": model(graph([node("Add", ["x", "y"], ["y"])], [X], [Y])),
        "cycle-of-three": model(
            graph(
                [
                    node("Add", ["x", "c"], ["a"], name="first"),
                    node("Relu", ["a"], ["b"], name="second"),
                    node("Relu", ["b"], ["c"], name="third"),
                    node("Relu", ["c"], ["y"], name="fourth"),
                ],
                [X], [Y],
            )  # fmt: skip
        ),
        "input-dangling": model(graph([node("Add", ["x", "nowhere"], ["y"])], [X], [Y])),
        "output-dangling": model(graph([relu], [X], [Y, value("nothing")])),
        "output-written-twice": model(
            graph([relu, node("Tanh", ["x"], ["y"], name="again")], [X], [Y])
        ),
        "output-names-twice-in-node": single(
            "Split", [(2, 4)], attribute("axis", i=1), outputs=("y", "y")
        ),
        "output-is-input": model(graph([node("Relu", ["x"], ["x"])], [X], [value("x")])),
        "output-name-empty": model(graph([relu], [X], [value("")])),
        "input-twice": model(graph([relu], [X, X], [Y])),
        "initializer-twice": model(
            graph([node("Add", ["x", "w"], ["y"])], [X], [Y], [zeros("w", 3), zeros("w", 2, 3)])
        ),
        "input-without-type": model(graph([relu], [data(1, "x")], [Y])),
        "input-without-shape": model(graph([relu], [value("x", None)], [Y])),
        "input-type-0": model(graph([relu], [value("x", (2, 3), 0)], [Y])),
        "input-type-99": model(graph([relu], [value("x", (2, 3), 99)], [Y])),
        "input-string": model(graph([node("Identity", ["x"], ["y"])], [value("x", (2,), 8)], [Y])),
        "input-sequence": model(
            graph([relu], [data(1, "x") + data(2, data(4, data(1, data(1, number(1, 1)))))], [Y])
        ),
        "input-optional": model(
            graph([relu], [data(1, "x") + data(2, data(9, data(1, data(1, number(1, 1)))))], [Y])
        ),
        "input-dimension-negative": model(graph([relu], [value("x", (2, -3))], [Y])),
        "input-dimensions-overflow": model(graph([relu], [value("x", (2**40, 2**40))], [Y])),
        "input-bytes-overflow": model(graph([relu], [value("x", (2**62,))], [Y])),
        "rank-bomb-input": model(graph([relu], [value("x", [1] * 200000)], [Y])),
        "rank-bomb-initializer": model(
            graph(
                [node("Add", ["x", "w"], ["y"])],
                [X],
                [Y],
                [tensor("w", [1] * 200000, raw=bytes(4))],
            )
        ),
        "rank-bomb-constant-of-shape": model(
            graph([node("ConstantOfShape", ["s"], ["t"]), node("Add", ["x", "t"], ["y"])], [X], [Y],
                  [int64s("s", *[1] * 100000)])  # fmt: skip
        ),
        "rank-bomb-unsqueeze": model(
            graph([node("Unsqueeze", ["x", "s"], ["y"])], [X], [value("y", None)],
                  [int64s("s", *range(100000))])  # fmt: skip
        ),
        "size-doubling-chain": _doubling(62),
        "sparse-initializer": model(
            graph([node("Add", ["x", "w"], ["y"])], [X], [Y],
                  extra=data(15, data(1, tensor("w", [1], floats=[1.0])) + data(2, int64s("i", 1))
                             + number(3, 3)))  # fmt: skip
        ),
        "nesting-2000": _nested_if(2000),
        "function-calls-itself": _function_cycle("f"),
        "function-cycle": _function_cycle("f", "g", "h"),
        "function-bomb": _function_bomb(40),
    }
    for cut in (1, 10, len(whole) // 2, len(whole) - 20, len(whole) - 1):
        cases[f"truncated-at-{cut}"] = whole[:cut]
    rng = random.Random(7)
    for i in range(6):
        cases[f"random-{i}"] = bytes(rng.randrange(256) for _ in range(1 << (4 + 2 * i)))
    return cases


def survived() -> Dict[str, bytes]:
    """Models that may be accepted or refused, but must not crash or exhaust anything."""
    chain = [node("Relu", [f"v{i}"], [f"v{i + 1}"], name=f"n{i}") for i in range(3000)]
    ladder = [node("Add", [f"v{i}", f"v{i}"], [f"v{i + 1}"], name=f"n{i}") for i in range(200)]
    cases = {
        "long-chain": model(graph(chain, [value("v0")], [value("v3000")])),
        "shared-ladder": model(graph(ladder, [value("v0")], [value("v200")])),
        "nesting-25": _nested_if(25),
        "size-zero": single("Relu", [(0, 3)]),
        "rank-0": single("Relu", [()]),
        "rank-8": single("Relu", [(1, 2, 1, 2, 1, 2, 1, 2)]),
        "symbols-odd": single("Relu", [("a+b*", "2*(", "", "a+b*")]),
        "opset-import-twice-same": model(
            graph([node("Relu", ["x"], ["y"])], [X], [Y]), [opset(), opset()]
        ),
        "output-shape-contradicts": model(
            graph([node("Relu", ["x"], ["y"])], [X], [value("y", (7, 7))])
        ),
        "epsilon-nan": single(
            "LayerNormalization",
            [(2, 3)],
            attribute("epsilon", f=float("nan")),
            constants=[zeros("w", 3)],
            names=["w"],
        ),
        "unused-broken-initializer": model(
            graph([node("Relu", ["x"], ["y"])], [X], [Y], [tensor("w", [1 << 40], raw=bytes(4))])
        ),
        "metadata-large": model(
            graph([node("Relu", ["x"], ["y"])], [X], [Y]), extra=data(6, "d" * (1 << 22))
        ),
    }
    rng = random.Random(11)
    whole = good()
    for i in range(40):
        mutated = bytearray(whole)
        for _ in range(rng.randrange(1, 6)):
            mutated[rng.randrange(len(mutated))] = rng.randrange(256)
        cases[f"mutated-{i}"] = bytes(mutated)
    for i in range(10):
        place = rng.randrange(len(whole))
        cases[f"inserted-{i}"] = whole[:place] + varint(rng.getrandbits(40)) + whole[place:]
    return cases
