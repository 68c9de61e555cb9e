# SPDX-License-Identifier: Apache-2.0
"""The batches of a training run: which images, in which order, changed how."""

import numpy as np
import torch
from torch import Tensor

from hwgen.data_files import Data
from hwgen.errors import DataError


class Batches:
    """Batches of ``size`` images; ``share`` of ``shares`` processes gets its part of each.

    The order of an epoch depends on the seed and the epoch, all other random numbers of a step on
    the seed, the step and the process: nothing needs to be stored to go on at any step.

    Raises DataError when there are no labels, or fewer images than a batch has.
    """

    def __init__(
        self,
        data: Data,
        size: int,
        seed: int,
        *,
        mirror: bool = False,
        shift: int = 0,
        share: int = 0,
        shares: int = 1,
    ) -> None:
        if data.labels is None:
            raise DataError(
                "The training data has no array 'labels'; pruning trains the model, and needs the "
                "class of each image."
            )
        check_batch(data, size)
        self._images, self._labels = data.images, data.labels
        self._size, self._seed = size, seed
        self._mirror, self._shift = mirror, shift
        self._share, self._shares = share, shares
        self._epoch, self._order = -1, np.empty(0, int)

    @property
    def per_epoch(self) -> int:
        """Steps of one epoch; images that do not fill a batch are left out."""
        return len(self._images) // self._size

    def batch(self, step: int, device: torch.device) -> tuple[Tensor, Tensor]:
        """Images uint8 (images, height, width, channels) and labels (images,) of ``step``.

        Seeds torch's random numbers for the step.
        """
        epoch, place = divmod(step, self.per_epoch)
        if epoch != self._epoch:
            order = np.random.default_rng((self._seed, epoch))
            self._epoch, self._order = epoch, order.permutation(len(self._images))
        index = self._order[place * self._size : (place + 1) * self._size]
        index = index[self._share :: self._shares]
        seed = np.random.SeedSequence((self._seed, step, self._share))
        torch.manual_seed(int(seed.generate_state(1)[0]))
        images = torch.as_tensor(self._images[index], device=device)
        labels = torch.as_tensor(self._labels[index], device=device)
        return changed(images, self._mirror, self._shift), labels


def check_batch(data: Data, size: int) -> None:
    """Raises DataError when ``data`` has fewer images than a batch of ``size``."""
    if len(data) < size:
        raise DataError(
            f"There are {len(data)} training images, fewer than the {size} of one batch; "
            "choose a smaller batch."
        )


def changed(images: Tensor, mirror: bool, shift: int) -> Tensor:
    """``images`` (images, height, width, channels), half of them mirrored left to right, and each
    moved by up to ``shift`` pixels; what comes in at a border repeats the border."""
    count, height, width, _ = images.shape
    device = images.device
    if mirror:
        flip = torch.rand(count, device=device) < 0.5
        images = torch.where(flip[:, None, None, None], images.flip(2), images)
    if shift:
        down, right = torch.randint(-shift, shift + 1, (2, count, 1), device=device)
        rows = (torch.arange(height, device=device) + down).clamp(0, height - 1)
        columns = (torch.arange(width, device=device) + right).clamp(0, width - 1)
        batch = torch.arange(count, device=device)[:, None, None]
        images = images[batch, rows[:, :, None], columns[:, None]]
    return images
