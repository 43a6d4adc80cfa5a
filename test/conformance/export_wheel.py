# This file is part of the Sectile project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Writes the node tests and the light networks of this Python's onnx package as files.

    PYTHON export_wheel.py FOLDER

The layout is that of Debian's libonnx-testdata: FOLDER/{node,light}/NAME/model.onnx with
test_data_set_K/{input,output}_I.pb. Prints the version of onnx; writes nothing where FOLDER is
complete already. Runs in a Python that has onnx and numpy; nothing of Sectile is needed.
"""

import os
import shutil
import sys
import warnings

warnings.filterwarnings("ignore")  # of operators' own computations at the edges of their domains

import numpy as np  # noqa: E402
import onnx  # noqa: E402
from onnx import numpy_helper  # noqa: E402


def to_proto(value, info):
    """The message that holds `value`, of the kind that `info` declares."""
    if hasattr(value, "SerializeToString"):
        return value
    kind = info.type.WhichOneof("value")
    if kind == "sequence_type":
        return numpy_helper.from_list(value, info.name)
    if kind == "optional_type":
        return numpy_helper.from_optional(value, info.name)
    if kind == "map_type":
        return numpy_helper.from_dict(value, info.name)
    return numpy_helper.from_array(np.asarray(value), info.name)


def write_case(folder, model, data_sets):
    """Writes one test."""
    os.makedirs(folder)
    with open(os.path.join(folder, "model.onnx"), "wb") as file:
        file.write(model.SerializeToString())
    for number, (inputs, outputs) in enumerate(data_sets):
        data = os.path.join(folder, f"test_data_set_{number}")
        os.makedirs(data)
        for stem, values, infos in (
            ("input", inputs, model.graph.input),
            ("output", outputs, model.graph.output),
        ):
            for index, (value, info) in enumerate(zip(values, infos)):
                with open(os.path.join(data, f"{stem}_{index}.pb"), "wb") as file:
                    file.write(to_proto(value, info).SerializeToString())


def light_inputs(model):
    """What onnx's own runner feeds to the light networks: even steps from 0 to 1."""
    constants = {tensor.name for tensor in model.graph.initializer}
    for info in model.graph.input:
        if info.name not in constants:
            shape = [dim.dim_value or 1 for dim in info.type.tensor_type.shape.dim]
            count = int(np.prod(shape))
            yield (np.arange(count).reshape(shape) / count).astype(np.float32)


def write_light(source, target):
    """Writes the light networks that are found in `source`."""
    for name in sorted(os.listdir(source)):
        if not name.endswith(".onnx"):
            continue
        stem = os.path.join(source, name[: -len(".onnx")])
        model = onnx.load(os.path.join(source, name))
        outputs = []
        for index in range(len(model.graph.output)):
            with open(f"{stem}_output_{index}.pb", "rb") as file:
                outputs.append(onnx.TensorProto.FromString(file.read()))
        folder = os.path.join(target, name[: -len(".onnx")])
        write_case(folder, model, [(list(light_inputs(model)), outputs)])


def main():
    """The command."""
    print(onnx.__version__)
    target = sys.argv[1]
    mark = os.path.join(target, "complete-" + onnx.__version__)
    if os.path.exists(mark):
        return
    shutil.rmtree(target, ignore_errors=True)
    from onnx.backend.test.loader import load_model_tests

    for case in load_model_tests(kind="node"):
        if case.model is not None and case.data_sets:
            write_case(os.path.join(target, "node", case.name), case.model, case.data_sets)
    import onnx.backend.test as tests

    light = os.path.join(os.path.dirname(tests.__file__), "data", "light")
    if os.path.isdir(light):
        write_light(light, os.path.join(target, "light"))
    with open(mark, "w", encoding="utf-8"):
        pass


if __name__ == "__main__":
    main()
