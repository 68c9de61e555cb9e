# SPDX-License-Identifier: Apache-2.0
"""Board descriptions, ``boards/<name>/board.yaml``."""

import difflib
import re
from pathlib import Path
from typing import Annotated, Literal, Self

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from hwgen.errors import ConfigError
from hwgen.package_data import data_folder
from hwgen.processing_system import (
    DDR_HIGH_BASE,
    DDR_HIGH_END,
    DDR_LOW_END,
    MASTER_PORTS,
    SLAVE_PORTS,
    master_port,
)
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

    @field_validator("name")
    @classmethod
    def _name(cls, value: str) -> str:
        return _one_of(value, tuple(port.name for port in SLAVE_PORTS))


class ProcessingSystem(_Section):
    """The processors' side of the device, a Zynq UltraScale+."""

    cell: Literal["zynq_ultra_ps_e"] = Field(description="The IP, and the name of its cell.")
    control_port: str = Field(description="The port that writes the engine's registers.")
    interrupt: Literal["pl_ps_irq0", "pl_ps_irq1"] = Field(description="Input for interrupts.")

    @field_validator("control_port")
    @classmethod
    def _control_port(cls, value: str) -> str:
        return _one_of(value, tuple(port.name for port in MASTER_PORTS))


class Clocks(_Section):
    """The clock from which the engine's own is made."""

    reference: Literal["pl_clk0", "pl_clk1", "pl_clk2", "pl_clk3"] = Field(
        description="Output of the processing system."
    )
    reference_mhz: float = Field(gt=0, le=400, description="Its frequency, as asked for.")


class AddressRange(_Section):
    """A range of addresses: a power of two of bytes, at a multiple of them, as Vivado wants it."""

    base: Count = Field(description="Byte address.")
    bytes: int = Field(ge=4096, description="Size.")

    @property
    def end(self) -> int:
        """The first address behind it."""
        return self.base + self.bytes

    def __str__(self) -> str:
        return f"{self.base:#x} to {self.end - 1:#x}"


class MemoryMap(_Section):
    """Addresses as the processors and the engine see them.

    Attributes:
        control: the engine's registers.
        axi_intc: the registers of the interrupt controller.
        ddr_low: memory from address 0, at most 2 GiB.
        ddr_high: the memory beyond, or None.
    """

    control: AddressRange
    axi_intc: AddressRange
    ddr_low: AddressRange
    ddr_high: AddressRange | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        for name, found in self:
            if found is not None and (found.bytes & (found.bytes - 1) or found.base % found.bytes):
                raise ConfigError(
                    f"memory_map.{name} is {found}; its bytes should be a power of two, and its "
                    "base a multiple of them."
                )
        if self.axi_intc.base < self.control.end and self.control.base < self.axi_intc.end:
            raise ConfigError(
                f"memory_map.axi_intc is {self.axi_intc}, and control is {self.control}; they "
                "should lie apart."
            )
        _check_ddr("ddr_low", self.ddr_low, 0, DDR_LOW_END)
        if self.ddr_high is not None:
            _check_ddr("ddr_high", self.ddr_high, DDR_HIGH_BASE, DDR_HIGH_END)
        return self


def _check_ddr(name: str, found: AddressRange, first: int, end: int) -> None:
    if found.base != first or found.end > end:
        raise ConfigError(
            f"memory_map.{name} is {found}; it should begin at {first:#x} and end before {end:#x}."
        )


def _one_of(value: str, known: tuple[str, ...]) -> str:
    if value not in known:
        raise ValueError(f"should be one of {', '.join(known)}")
    return value


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
        board_part: the board file of Vivado without its version, such as
            ``xilinx.com:zcu102:part0``; ``*`` stands for any text.
        clock_mhz: the clock that hwgen asks for unless told otherwise.
        ports: the ports the engine's memory masters connect to, in order.
        engine: the engine built unless told otherwise.
    """

    name: str = Field(min_length=1)
    part: str
    board_part: str
    resources: Limits
    usable: Limits
    clock_mhz: float = Field(gt=0, le=1000)
    ps: ProcessingSystem
    clocks: Clocks
    ports: tuple[Port, ...] = Field(min_length=1)
    memory_map: MemoryMap
    ddr: Ddr
    engine: EngineConfig

    @field_validator("engine", mode="before")
    @classmethod
    def _engine(cls, value: object) -> EngineConfig:
        return EngineDefaults.model_validate(value).resolve()

    @field_validator("name")
    @classmethod
    def _name(cls, value: str) -> str:
        if not value.isprintable():
            raise ValueError("should be one line of text")
        return value

    @field_validator("part")
    @classmethod
    def _part(cls, value: str) -> str:
        # It stands in Tcl.
        if not re.fullmatch(r"[\w.-]+", value):
            raise ValueError("should be letters, digits, dots and dashes")
        return value

    @field_validator("board_part")
    @classmethod
    def _board_part(cls, value: str) -> str:
        if not re.fullmatch(r"[\w.*-]+:[\w.*-]+:part0", value):
            raise ValueError("should be of the form VENDOR:BOARD:part0")
        return value

    @model_validator(mode="after")
    def _check(self) -> Self:
        names = [port.name for port in self.ports]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice:
            raise ConfigError(f"ports names {twice} twice; each should be there once.")
        window = master_port(self.ps.control_port)
        for name in ("control", "axi_intc"):
            found: AddressRange = getattr(self.memory_map, name)
            if found.base < window.first or found.end - 1 > window.last:
                raise ConfigError(
                    f"memory_map.{name} is {found}; {window.name} reaches {window.first:#x} to "
                    f"{window.last:#x}."
                )
        return self

    @property
    def ultra_ram(self) -> bool:
        """Whether the engine's large buffers can go into UltraRAM."""
        return bool(self.usable.uram)

    def memory_ports(self, engine: EngineConfig) -> tuple[Port, ...]:
        """The ports that the memory masters of ``engine`` connect to, in their order.

        Raises:
            ConfigError: there are fewer than the engine has.
        """
        if engine.ports > len(self.ports):
            raise ConfigError(
                f"An engine of {engine.lanes} lanes has {engine.ports} memory ports, but the board "
                f"{self.name} gives it {len(self.ports)}. Choose fewer lanes, or name more ports "
                "in the board's description."
            )
        return self.ports[: engine.ports]

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
    reason = re.sub("^(Input|String|Value error,) ", "", first["msg"])
    return f"{path}: {key} is {first['input']!r}, but it {reason[0].lower()}{reason[1:]}.{rest}"
