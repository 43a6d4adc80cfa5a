# This file is part of the Sectile project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A back end for torch.compile: ``torch.compile(model, backend="sectile")``, for inference on the CPU.

Each graph that PyTorch captures goes through ONNX to a package, per set of sizes. What cannot be compiled
runs in eager mode, as it would have without, and a CompileWarning says why. The first call of a graph
always is eager: its results show what a compiled graph has to return.

Where the package is not installed (the string is found by its entry point), pass the function:
``backend=sectile.torch_backend.sectile``.
"""

from __future__ import annotations

import contextlib
import logging
import os
import tempfile
import warnings
from typing import Any, Callable, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple

import torch

from .compiler import compile as compile_model
from .errors import CompileError, CompileWarning, SectileError
from .model import Model

_OPTIONS = {"fp", "cpu_levels", "threads", "freeze", "fallback", "sizes"}


class Unsupported(SectileError):
    """A graph is left to eager mode."""


def sectile(
    graph: torch.fx.GraphModule,
    example_inputs: Sequence[Any],
    *,
    mode: Optional[str] = None,
    options: Optional[Mapping[str, Any]] = None,
) -> Callable[..., Any]:
    """What torch.compile calls for each graph. Options:

    * `fp`, `cpu_levels`, `threads`: as in `sectile.compile`; torch.get_num_threads() is the default.
    * `freeze` (False): compiles parameters and buffers as constants, which is faster. Changes of them are
      noticed by PyTorch's version counters and lead back to eager mode; those that bypass the counters
      (`tensor.data`, numpy views) are not.
    * `fallback` (True): False makes what would run in eager mode an exception, Unsupported.
    * `sizes` (8): for how many sets of sizes a graph is compiled before others run in eager mode.
    """
    given = dict(options or {})
    if mode not in (None, "default"):
        raise ValueError(f"expects no mode of torch.compile, but got {mode!r}; see 'options'")
    if set(given) - _OPTIONS:
        raise ValueError(f"expects options out of {sorted(_OPTIONS)}, but got {sorted(given)}")
    disable: Any = torch._dynamo.disable
    run: Callable[..., Any] = disable(_Graph(graph, given))
    return run


class _Graph:
    """A captured graph and its packages."""

    def __init__(self, graph: torch.fx.GraphModule, options: Dict[str, Any]) -> None:
        self.graph = graph
        self.options = options
        self.compiled: Dict[Tuple[Any, ...], Optional[_Compiled]] = {}
        self.is_full = False

    def __call__(self, *inputs: Any) -> Any:
        key = tuple(_describe(value) for value in inputs)
        compiled = self.compiled.get(key)
        if compiled is not None and compiled.is_current():
            return compiled(inputs)
        if key in self.compiled or self.is_full:
            if compiled is not None:
                self.compiled[key] = None
                self.give_up("a parameter changed after it had been compiled as a constant")
            return self.graph(*inputs)
        return self.compile(key, inputs)

    def compile(self, key: Tuple[Any, ...], inputs: Tuple[Any, ...]) -> Any:
        """The eager results; compiles the graph for these sizes on the way."""
        most = int(self.options.get("sizes", 8))
        if len(self.compiled) >= most:
            self.is_full = True
            self.give_up(f"it has met more than {most} sets of sizes")
            return self.graph(*inputs)
        self.compiled[key] = None
        try:
            _check_inputs(inputs)
            # Before the graph runs, which may change its inputs.
            exported, tensors, frozen = _export(
                self.graph, inputs, bool(self.options.get("freeze"))
            )
        except Unsupported as error:
            self.give_up(str(error))
            return self.graph(*inputs)
        outputs = self.graph(*inputs)
        try:
            _check_outputs(inputs, outputs)
            self.compiled[key] = _Compiled(self.build(exported), tensors, frozen, outputs)
        except (Unsupported, CompileError) as error:
            self.give_up(str(error))
        return outputs

    def build(self, exported: torch.export.ExportedProgram) -> Model:
        """Compiles an exported program."""
        with tempfile.TemporaryDirectory(prefix="sectile-") as folder:
            path = os.path.join(folder, "model.onnx")
            try:
                with _silence():
                    program = torch.onnx.export(exported, dynamo=True, verbose=False)
                if program is None:
                    raise Unsupported("PyTorch's exporter returned no ONNX model")
                program.save(path, external_data=True)
            except Exception as error:  # of the exporter, which has many
                raise Unsupported(f"it has no ONNX form: {_first_line(error)}") from error
            return compile_model(
                path,
                fp=self.options.get("fp", "default"),
                cpu_levels=self.options.get("cpu_levels"),
                threads=self.options.get("threads", torch.get_num_threads()),
            )

    def give_up(self, reason: str) -> None:
        """Says why something runs in eager mode, or fails if the user wants that."""
        if not self.options.get("fallback", True):
            raise Unsupported(f"a graph would run in eager mode: {reason}")
        warnings.warn(
            f"sectile: a graph runs in eager mode: {reason}", CompileWarning, stacklevel=2
        )


class _Compiled:
    """A package for one set of sizes."""

    def __init__(
        self,
        model: Model,
        tensors: List[int],
        frozen: List[torch.Tensor],
        outputs: Sequence[Any],
    ) -> None:
        self.model = model
        self.tensors = tensors
        if any(tensor.is_inference() for tensor in frozen):
            raise Unsupported("it has parameters made in inference mode, which count no versions")
        self.frozen = [(tensor, tensor._version) for tensor in frozen]
        self.outputs = [(v.dtype, v.shape) if isinstance(v, torch.Tensor) else v for v in outputs]
        found = sum(isinstance(value, torch.Tensor) for value in outputs)
        if len(model.outputs) != found or len(model.inputs) != len(tensors):
            raise Unsupported(
                f"it has {len(tensors)} inputs and {found} outputs, but its ONNX form has "
                f"{len(model.inputs)} and {len(model.outputs)}"
            )

    def is_current(self) -> bool:
        """Whether the constants still are what they were."""
        return all(tensor._version == version for tensor, version in self.frozen)

    def __call__(self, inputs: Tuple[Any, ...]) -> Any:
        arguments = [inputs[i].detach().resolve_neg() for i in self.tensors]
        names = [tensor.name for tensor in self.model.inputs]
        results = iter(self.model.run(dict(zip(names, arguments))).values())
        outputs = []
        for expected in self.outputs:
            if not isinstance(expected, tuple):
                outputs.append(expected)
                continue
            result = torch.utils.dlpack.from_dlpack(next(results))
            if (result.dtype, result.shape) != expected:
                raise SectileError(
                    f"expects an output {expected}, but got {(result.dtype, result.shape)}"
                )
            outputs.append(result)
        return tuple(outputs)


def _describe(value: Any) -> Any:
    """What a package depends on."""
    if isinstance(value, torch.Tensor):
        return (value.dtype, tuple(value.shape))
    return value


def _check_inputs(inputs: Sequence[Any]) -> None:
    for value in inputs:
        if not isinstance(value, torch.Tensor):
            if type(value) is not int:
                raise Unsupported(f"it has an input of type {type(value).__name__}")
            continue
        if value.device.type != "cpu":
            raise Unsupported(f"it has an input on {value.device}")
        if value.layout != torch.strided or value.dtype.is_complex or value.is_quantized:
            raise Unsupported(f"it has an input of {value.dtype}, {value.layout}")
        if type(value) not in (torch.Tensor, torch.nn.Parameter, torch.nn.Buffer):
            raise Unsupported(f"it has an input of type {type(value).__name__}")
        if torch.is_grad_enabled() and value.requires_grad:
            raise Unsupported("it needs gradients; call it under torch.no_grad()")


def _check_outputs(inputs: Sequence[Any], outputs: Any) -> None:
    """Results are new tensors: one that shares memory would notice changes of the other no more."""
    if not isinstance(outputs, (tuple, list)):
        raise Unsupported(f"it returns a {type(outputs).__name__}")
    owners = {v.untyped_storage().data_ptr() for v in inputs if isinstance(v, torch.Tensor)} - {0}
    for value in outputs:
        if value is None:
            continue
        if not isinstance(value, torch.Tensor):
            raise Unsupported(f"it returns a {type(value).__name__}")
        owner = value.untyped_storage().data_ptr()
        if owner and owner in owners:
            raise Unsupported("it returns a view of an input or of another output")
        owners.add(owner)


def _export(
    graph: torch.fx.GraphModule, inputs: Tuple[Any, ...], freeze: bool
) -> Tuple[torch.export.ExportedProgram, List[int], List[torch.Tensor]]:
    """The graph for these sizes as a program without side effects; which inputs it takes; which tensors
    are its constants."""
    names = [node for node in graph.graph.nodes if node.op == "placeholder"]
    constants = [
        freeze and (isinstance(value, torch.nn.Parameter) or _is_static(node))
        for node, value in zip(names, inputs)
    ]
    tensors = [
        i for i, value in enumerate(inputs) if isinstance(value, torch.Tensor) and not constants[i]
    ]
    frozen = [value for value, constant in zip(inputs, constants) if constant]
    # What PyTorch itself has made a constant of the graph.
    frozen += [*graph.parameters(), *graph.buffers()]
    module = _Fixed(graph, inputs, tensors)
    arguments = tuple(inputs[i].detach().clone() for i in tensors)
    try:
        with torch.no_grad():
            exported = torch.export.export(module, arguments, strict=False)
    except Exception as error:  # of the exporter, which has many
        raise Unsupported(f"it cannot be exported: {_first_line(error)}") from error
    for node in exported.graph.nodes:
        if _is_random(node):
            raise Unsupported(f"it draws random numbers ({node.target})")
    # Only this form says what is changed in place.
    signature = exported.run_decompositions({}).graph_signature
    if signature.user_inputs_to_mutate or signature.buffers_to_mutate:
        raise Unsupported("it changes its inputs")
    return exported, tensors, frozen


def _is_random(node: torch.fx.Node) -> bool:
    """Whether an op draws random numbers. Some only do with a probability, or while training."""
    if torch.Tag.nondeterministic_seeded not in getattr(node.target, "tags", ()):
        return False
    schema = node.target._schema  # type: ignore[union-attr,unused-ignore]
    given = {argument.name: argument.default_value for argument in schema.arguments}
    given.update(zip([argument.name for argument in schema.arguments], node.args))
    given.update(node.kwargs)
    return given.get("dropout_p", given.get("p")) != 0 and given.get("train") is not False


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Keeps what the exporter says about itself from a user who has not called it."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def _is_static(node: torch.fx.Node) -> bool:
    """Whether an input is a parameter or a buffer of a module."""
    return "_dynamo_static_input_type" in node.meta.get("tensor_dict", {})


class _Fixed(torch.nn.Module):  # type: ignore[misc,unused-ignore]
    """A graph as a function of some of its inputs; the others are constants."""

    def __init__(
        self, graph: torch.fx.GraphModule, inputs: Tuple[Any, ...], tensors: List[int]
    ) -> None:
        super().__init__()
        self.graph = graph
        self.tensors = tensors
        self.others: List[Any] = []
        for i, value in enumerate(inputs):
            self.others.append(None if isinstance(value, torch.Tensor) else value)
            if isinstance(value, torch.Tensor) and i not in tensors:
                self.register_buffer(f"constant{i}", value.detach())

    def forward(self, *arguments: torch.Tensor) -> Any:
        """Runs the graph."""
        inputs = list(self.others)
        for i, value in zip(self.tensors, arguments):
            inputs[i] = value
        for i, value in enumerate(inputs):
            if value is None:
                inputs[i] = getattr(self, f"constant{i}")
        # None is no output of a program.
        return tuple(value for value in self.graph(*inputs) if value is not None)


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines() or [""]
    return f"{type(error).__name__}: {lines[0]}"
