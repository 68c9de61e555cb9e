# SPDX-License-Identifier: Apache-2.0
"""Training-time image changes: horizontal flip and a shift by whole pixels."""

import torch
import torch.nn.functional as F


def flip_shift(images: torch.Tensor, shift: int, generator: torch.Generator) -> torch.Tensor:
    """Flip half of a [B, 1, H, W] batch, move each image up to `shift` px.

    The border is filled with the lowest value present (the background).
    """
    n, _, h, w = images.shape
    flip = torch.rand(n, generator=generator) < 0.5
    images = torch.where(flip[:, None, None, None], images.flip(3), images)
    if not shift:
        return images
    padded = F.pad(images, (shift,) * 4, value=float(images.min()))
    rows = torch.randint(0, 2 * shift + 1, (n, 1, 1), generator=generator)
    cols = torch.randint(0, 2 * shift + 1, (n, 1, 1), generator=generator)
    rows = rows + torch.arange(h)[None, :, None]
    cols = cols + torch.arange(w)[None, None, :]
    batch = torch.arange(n)[:, None, None]
    return padded[batch, 0, rows, cols][:, None]
