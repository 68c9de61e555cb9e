# SPDX-License-Identifier: Apache-2.0
"""The weight region under construction: beats appended in the order of use."""

import numpy as np


class WeightStream:
    """Collects blocks of beats and hands out their offsets."""

    def __init__(self, lanes: int) -> None:
        self._lanes = lanes
        self._blocks: list[np.ndarray] = []
        self._length = 0

    def append(self, beats: np.ndarray) -> int:
        """Adds uint8 (n, lanes) and returns the offset of its first beat."""
        offset = self._length
        self._blocks.append(beats)
        self._length += len(beats)
        return offset

    def beats(self) -> np.ndarray:
        """Everything so far, uint8 (beats, lanes)."""
        if not self._blocks:
            return np.zeros((0, self._lanes), np.uint8)
        return np.concatenate(self._blocks)
