# SPDX-License-Identifier: Apache-2.0
"""The processes of a run, by HuggingFace accelerate."""

from typing import Literal

import torch
from accelerate import Accelerator, DistributedDataParallelKwargs, PartialState


def processes() -> PartialState:
    """Which process this is, of how many; on the CPU where torch finds no accelerator."""
    return PartialState(cpu=not torch.accelerator.is_available())


def accelerator(precision: Literal["no", "bf16"]) -> Accelerator:
    """What distributes a training; matrix products are of ``precision``."""
    # A warm-up uses the selectors alone.
    unused = DistributedDataParallelKwargs(find_unused_parameters=True)
    return Accelerator(
        mixed_precision=precision,
        cpu=not torch.accelerator.is_available(),
        kwargs_handlers=[unused],
    )
