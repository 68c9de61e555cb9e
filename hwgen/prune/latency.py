# SPDX-License-Identifier: Apache-2.0
"""The latency-sparsity table: cycles of a network's parts by the share of tokens they see.

HeatViT (section VI, Table IV) measures one on its board and prunes towards a latency with it; here
the cycles are those of the RTL engine (``hwgen latency-table``). This module needs no torch.
"""

from collections.abc import Collection, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from hwgen.errors import ConfigError, DataError
from hwgen.whole_file import write_whole

Cycles = Annotated[float, Field(ge=0, le=1e15)]


class LatencyTable(BaseModel):
    """Cycles of one image, the mean over a run of ``batch`` images.

    ``keep_ratios`` are the shares of the image's tokens (its patches) that the columns stand for,
    descending from 1. ``block_cycles[b][r]`` is what block ``b + 1`` takes with the class tokens,
    that share of the tokens and one package token; ``selector_cycles[b][r]`` what a token selector
    in front of block ``b + 1`` takes that sees that share. ``outside_cycles`` is everything else:
    embedding, head, start and end.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str
    board: str
    clock_mhz: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    batch: Annotated[int, Field(ge=1)]
    keep_ratios: Annotated[tuple[float, ...], Field(min_length=2)]
    outside_cycles: Cycles
    block_cycles: Annotated[tuple[tuple[Cycles, ...], ...], Field(min_length=1)]
    selector_cycles: tuple[tuple[Cycles, ...], ...]

    @model_validator(mode="after")
    def _check(self) -> Self:
        ratios = self.keep_ratios
        if ratios[0] != 1 or not ratios[-1] > 0:
            raise ValueError("keep_ratios must begin with 1 and stay above 0")
        if not all(a > b for a, b in pairwise(ratios)):
            raise ValueError("keep_ratios must descend")
        if self.outside_cycles + sum(row[0] for row in self.block_cycles if row) <= 0:
            raise ValueError("no block takes a cycle")
        if len(self.selector_cycles) != len(self.block_cycles):
            raise ValueError(
                f"{len(self.block_cycles)} blocks, but selector_cycles for "
                f"{len(self.selector_cycles)}"
            )
        for name in ("block_cycles", "selector_cycles"):
            for number, row in enumerate(getattr(self, name), 1):
                if len(row) != len(ratios):
                    raise ValueError(
                        f"{name} of block {number} has {len(row)} entries for {len(ratios)} "
                        "keep_ratios"
                    )
        return self

    @property
    def blocks(self) -> int:
        """Number of transformer blocks."""
        return len(self.block_cycles)

    @property
    def least_ratio(self) -> float:
        """The smallest share of tokens that was measured."""
        return self.keep_ratios[-1]

    def block(self, block: int, keep: float) -> float:
        """Cycles of ``block`` (from 1) with the share ``keep``, linear between measured shares.

        Raises ConfigError for a share that is not between the smallest measured one and 1.
        """
        return self._interpolated(self.block_cycles[block - 1], keep)

    def selector(self, block: int, keep: float) -> float:
        """Cycles of a selector in front of ``block`` (from 1) that sees the share ``keep``.

        Raises ConfigError as ``block`` does.
        """
        return self._interpolated(self.selector_cycles[block - 1], keep)

    def cycles(self, keep: Sequence[float], selectors: Collection[int] = ()) -> float:
        """Cycles of an image.

        Args:
            keep: the share of tokens in each block.
            selectors: blocks (from 1) with a selector in front; it sees the share of the block
                before.

        Raises ConfigError for a wrong number of shares, a share outside the table, or a selector
        at a block that is not there.
        """
        if len(keep) != self.blocks:
            raise ConfigError(
                f"{len(keep)} keep ratios were given for the {self.blocks} blocks of "
                f"'{self.model}'; give one for each block."
            )
        for block in selectors:
            if not 1 <= block <= self.blocks:
                raise ConfigError(
                    f"A token selector cannot stand in front of block {block}: '{self.model}' has "
                    f"{self.blocks} blocks."
                )
        before = (1.0, *keep)
        return (
            self.outside_cycles
            + sum(self.block(b, share) for b, share in enumerate(keep, 1))
            + sum(self.selector(b, before[b - 1]) for b in selectors)
        )

    def milliseconds(self, cycles: float) -> float:
        """Time of ``cycles`` at the table's clock."""
        return cycles / (self.clock_mhz * 1e3)

    def keep_for(self, block: int, cycles: float) -> float:
        """The largest share of tokens with which ``block`` (from 1) takes at most ``cycles``.

        The inverse of ``block``: 1 where the dense block already fits, the smallest measured share
        where even that takes longer (HeatViT Algorithm 1, ``rho = LUT^-1(t)``).
        """
        # Ascending shares; where the cycles of a larger share are less, the larger share is free.
        shares = np.array(self.keep_ratios[::-1])
        taken = np.minimum.accumulate(np.array(self.block_cycles[block - 1]))[::-1]
        if cycles >= taken[-1]:
            return 1.0
        if cycles < taken[0]:
            return float(shares[0])
        upper = int(np.searchsorted(taken, cycles, side="right"))
        low, high = taken[upper - 1], taken[upper]
        part = (cycles - low) / (high - low)
        return float(shares[upper - 1] + part * (shares[upper] - shares[upper - 1]))

    def save(self, path: str | Path) -> None:
        """Writes the table as JSON."""
        write_whole(Path(path), (self.model_dump_json(indent=2) + "\n").encode())

    @classmethod
    def load(cls, path: str | Path) -> "LatencyTable":
        """Reads a table that ``save`` wrote.

        Raises DataError when the file is missing, is no JSON, or is no such table.
        """
        path = Path(path)
        advice = "Make the table with `hwgen latency-table`."
        if not path.is_file():
            what = "is a folder" if path.is_dir() else "does not exist"
            raise DataError(f"The latency table {path} {what}. {advice}")
        try:
            return cls.model_validate_json(path.read_bytes())
        except ValidationError as error:
            problems = "; ".join(
                f"{'.'.join(map(str, e['loc'])) or 'the table'}: {e['msg']}"
                for e in error.errors()[:3]
            )
            raise DataError(f"{path} is no latency table ({problems}). {advice}") from None

    def _interpolated(self, row: Sequence[float], keep: float) -> float:
        if not self.least_ratio <= keep <= 1:
            raise ConfigError(
                f"The keep ratio {keep:g} is outside the latency table of '{self.model}', which "
                f"was measured from {self.least_ratio:g} to 1."
            )
        return float(np.interp(keep, self.keep_ratios[::-1], row[::-1]))
