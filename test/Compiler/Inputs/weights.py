"""Three layers and a copy in which one differs: weights.py FOLDER; also an input and what damages a file."""

import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


def main() -> None:
    folder = sys.argv[1]
    random = np.random.default_rng(11)
    weights = [random.standard_normal((311, 311), np.float32) / np.float32(18) for _ in range(3)]
    biases = [random.standard_normal(311, np.float32) for _ in range(3)]
    for name in ("one", "two"):
        if name == "two":
            weights[1] = weights[1] + np.float32(0.5)
        nodes, held, last = [], [], "x"
        for i, (weight, bias) in enumerate(zip(weights, biases)):
            held += [numpy_helper.from_array(weight, f"w{i}"), numpy_helper.from_array(bias, f"b{i}")]
            nodes.append(helper.make_node("MatMul", [last, f"w{i}"], [f"m{i}"]))
            nodes.append(helper.make_node("Add", [f"m{i}", f"b{i}"], [f"a{i}"]))
            nodes.append(helper.make_node("Tanh", [f"a{i}"], [f"t{i}"]))
            last = f"t{i}"
        tensors = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [5, 311]) for n in ("x", last)]
        graph = helper.make_graph(nodes, "layers", tensors[:1], tensors[1:], held)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        onnx.save(model, f"{folder}/{name}.onnx")
    np.save(f"{folder}/x.npy", random.standard_normal((5, 311), np.float32))


main()
