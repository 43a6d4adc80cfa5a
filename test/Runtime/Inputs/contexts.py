"""Runs a model with dynamic sizes from eight threads at once and alone: contexts.py PACKAGE."""

import sys
import threading

import numpy as np
import sectile

THREADS, ROUNDS = 8, 12
model = sectile.load(sys.argv[1], threads=3)
draw = np.random.default_rng(5)


def inputs(batch: int, seq: int) -> dict:
    sizes = {"batch": batch, "seq": seq}
    shapes = {info.name: [sizes.get(dim, dim) for dim in info.shape] for info in model.inputs}
    return {name: draw.integers(0, 2, shape, np.int64) for name, shape in shapes.items()}


given = [inputs(1 + i % 3, 5 + 3 * i) for i in range(THREADS)]
alone = [model.run(values) for values in given]
wrong = []


def work(number: int) -> None:
    for _ in range(ROUNDS):
        results = model.run(given[number])
        if any(results[name].tobytes() != alone[number][name].tobytes() for name in results):
            wrong.append(number)


threads = [threading.Thread(target=work, args=(number,)) for number in range(THREADS)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
sys.exit(f"wrong: {wrong}" if wrong else 0)
