# SPDX-License-Identifier: Apache-2.0
"""``manifest.json``: what a package holds and what it was made for.

``docs/package.md`` explains it. The driver reads it without this module, so a change here is a
change there (``hwgen.driver``), and a new ``VERSION``.
"""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from hwgen.emit.program_files import BinaryFields, EngineFields

NAME = "manifest.json"
FORMAT: Literal["hwgen-package"] = "hwgen-package"
VERSION: Literal[1] = 1


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Bitstream(_Part):
    """What made `hwgen.bit` and `hwgen.hwh`."""

    made_by: Literal["vivado", "simulation"] = Field(
        description="vivado: a bitstream. simulation: `hwgen.bit` is one for the simulated board, "
        "and the package runs there alone."
    )
    engine: Literal["rtl", "hls"] = Field(
        description="rtl: the SystemVerilog engine. hls: the C++ engine, which has no counters."
    )
    tool: str | None = Field(description="Vivado and its version; null: none was run.")


class Versions(_Part):
    """What made the package."""

    hwgen: str = Field(description="Of the generator, and of the driver in the package.")
    program: int = Field(description="Of the program format.")


class Predicted(_Part):
    """The cost model's figures at `clock_mhz`."""

    cycles: int = Field(description="Engine cycles of one run.")
    images_per_s: float = Field(description="Images per second, one run after the other.")
    latency_ms: float = Field(description="Time of one run.")


class Examples(_Part):
    """`examples.npz`."""

    real: bool = Field(description="Whether the images were given; false: random pixels.")


class Manifest(_Part):
    """``manifest.json``."""

    format: Literal["hwgen-package"] = Field(default=FORMAT, description="The mark of a package.")
    version: Literal[1] = Field(default=VERSION, description="Of this list of keys.")
    name: str = Field(description="The package's name: model and board. The zip's one folder.")
    board: str = Field(description="The board it is for.")
    part: str = Field(description="The board's FPGA.")
    clock_mhz: float = Field(description="Clock of the engine.")
    engine: EngineFields = Field(description="The engine configuration that programs need.")
    programs: tuple[str, ...] = Field(description="Folders of `programs/`.")
    bitstream: Bitstream
    versions: Versions
    predicted: Predicted
    examples: Examples
    files: dict[str, BinaryFields] = Field(
        description="Every file but this one, by its name in the package."
    )

    def to_json(self) -> bytes:
        """The bytes of ``manifest.json``: the same manifest gives the same ones."""
        return (self.model_dump_json(indent=1) + "\n").encode()
