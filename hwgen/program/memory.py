# SPDX-License-Identifier: Apache-2.0
"""How beats lie in DDR: pages shared out over the memory ports.

Beat ``b`` is ``ports`` words of 16 bytes, one per port. A page holds 64 beats; inside it port
``p`` owns the 1,024 contiguous bytes from ``1024 * p``. Each port thus reads bursts of up to 1 KB,
no burst crosses a 4 KB boundary, and all ports stay in one DRAM row.
"""

import numpy as np

PAGE_BEATS = 64
WORD_BYTES = 16


def stripe(beats: np.ndarray) -> np.ndarray:
    """uint8 (n, lanes) beats as the bytes of a DDR region, padded with zeros to whole pages."""
    count, lanes = beats.shape
    ports = lanes // WORD_BYTES
    pages = -(-count // PAGE_BEATS)
    padded = np.zeros((pages * PAGE_BEATS, lanes), np.uint8)
    padded[:count] = beats
    words = padded.reshape(pages, PAGE_BEATS, ports, WORD_BYTES).transpose(0, 2, 1, 3)
    return np.ascontiguousarray(words).reshape(-1)


def unstripe(region: np.ndarray, lanes: int) -> np.ndarray:
    """The inverse of ``stripe``: uint8 (bytes,) as beats, uint8 (n, lanes), padding included."""
    ports = lanes // WORD_BYTES
    words = region.reshape(-1, ports, PAGE_BEATS, WORD_BYTES).transpose(0, 2, 1, 3)
    return np.ascontiguousarray(words).reshape(-1, lanes)
