"""Models whose host programs read memory: gpu_models.py OUT writes them, with inputs and results.

A loop whose condition the data decides, the positions of what is not zero, a gather with an index
out of range, and an attention with a cache that grows in its buffer have kernels between which the
host looks at what the device computed.
"""

import os
import sys

import numpy as np
import onnx
from onnx import TensorProto as T
from onnx import helper as h


def save(folder, name, nodes, inputs, outputs, extra=()):
    graph = h.make_graph(nodes, name, inputs, outputs, list(extra))
    model = h.make_model(graph, opset_imports=[h.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, os.path.join(folder, name + ".onnx"))


def main():
    out = sys.argv[1]
    os.makedirs(out, exist_ok=True)
    value = h.make_tensor_value_info
    put = lambda name, array: np.save(os.path.join(out, name + ".npy"), array)

    # Doubles x while its sum is below 100.
    body = h.make_graph(
        [
            h.make_node("Add", ["v", "v"], ["w"]),
            h.make_node("ReduceSum", ["w"], ["s"], keepdims=0),
            h.make_node("Less", ["s", "limit"], ["goes"]),
        ],
        "body",
        [value("i", T.INT64, []), value("c", T.BOOL, []), value("v", T.FLOAT, [5])],
        [value("goes", T.BOOL, []), value("w", T.FLOAT, [5])],
        [h.make_tensor("limit", T.FLOAT, [], [100.0])],
    )
    save(
        out,
        "loop",
        [h.make_node("Loop", ["trips", "start", "x"], ["y"], body=body)],
        [value("x", T.FLOAT, [5])],
        [value("y", T.FLOAT, [5])],
        [h.make_tensor("trips", T.INT64, [], [50]), h.make_tensor("start", T.BOOL, [], [True])],
    )
    x = np.float32([1, 2, 0.5, 3, 0.25])
    put("loop_x", x)
    while True:
        x = x + x
        if not x.sum() < 100:
            break
    put("loop_y", x)

    save(
        out,
        "nonzero",
        [h.make_node("Mul", ["x", "x"], ["z"]), h.make_node("NonZero", ["z"], ["y"])],
        [value("x", T.FLOAT, [6, 7])],
        [value("y", T.INT64, [2, None])],
    )
    x = np.random.default_rng(3).integers(-1, 2, (6, 7)).astype(np.float32)
    put("nonzero_x", x)
    put("nonzero_y", np.stack(np.nonzero(x)).astype(np.int64))

    save(
        out,
        "gather",
        [h.make_node("Gather", ["x", "i"], ["g"], name="rows"), h.make_node("Exp", ["g"], ["y"])],
        [value("x", T.FLOAT, [9, 3]), value("i", T.INT64, [4])],
        [value("y", T.FLOAT, [4, 3])],
    )
    put("gather_x", np.zeros((9, 3), np.float32))
    put("gather_good", np.int64([0, 8, 3, 3]))
    put("gather_bad", np.int64([0, 8, 9, 3]))
    put("gather_y", np.ones((4, 3), np.float32))

    # One more row in a buffer with room for ten.
    save(
        out,
        "cache",
        [
            h.make_node("Concat", ["past", "row"], ["present"], axis=1),
            h.make_node("ReduceSum", ["present", "axes"], ["y"], keepdims=0),
        ],
        [value("past", T.FLOAT, [2, "n", 4]), value("row", T.FLOAT, [2, 1, 4])],
        [value("present", T.FLOAT, [2, "m", 4]), value("y", T.FLOAT, [2, 4])],
        [h.make_tensor("axes", T.INT64, [1], [1])],
    )
    past = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    row = np.float32([[[1, 2, 3, 4]], [[5, 6, 7, 8]]])
    present = np.concatenate([past, row], 1)
    for name, array in (("past", past), ("row", row), ("present", present), ("y", present.sum(1))):
        put("cache_" + name, array)


if __name__ == "__main__":
    main()
