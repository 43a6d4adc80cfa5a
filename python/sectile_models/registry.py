# This file is part of the Sectile project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The list of models, with their full and scaled-down sizes."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any, Callable, Dict, Optional

import onnx

from . import fragments, transformers, vision
from .builder import GraphBuilder

_SEED = 20


@dataclasses.dataclass(frozen=True)
class ModelSpec:
    """One model: what builds it, with which arguments, and which sizes suit its symbols."""

    name: str
    build: Callable[..., None]
    full: Dict[str, Any]
    small: Dict[str, Any]
    dims: Dict[str, int] = dataclasses.field(default_factory=dict)
    """Default sizes of the symbols, for inputs."""


def _spec(name: str, build: Callable[..., None], full: Dict[str, Any], small: Dict[str, Any],
          **dims: int) -> ModelSpec:  # fmt: skip
    return ModelSpec(name, build, full, {**full, **small}, dims)


_block = dict(batch=1, seq=128, count=12, width=64)
_small_block = dict(seq=9, count=2, width=8)
_bert_small = dict(seq=9, layers=2, count=2, width=8, vocabulary=61, capacity=32)
_gpt_small = dict(seq=9, layers=2, count=2, width=8, vocabulary=61, capacity=32)
_llama_small = dict(seq=9, count=4, groups=2, width=8, inner=44)
_vit_small = dict(image=16, patch=4, layers=2, count=2, width=8, classes=10)
_net_small = dict(base=8, image=32, classes=10)
_mobile_small = dict(image=32, divide=4, stages=3, classes=10)
_symbols = dict(batch="batch", seq="seq")
_resnet18 = dict(batch=1, blocks=(2, 2, 2, 2), bottleneck=False)


def _dynamic(sizes: Dict[str, Any]) -> Dict[str, Any]:
    """`sizes` without the ones that are symbols in a dynamic model."""
    return {key: value for key, value in sizes.items() if key not in ("batch", "seq", "past")}


_SPECS = [
    _spec("matmul_relu", fragments.matmul_relu, {}, {}),
    _spec("matmul_1024", fragments.matmul, dict(m=1024, n=1024, k=1024), dict(m=33, n=17, k=29)),
    _spec("matmul_1024_const", fragments.matmul, dict(m=1024, n=1024, k=1024, constant=True),
          dict(m=33, n=17, k=29)),
    _spec("softmax", fragments.softmax, {}, dict(batch=2, rows=7, columns=37)),
    _spec("layernorm", fragments.layernorm, {}, dict(batch=7, width=37)),
    _spec("long_rows", fragments.long_rows, {}, dict(batch=2, width=200003)),
    _spec("statistics", fragments.statistics, {}, dict(batch=7, width=37, outputs=29)),
    _spec("statistics_dyn", fragments.statistics, dict(batch="batch"),
          dict(width=37, outputs=29), batch=13),
    _spec("reshaped_norms", fragments.reshaped_norms, dict(batch="images"),
          dict(channels=3, height=2, width=7), images=2),
    _spec("chain", fragments.chain, {}, dict(batch=5, width=37)),
    _spec("gemm_bias_gelu", fragments.gemm_bias_gelu, {}, dict(batch=5, inputs=24, outputs=40)),
    _spec("attention", fragments.attention, _block, _small_block),
    _spec("attention_core", fragments.attention_core, dict(batch=1, seq=1024, count=8, width=64),
          _small_block),
    _spec("attention_past", fragments.attention_past,
          dict(batch="batch", rows="rows", past="past", count=12, width=64), dict(count=2, width=20),
          batch=1, rows=1, past=1024),
    _spec("attention_long", fragments.attention_past,
          dict(batch=1, rows=128, past=16384, count=4, width=16),
          dict(batch=1, rows=11, past=4099, count=1, width=8)),
    _spec("tblock", transformers.tblock, _block, _small_block),
    _spec("dynseq_tblock", transformers.tblock, dict(_symbols, count=4, width=64),
          _dynamic(_small_block), batch=2, seq=50),
    _spec("bert", transformers.bert, dict(batch=1, seq=128), _bert_small),
    _spec("bert_b8", transformers.bert, dict(batch=8, seq=128), dict(_bert_small, batch=3)),
    _spec("bert_dyn", transformers.bert, dict(_symbols, layers=2, count=4, vocabulary=4096),
          _dynamic(_bert_small), batch=2, seq=32),
    _spec("gpt2", transformers.gpt2, dict(batch=1, seq=64), _gpt_small),
    _spec("gpt2_dyn", transformers.gpt2, dict(_symbols, count=4, vocabulary=2048),
          _dynamic(_gpt_small), batch=2, seq=23),
    _spec("gpt_decode", transformers.gpt_decode, {}, _dynamic(_gpt_small), batch=2, past=17),
    _spec("llama_block", transformers.llama_block, dict(batch=1, seq=128), _llama_small),
    _spec("llama", transformers.llama, dict(batch=1, seq=64),
          dict(_llama_small, vocabulary=61, capacity=32)),
    _spec("llama_dyn", transformers.llama, dict(_symbols, vocabulary=2048),
          dict(_dynamic(_llama_small), vocabulary=61, capacity=32), batch=2, seq=23),
    _spec("vit", transformers.vit, dict(batch=1), _vit_small),
    _spec("vit_dyn", transformers.vit, dict(batch="batch", layers=2), _vit_small, batch=2),
    _spec("convblock", vision.convblock, dict(batch=1), dict(channels=8, image=9)),
    _spec("resnet18", vision.resnet, _resnet18, _net_small),
    _spec("resnet18_dyn", vision.resnet, dict(_resnet18, batch="batch"), _net_small, batch=2),
    _spec("resnet50", vision.resnet, dict(batch=1, blocks=(3, 4, 6, 3), bottleneck=True),
          dict(_net_small, blocks=(1, 2, 1, 1))),
    _spec("mobilenetv2", vision.mobilenetv2, dict(batch=1), _mobile_small),
    _spec("mobilenetv2_dyn", vision.mobilenetv2, dict(batch="batch"), _mobile_small, batch=2),
    _spec("unet", vision.unet, dict(batch=1), dict(image=16, base=8, groups=2)),
    _spec("unet_dyn", vision.unet, dict(batch="batch", image="image"), dict(base=8, groups=2),
          batch=2, image=36),
    _spec("qdq_gemm", fragments.qdq_gemm, {}, dict(batch=5, inputs=24, outputs=40)),
]  # fmt: skip

MODELS: Dict[str, ModelSpec] = {spec.name: spec for spec in _SPECS}


@functools.lru_cache(maxsize=None)
def _accepts_batch(function: Callable[..., None]) -> bool:
    code = function.__code__
    return "batch" in code.co_varnames[: code.co_argcount]


def build(
    name: str, small: bool = False, batch: Optional[int] = None, opset: int = 17
) -> onnx.ModelProto:
    """Builds the model called `name`; `batch` replaces its static batch size."""
    spec = MODELS[name]
    arguments = dict(spec.small if small else spec.full)
    if batch is not None and _accepts_batch(spec.build):
        if not isinstance(arguments.get("batch"), str):
            arguments["batch"] = batch
    graph = GraphBuilder(name, opset, _SEED)
    spec.build(graph, **arguments)
    return graph.model()
