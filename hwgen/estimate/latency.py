# SPDX-License-Identifier: Apache-2.0
"""Cycles that the RTL takes from one event to another: what ``kernels_rtl/latency_pkg.sv``,
``mac_pkg.sv`` and ``engine_pkg.sv`` say, for the cycle model. A test keeps the two together.
"""

from dataclasses import dataclass

READ = 2
REQUANTISE = 4
ROOT = 3 + 6
SCALE_RATIO = 3
GELU = 7 + REQUANTISE
EPILOGUE = REQUANTISE + GELU + 1
ROW_ACCUMULATOR = 2
SOFTMAX = 2
EXPONENTIAL = 9
EXPONENTIALS = 255
NORMALISE = REQUANTISE
ROW_NORMALISATION = 6 + ROOT + SCALE_RATIO
SIGMOID = 2
TOKEN_DECISION = SIGMOID + 3 + 4 + 2 + 2
ROW_SUMS = 2
MEAN_RATIO = 2


@dataclass(frozen=True)
class Latency:
    """Distances of an engine with ``lanes`` lanes."""

    lanes: int

    @property
    def _tree(self) -> int:
        return (self.lanes - 1).bit_length()

    @property
    def array_at(self) -> int:
        """Issue of a row to its entry into the array."""
        return READ + NORMALISE

    @property
    def epilogue_at(self) -> int:
        """Issue of a row to its entry into the epilogue, where softmax's ratio meets it."""
        return READ + SOFTMAX + self._tree + ROW_ACCUMULATOR + ROOT + SCALE_RATIO

    @property
    def result_at(self) -> int:
        """Issue of a row to its result."""
        return self.epilogue_at + EPILOGUE

    @property
    def after_write(self) -> int:
        """Issue of a row to that of a row that reads its result from a buffer."""
        return self.result_at + 1

    @property
    def after_maximum(self) -> int:
        """The same, where the row maximum is needed."""
        return self.result_at + 1 + self._tree + ROW_ACCUMULATOR + 2

    @property
    def after_statistics(self) -> int:
        """The same, where the row's sum and squares are needed."""
        return self.result_at + 2 + self._tree + ROW_ACCUMULATOR + 2

    @property
    def after_softmax(self) -> int:
        """Start of an attention to its first row of exponentials: their table is filled."""
        return 2 + EXPONENTIALS + EXPONENTIAL

    @property
    def after_normalise(self) -> int:
        """Start of the walk over the row statistics to the first row that is normalised."""
        return 2 + ROW_NORMALISATION + 2

    @property
    def after_sum(self) -> int:
        """Issue of a row that is summed to that of the mean."""
        return EPILOGUE + ROW_SUMS + 1

    @property
    def after_decision(self) -> int:
        """Issue of the last row of a token selection's first slice to the row count."""
        return READ + TOKEN_DECISION

    @property
    def after_count(self) -> int:
        """The row count to the issue of the mean of the rows dropped: its ratio is found."""
        return 2 + MEAN_RATIO + 5
