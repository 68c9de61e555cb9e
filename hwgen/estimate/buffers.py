# SPDX-License-Identifier: Apache-2.0
"""When each on-chip vector can be read."""

import numpy as np

from hwgen.program.engine import EngineConfig
from hwgen.program.extent import Extent
from hwgen.program.fields import Buffer


class Availability:
    """The cycle from which each vector of RESIDUAL, WORK and VALUE can be read.

    Only true dependencies are modelled. Ports are taken to be free of conflicts, and a vector is
    never overwritten too early, because rows enter the array in program order.
    """

    def __init__(self, engine: EngineConfig) -> None:
        depths = {
            Buffer.RESIDUAL: engine.residual_depth,
            Buffer.WORK: engine.work_depth,
            Buffer.VALUE: engine.value_depth,
        }
        self._ready = {buffer: np.zeros(depth, np.int64) for buffer, depth in depths.items()}
        self._loaded = {buffer: np.zeros(depth, np.bool_) for buffer, depth in depths.items()}

    def ready(self, extent: Extent) -> np.ndarray:
        """int64 (slices, rows): first cycle in which each vector can be read."""
        return self._ready[extent.buffer][_indices(extent)]

    def loaded(self, extent: Extent) -> bool:
        """Whether any vector of the matrix came straight from DDR."""
        return bool(self._loaded[extent.buffer][_indices(extent)].any())

    def write(self, extent: Extent, part: int, times: np.ndarray, *, loaded: bool = False) -> None:
        """Slice ``part`` of a matrix is written; its rows can be read from ``times``."""
        first = extent.address + part * extent.stride
        vectors = slice(first, first + len(times))
        self._ready[extent.buffer][vectors] = times
        self._loaded[extent.buffer][vectors] = loaded


def _indices(extent: Extent) -> np.ndarray:
    slices = np.arange(extent.slices)[:, None] * extent.stride
    return extent.address + slices + np.arange(extent.rows)
