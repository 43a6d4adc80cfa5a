# This file is part of the Sectile project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The benchmark's models as a PyTorch user writes them, with random weights, for timing only."""

from __future__ import annotations

from typing import Callable, Dict, List, Optional

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Model = Callable[..., object]


class Attention(nn.Module):
    """Multi-head self-attention."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads, self.qkv, self.out = heads, nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x: Tensor, mask: Optional[Tensor] = None) -> Tensor:
        b, s, d = x.shape
        qkv = self.qkv(x).view(b, s, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4)
        y = attend(qkv[0], qkv[1], qkv[2], mask)
        return self.out(y.transpose(1, 2).reshape(b, s, d))


def attend(q: Tensor, k: Tensor, v: Tensor, mask: Optional[Tensor] = None) -> Tensor:
    """PyTorch's fused attention where the version has it."""
    if hasattr(F, "scaled_dot_product_attention"):
        return F.scaled_dot_product_attention(q, k, v, mask)
    scores = q @ k.transpose(-2, -1) * q.shape[-1] ** -0.5
    return (scores if mask is None else scores + mask).softmax(-1) @ v


def causal(size: int) -> Tensor:
    """An additive mask."""
    return torch.full((size, size), -1e9).triu(1)


class Block(nn.Module):
    """A transformer block, norms before or after."""

    def __init__(self, width: int, heads: int, before: bool, gelu: str) -> None:
        super().__init__()
        self.attention, self.before = Attention(width, heads), before
        self.first, self.second = nn.LayerNorm(width), nn.LayerNorm(width)
        self.feed = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(approximate=gelu), nn.Linear(4 * width, width)
        )

    def forward(self, x: Tensor, mask: Optional[Tensor] = None) -> Tensor:
        if self.before:
            x = x + self.attention(self.first(x), mask)
            return x + self.feed(self.second(x))
        x = self.first(x + self.attention(x, mask))
        return self.second(x + self.feed(x))


class Bert(nn.Module):
    """The 12-layer encoder."""

    def __init__(self, width: int = 768) -> None:
        super().__init__()
        self.tables = nn.ModuleList(nn.Embedding(n, width) for n in (30522, 512, 2))
        self.norm = nn.LayerNorm(width)
        self.blocks = nn.ModuleList(Block(width, 12, False, "none") for _ in range(12))
        self.pool, self.head = nn.Linear(width, width), nn.Linear(width, 2)

    def forward(self, ids: Tensor, mask: Tensor, types: Tensor) -> object:
        places = torch.arange(ids.shape[1])[None]
        x = self.norm(self.tables[0](ids) + self.tables[1](places) + self.tables[2](types))
        bias = (1.0 - mask[:, None, None, :].float()) * -1e9
        for block in self.blocks:
            x = block(x, bias)
        return x, self.head(torch.tanh(self.pool(x[:, 0])))


class Gpt2(nn.Module):
    """The two-layer decoder."""

    def __init__(self, width: int = 768) -> None:
        super().__init__()
        self.tokens, self.places = nn.Embedding(8192, width), nn.Embedding(1024, width)
        self.blocks = nn.ModuleList(Block(width, 12, True, "tanh") for _ in range(2))
        self.norm = nn.LayerNorm(width)

    def forward(self, ids: Tensor) -> Tensor:
        size = ids.shape[1]
        x, mask = self.tokens(ids) + self.places(torch.arange(size)[None]), causal(size)
        for block in self.blocks:
            x = block(x, mask)
        return F.linear(self.norm(x), self.tokens.weight)


def unit(i: int, o: int, k: int = 3, s: int = 1, g: int = 1, act: Optional[nn.Module] = None):
    """Convolution, normalisation and activation."""
    layers = [nn.Conv2d(i, o, k, s, k // 2, groups=g, bias=False), nn.BatchNorm2d(o)]
    return nn.Sequential(*layers, *([act] if act else []))


class Bottleneck(nn.Module):
    """A block of ResNet-50."""

    def __init__(self, i: int, m: int, s: int) -> None:
        super().__init__()
        relu = nn.ReLU(inplace=True)
        self.body = nn.Sequential(
            unit(i, m, 1, act=relu), unit(m, m, 3, s, act=relu), unit(m, 4 * m, 1)
        )
        self.side = unit(i, 4 * m, 1, s) if s != 1 or i != 4 * m else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return F.relu_(self.body(x) + self.side(x))


class Inverted(nn.Module):
    """A block of MobileNetV2."""

    def __init__(self, i: int, o: int, s: int, t: int) -> None:
        super().__init__()
        relu6, h = nn.ReLU6(inplace=True), i * t
        first = [unit(i, h, 1, act=relu6)] if t != 1 else []
        self.body = nn.Sequential(*first, unit(h, h, 3, s, h, relu6), unit(h, o, 1))
        self.residual = s == 1 and i == o

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x) if self.residual else self.body(x)


def resnet50() -> nn.Module:
    """ResNet-50, v1.5."""
    layers: List[nn.Module] = [unit(3, 64, 7, 2, act=nn.ReLU()), nn.MaxPool2d(3, 2, 1)]
    i = 64
    for stage, count in enumerate((3, 4, 6, 3)):
        for k in range(count):
            layers.append(Bottleneck(i, 64 << stage, 2 if stage and not k else 1))
            i = 256 << stage
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(i, 1000))


def mobilenetv2() -> nn.Module:
    """MobileNetV2."""
    layers: List[nn.Module] = [unit(3, 32, 3, 2, act=nn.ReLU6())]
    i = 32
    for t, o, n, s in ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1),
                       (6, 160, 3, 2), (6, 320, 1, 1)):  # fmt: skip
        for k in range(n):
            layers.append(Inverted(i, o, s if k == 0 else 1, t))
            i = o
    layers += [unit(320, 1280, 1, act=nn.ReLU6()), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    return nn.Sequential(*layers, nn.Linear(1280, 1000))


def _attention() -> Model:
    layer, mask = Attention(768, 12), causal(128)
    return lambda x: layer(x, mask)


def _chain() -> Model:
    c = torch.randn(2048)
    return lambda a, b: F.relu(a * b + c) * torch.tanh(a) - torch.sigmoid(b)


def _matmul_const() -> Model:
    b = torch.randn(1024, 1024)
    return lambda a: a @ b


def _quiet(build: Callable[[], nn.Module]) -> Callable[[], Model]:
    return lambda: build().eval()


MODELS: Dict[str, Callable[[], Model]] = {
    "softmax": lambda: lambda x: x.softmax(-1),
    "layernorm": _quiet(lambda: nn.LayerNorm(1024)),
    "chain": _chain,
    "matmul_1024": lambda: torch.matmul,
    "matmul_1024_const": _matmul_const,
    "attention": _attention,
    "attention_core": lambda: attend,
    "resnet50": _quiet(resnet50),
    "mobilenetv2": _quiet(mobilenetv2),
    "bert": _quiet(Bert),
    "bert_b8": _quiet(Bert),
    "gpt2": _quiet(Gpt2),
}
"""What makes each model's function."""

_BERT = ["input_ids", "attention_mask", "token_type"]

INPUTS: Dict[str, List[str]] = {
    "chain": ["a", "b"], "matmul_1024": ["a", "b"], "matmul_1024_const": ["a"],
    "attention_core": ["q", "k", "v"], "resnet50": ["pixels"], "mobilenetv2": ["pixels"],
    "bert": _BERT, "bert_b8": _BERT, "gpt2": ["input_ids"],
}  # fmt: skip
"""The inputs of each model in the order of its function's arguments, where that is not x."""
