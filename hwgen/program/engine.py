# SPDX-License-Identifier: Apache-2.0
"""The engine configuration: what one bitstream offers to every Program made for it."""

import zlib
from dataclasses import asdict, dataclass

from hwgen.errors import ConfigError

PROGRAM_VERSION = 1


@dataclass(frozen=True)
class EngineConfig:
    """Sizes of one overlay engine. A vector is ``lanes`` elements; depths count vectors.

    Attributes:
        lanes: rows and columns of the MAC array: 16, 32 or 64. The engine has ``lanes / 16``
            memory ports of 128 bits, so a beat of all ports is one int8 vector.
        max_rows: rows of the accumulator, the largest row count of a matrix product.
        score_depth: vectors of one head's score buffer: rows times slices of keys fit in it.
        residual_depth: int16 vectors of the residual buffer.
        work_depth: int8 vectors of the work buffer (patches, queries, keys, hidden layer).
        value_depth: int8 vectors of the value buffer.
        prefetch_depth: beats of the weight prefetch buffer.
    """

    lanes: int = 64
    max_rows: int = 1024
    score_depth: int = 1024
    residual_depth: int = 5632
    work_depth: int = 10240
    value_depth: int = 4096
    prefetch_depth: int = 24576

    def __post_init__(self) -> None:
        if self.lanes not in (16, 32, 64):
            raise ConfigError(
                f"engine.lanes is {self.lanes}; the array comes in 16, 32 or 64 lanes. Choose one."
            )
        for name in ("max_rows", "score_depth", "residual_depth", "work_depth", "value_depth"):
            if not 1 <= getattr(self, name) <= 65535:
                raise ConfigError(
                    f"engine.{name} is {getattr(self, name)}; instructions address 1 to 65535."
                )

    @property
    def ports(self) -> int:
        """128-bit memory ports."""
        return self.lanes // 16

    @property
    def digest(self) -> int:
        """32 bits that a Program carries and the engine compares before it runs.

        Only what a Program can depend on enters: the prefetch depth does not.
        """
        fields = {k: v for k, v in asdict(self).items() if k != "prefetch_depth"}
        text = f"hwgen-engine-{PROGRAM_VERSION}:" + ",".join(f"{k}={v}" for k, v in fields.items())
        return zlib.crc32(text.encode())
