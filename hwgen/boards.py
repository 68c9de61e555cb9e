# SPDX-License-Identifier: Apache-2.0
"""Board descriptions, ``boards/<name>/board.yaml``."""

import difflib
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from hwgen.errors import ConfigError
from hwgen.package_data import data_folder
from hwgen.program.engine import EngineConfig

Count = Annotated[int, Field(ge=0)]
Positive = Annotated[float, Field(gt=0)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Limits(_Section):
    """Amounts of resources; None where no source gives the figure or no limit is set."""

    lut: Count
    ff: Count | None = None
    dsp: Count
    bram36: Count
    uram: Count | None = None


class Port(_Section):
    """A slave port of the processing system through which the engine reads DDR."""

    name: str = Field(min_length=1)
    width: int = Field(ge=32, le=128, description="Bits of data.")


class Ddr(_Section):
    """The memory behind the ports."""

    peak_gbps: Positive = Field(description="GB/s of the interface.")
    usable_gbps: Positive = Field(description="GB/s that a good reader gets.")
    latency_cycles: int = Field(ge=0, description="Read request to first beat, engine cycles.")


class EngineDefaults(_Section):
    """Sizes of an engine that fits the board; the fields of ``EngineConfig``."""

    lanes: int
    max_rows: int
    score_depth: int
    residual_depth: int
    work_depth: int
    value_depth: int
    prefetch_depth: int = Field(ge=1)

    def resolve(self) -> EngineConfig:
        return EngineConfig(**self.model_dump())


class Board(_Section):
    """One board.

    Attributes:
        resources: what the device has.
        usable: what the engine may take of it; the rest is for the interconnect and for routing.
        clock_mhz: the clock that hwgen asks for unless told otherwise.
        ports: the ports the engine's memory masters connect to, in order.
        engine: the engine built unless told otherwise.
    """

    name: str = Field(min_length=1)
    part: str = Field(min_length=1)
    resources: Limits
    usable: Limits
    clock_mhz: float = Field(gt=0, le=1000)
    ports: tuple[Port, ...] = Field(min_length=1)
    ddr: Ddr
    engine: EngineConfig

    @field_validator("engine", mode="before")
    @classmethod
    def _engine(cls, value: object) -> EngineConfig:
        return EngineDefaults.model_validate(value).resolve()

    @property
    def ultra_ram(self) -> bool:
        """Whether the engine's large buffers can go into UltraRAM."""
        return bool(self.usable.uram)

    def to_yaml(self) -> str:
        """The description as a board.yaml."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False)


def board_names() -> list[str]:
    """The boards that hwgen knows."""
    return sorted(path.parent.name for path in data_folder("boards").glob("*/board.yaml"))


def load_board(name_or_path: str | Path) -> Board:
    """A board by name, or by the path of a board.yaml.

    Raises:
        ConfigError: no such board or file, or a damaged description; names the key.
    """
    text = str(name_or_path)
    if isinstance(name_or_path, Path) or Path(text).suffix in (".yaml", ".yml"):
        return _read(Path(name_or_path))
    known = board_names()
    if text not in known:
        near = difflib.get_close_matches(text.lower(), known, 1, 0.5)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise ConfigError(
            f"There is no board {text!r}. Known boards: {', '.join(known)}.{hint} For another "
            "board give the path of its board.yaml."
        )
    return _read(data_folder("boards") / text / "board.yaml")


def _read(path: Path) -> Board:
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise ConfigError(f"The board description {path} cannot be read: {reason}.") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or error
        raise ConfigError(f"{path}{line}: {problem}. Correct that line.") from None
    try:
        return Board.model_validate(values)
    except ValidationError as error:
        raise ConfigError(_explain(error, path)) from None
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from None


def _explain(error: ValidationError, path: Path) -> str:
    """One sentence about the first thing that is wrong."""
    first, *more = error.errors(include_url=False)
    key = ".".join(str(part) for part in first["loc"]) or "the description"
    rest = f" ({len(more)} more after this one.)" if more else ""
    if first["type"] == "missing":
        return f"{path}: the key {key!r} is missing. Add it; see boards/zcu102/board.yaml.{rest}"
    if first["type"] == "extra_forbidden":
        return f"{path}: the key {key!r} is unknown. Remove it or correct its name.{rest}"
    reason = first["msg"].removeprefix("Input ")
    return f"{path}: {key} is {first['input']!r}, but it {reason[0].lower()}{reason[1:]}.{rest}"
