# SPDX-License-Identifier: Apache-2.0
"""Gradients of integer arithmetic: those of the real operation behind it (Bengio, Leonard,
Courville, "Estimating or propagating gradients through stochastic neurons", arXiv 1308.3432).
"""

from typing import Any

import torch
from torch import Tensor

from hwgen.numerics.gelu import CLIP, INPUT_FRACTION, GeluConstants


class _StraightThrough(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, real: Tensor, value: Tensor) -> Tensor:
        return value.clone()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return gradient, None


class _Product(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, left: Tensor, right: Tensor, value: Tensor) -> Tensor:
        ctx.save_for_backward(left, right)
        return value.clone()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None]:
        left, right = ctx.saved_tensors
        if right.dim() == 2:
            return gradient @ right.mT, left.flatten(0, -2).mT @ gradient.flatten(0, -2), None
        return gradient @ right.mT, left.mT @ gradient, None


def straight_through(real: Tensor, value: Tensor) -> Tensor:
    """``value``, exactly, with the gradient of ``real``."""
    result: Tensor = _StraightThrough.apply(real, value)
    return result


def product(left: Tensor, right: Tensor, value: Tensor) -> Tensor:
    """``value`` with the gradient of ``left @ right``, which is not computed.

    ``right`` is one matrix, or one for each that ``left`` has.
    """
    result: Tensor = _Product.apply(left, right, value)
    return result


def rounded(real: Tensor, integers: Tensor, scale: float, limit: int) -> Tensor:
    """The real value of ``integers`` with the gradient of ``real``; none where that is beyond
    what ``limit`` steps of ``scale`` reach, as no small change of it changes the integers.
    """
    return straight_through(real.clamp(-limit * scale, limit * scale), integers * scale)


def gelu_polynomial(x: Tensor, constants: GeluConstants) -> Tensor:
    """HeatViT's GELU (equations 5 and 6) in real numbers, regularised as ``constants`` are."""
    clip = CLIP * 2.0**-INPUT_FRACTION
    erf = constants.one * 2.0**-14 - (x.abs().clamp(max=clip) - clip).square() * (
        constants.slope * 2.0**-17
    )
    return x / 2 * (1 + x.sign() * erf)
