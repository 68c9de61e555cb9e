# SPDX-License-Identifier: Apache-2.0
"""Accuracy of a network, and how many tokens each image keeps."""

from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from torch import nn

from hwgen.data_files import Data
from hwgen.errors import DataError
from hwgen.progress import Progress, silent


@dataclass(frozen=True, eq=False)
class Evaluation:
    """``correct`` (images,) bool; ``tokens`` (images, selectors) whole numbers, how many tokens
    of the image stay behind each selector, class and package tokens not counted."""

    correct: np.ndarray
    tokens: np.ndarray

    @property
    def accuracy(self) -> float:
        """Top-1, 0 to 1."""
        return float(self.correct.mean())


@torch.no_grad()
def evaluate_network(
    network: nn.Module, data: Data, batch: int = 100, progress: Progress = silent
) -> Evaluation:
    """Runs ``network``, a GraphNetwork or a module like it, in evaluation mode on all of ``data``.

    What is asked of it: an Outcome for uint8 images, and ``tokens``, the number of an image's
    tokens without class tokens.

    Raises DataError when the data has no labels.
    """
    if data.labels is None:
        raise DataError("The test data has no array 'labels'; accuracy needs each image's class.")
    all_tokens = int(cast(Any, network).tokens)
    device = next(network.parameters()).device
    correct, tokens = [], []
    mode = network.training
    network.eval()
    try:
        for start in range(0, len(data), batch):
            progress("testing", start, len(data))
            images = torch.as_tensor(data.images[start : start + batch], device=device)
            outcome = network(images)
            classes = outcome.logits.argmax(1).cpu().numpy()
            correct.append(classes == data.labels[start : start + batch])
            shares = [share.cpu().numpy() for share in outcome.shares]
            counts = np.stack(shares, 1) if shares else np.zeros((len(classes), 0))
            tokens.append(np.rint(counts * all_tokens).astype(np.int64))
    finally:
        network.train(mode)
    return Evaluation(np.concatenate(correct), np.concatenate(tokens))
