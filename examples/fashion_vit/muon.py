# SPDX-License-Identifier: Apache-2.0
"""Muon (Jordan et al., 2024): momentum steps made orthogonal, in float32."""

from collections.abc import Iterable

import torch


def orthogonalise(matrix: torch.Tensor, steps: int = 5) -> torch.Tensor:
    """Nearest orthogonal matrices, roughly, of [N, rows, cols], rows <= cols.

    A quintic Newton-Schulz iteration whose coefficients take all singular
    values into about 0.7 .. 1.2.
    """
    x = matrix / (matrix.flatten(1).norm(dim=1)[:, None, None] + 1e-7)
    for _ in range(steps):
        gram = x @ x.transpose(1, 2)
        x = 3.4445 * x + (-4.7750 * gram + 2.0315 * gram @ gram) @ x
    return x


class Muon(torch.optim.Optimizer):
    """For 2-D weights. In a parameter group with `stacked` = n, each weight is
    n matrices on top of each other (a joined qkv: 3), treated one by one."""

    def __init__(
        self,
        params: Iterable,
        lr: float = 0.02,
        momentum: float = 0.95,
        weight_decay: float = 0.05,
    ) -> None:
        super().__init__(
            params, dict(lr=lr, momentum=momentum, weight_decay=weight_decay, stacked=1)
        )

    @torch.no_grad()
    def step(self) -> None:
        for group in self.param_groups:
            for param in group["params"]:
                if param.grad is None:
                    continue
                state = self.state[param]
                if not state:
                    state["momentum"] = torch.zeros_like(param)
                buf = state["momentum"].lerp_(param.grad, 1 - group["momentum"])
                step = param.grad.lerp(buf, group["momentum"])
                step = step.unflatten(0, (group["stacked"], -1))
                rows, cols = step.shape[1:]
                if rows > cols:
                    step = orthogonalise(step.transpose(1, 2)).transpose(1, 2)
                else:
                    step = orthogonalise(step)
                scale = max(1.0, rows / cols) ** 0.5
                param.mul_(1 - group["lr"] * group["weight_decay"])
                param.add_(step.reshape(param.shape), alpha=-group["lr"] * scale)
