# This file is part of the Sectile project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What is done to a model before it is compiled.

* `static`: nothing.
* `dynamic`: every extent of every input gets a symbol of its own, and what the model says of other
  shapes is forgotten.
* `constants`: the recorded inputs become initialisers.
"""

from __future__ import annotations

from typing import Callable, Dict, List

import onnx
from onnx import TensorProto

MODES = ("static", "dynamic", "constants")


def given_inputs(model: onnx.ModelProto) -> List[onnx.ValueInfoProto]:
    """The inputs that have no initialiser."""
    constants = {tensor.name for tensor in model.graph.initializer}
    return [value for value in model.graph.input if value.name not in constants]


def make_dynamic(
    model: onnx.ModelProto, renames: Callable[[onnx.ValueInfoProto], bool] = lambda value: True
) -> None:
    """Gives each extent of the inputs that `renames` a name of its own; forgets results' shapes."""
    for value in given_inputs(model):
        if value.type.WhichOneof("value") != "tensor_type" or not renames(value):
            continue
        for index, dim in enumerate(value.type.tensor_type.shape.dim):
            if not dim.dim_param:
                dim.dim_param = f"{value.name}_{index}"
    for value in model.graph.output:
        if value.type.WhichOneof("value") == "tensor_type":
            value.type.tensor_type.ClearField("shape")
    del model.graph.value_info[:]


def make_constants(model: onnx.ModelProto, inputs: Dict[str, TensorProto]) -> None:
    """Turns the `inputs` into initialisers."""
    kept = [value for value in model.graph.input if value.name not in inputs]
    del model.graph.input[:]
    model.graph.input.extend(kept)
    for name, tensor in inputs.items():
        added = model.graph.initializer.add()
        added.CopyFrom(tensor)
        added.name = name


def apply_mode(mode: str, model: onnx.ModelProto, inputs: Dict[str, TensorProto]) -> None:
    """Changes the model as `mode` demands; `inputs` are the recorded ones."""
    if mode == "dynamic":
        make_dynamic(model)
    elif mode == "constants":
        make_constants(model, inputs)
