# SPDX-License-Identifier: Apache-2.0
"""The hardware handoff file of a simulated board: what PYNQ reads beside a bitstream, without
Vivado. Cells, addresses, interrupts and registers are those of the block design that Vivado builds.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from hwgen.boards import AddressRange, Board
from hwgen.emit.rtl_ports import CONTROL, engine_ports
from hwgen.emit.templates import render
from hwgen.processing_system import SlavePort, master_port, settings, slave_port
from hwgen.program.engine import EngineConfig
from hwgen.program.registers import RTL_VLNV, WORD_BITS, Word, words

DESIGN = "hwgen"
"""Name of the block design."""
ENGINE = "hwgen_engine_0"
CONTROLLER = "axi_intc_0"

_CONTROLLER_VLNV = "xilinx.com:ip:axi_intc:4.1"
_SYSTEM_VERSION = "3.5"
_MEMORY_BITS = 128
"""Of the engine's memory ports."""
_PLL_MHZ = 1500
"""For the divisors of clocks. PYNQ sets its own when it loads a bitstream."""
_UNUSED_MHZ = 100


@dataclass(frozen=True)
class _Port:
    """A pin of a cell, ``width`` bits. ``target`` is the cell and the pin at its other end."""

    name: str
    output: bool
    width: int = 1
    kind: str = "undef"
    signal: str = ""
    target: tuple[str, str] | None = None


@dataclass(frozen=True)
class _Bus:
    """An AXI interface of a cell, ``width`` bits of data, and those of its pins that are listed."""

    name: str
    net: str
    master: bool
    width: int
    ports: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Range:
    """Addresses at which an interface of a cell reaches ``slave`` of another ``cell``."""

    block: str
    addresses: AddressRange
    cell: str
    master: str
    slave: str
    kind: str


@dataclass(frozen=True)
class _Cell:
    """A cell of the block design. ``hard`` is what lies outside the fabric."""

    name: str
    vlnv: str
    parameters: Mapping[str, object]
    ports: tuple[_Port, ...]
    buses: tuple[_Bus, ...]
    words: tuple[Word, ...] = ()
    ranges: tuple[_Range, ...] = ()
    hard: bool = False

    @property
    def kind(self) -> str:
        return self.vlnv.split(":")[2]

    @property
    def version(self) -> str:
        return self.vlnv.split(":")[3]


def hwh(board: Board, engine: EngineConfig, vlnv: str = RTL_VLNV) -> bytes:
    """The file for an engine on a board, XML.

    Args:
        vlnv: ``RTL_VLNV``, or ``HLS_VLNV`` for the engine without counters.

    Raises:
        ConfigError: the engine has more memory ports than the board gives it.
    """
    device, package, speed = (*board.part.split("-"), "", "")[:3]
    return render(
        "driver/hwgen.hwh.j2",
        name=DESIGN,
        board=board,
        part={"device": device, "package": package, "speed": f"-{speed}"},
        control=CONTROL,
        word_bits=WORD_BITS,
        cells=(
            _interrupt_controller(board),
            _engine(board, engine, vlnv),
            _processing_system(board, engine),
        ),
    )


def _interrupt_controller(board: Board) -> _Cell:
    return _Cell(
        CONTROLLER,
        _CONTROLLER_VLNV,
        {"C_NUM_INTR_INPUTS": 1, "C_IRQ_IS_LEVEL": 1, **_addresses(board.memory_map.axi_intc)},
        ports=(
            _interrupt("intr", False, f"{ENGINE}_interrupt", (ENGINE, "interrupt")),
            _interrupt("irq", True, f"{CONTROLLER}_irq", (_system(board), board.ps.interrupt)),
        ),
        buses=(_Bus("s_axi", _control_net(board), False, WORD_BITS),),
    )


def _engine(board: Board, engine: EngineConfig, vlnv: str) -> _Cell:
    names = [port.name for port in engine_ports(engine)]
    kinds = {"ap_clk": "clk", "ap_rst_n": "rst"}
    pins = [
        _Port(port.name, port.output, port.width, kinds.get(port.name, "undef"))
        for port in engine_ports(engine)
        if port.name != "interrupt"
    ]

    def bus(name: str, net: str, master: bool, width: int) -> _Bus:
        inside = tuple(port for port in names if port.startswith(f"{name}_"))
        return _Bus(name, net, master, width, inside)

    memory = {f"m_axi_gmem{i}": port for i, port in enumerate(_memory_ports(board, engine))}
    return _Cell(
        ENGINE,
        vlnv,
        _addresses(board.memory_map.control),
        ports=(
            *pins,
            _interrupt("interrupt", True, f"{ENGINE}_interrupt", (CONTROLLER, "intr")),
        ),
        buses=(
            bus(CONTROL, _control_net(board), False, WORD_BITS),
            *(bus(name, _memory_net(name), True, _MEMORY_BITS) for name in memory),
        ),
        words=words(engine, counters=vlnv == RTL_VLNV),
        ranges=tuple(
            _Range(f"{port.short}_{region}", found, _system(board), name, port.name, "MEMORY")
            for name, port in memory.items()
            for region, found in _regions(board).items()
        ),
    )


def _processing_system(board: Board, engine: EngineConfig) -> _Cell:
    control = master_port(board.ps.control_port)
    memory = _memory_ports(board, engine)
    clock = board.clocks
    parameters = settings(control, memory, board.ps.interrupt, clock.reference, clock.reference_mhz)
    return _Cell(
        _system(board),
        f"xilinx.com:ip:{board.ps.cell}:{_SYSTEM_VERSION}",
        {
            **_clocks(board),
            **parameters,
            # Once more under the names by which PYNQ sets the ports when it loads a bitstream.
            f"C_MAXIGP{control.number}_DATA_WIDTH": parameters[control.width],
            **{f"C_SAXIGP{port.number}_DATA_WIDTH": width for port, width in memory.items()},
        },
        ports=(
            _interrupt(board.ps.interrupt, False, f"{CONTROLLER}_irq", (CONTROLLER, "irq")),
            _Port(clock.reference, True, kind="clk"),
        ),
        buses=(
            _Bus(control.name, _control_net(board), True, int(parameters[control.width])),
            *(
                _Bus(port.name, _memory_net(f"m_axi_gmem{index}"), False, width)
                for index, (port, width) in enumerate(memory.items())
            ),
        ),
        ranges=(
            _Range("Reg", board.memory_map.control, ENGINE, control.name, CONTROL, "REGISTER"),
            _Range("Reg", board.memory_map.axi_intc, CONTROLLER, control.name, "s_axi", "REGISTER"),
        ),
        hard=True,
    )


def _clocks(board: Board) -> dict[str, object]:
    """Of the four clocks for the fabric the reference alone runs. PYNQ wants to see all four."""
    result: dict[str, object] = {}
    for clock in range(4):
        runs = board.clocks.reference == f"pl_clk{clock}"
        mhz = board.clocks.reference_mhz if runs else _UNUSED_MHZ
        control = f"PSU__CRL_APB__PL{clock}_REF_CTRL__"
        result[f"PSU__FPGA_PL{clock}_ENABLE"] = int(runs)
        result[f"{control}SRCSEL"] = "IOPLL"
        result[f"{control}FREQMHZ"] = f"{mhz:g}"
        result[f"{control}ACT_FREQMHZ"] = f"{mhz:g}"
        result[f"{control}DIVISOR0"] = round(_PLL_MHZ / mhz)
        result[f"{control}DIVISOR1"] = 1
    return result


def _interrupt(name: str, output: bool, signal: str, target: tuple[str, str]) -> _Port:
    return _Port(name, output, kind="INTERRUPT", signal=signal, target=target)


def _memory_ports(board: Board, engine: EngineConfig) -> dict[SlavePort, int]:
    """The ports that the engine's memory masters connect to in their order, and their widths."""
    return {slave_port(port.name): port.width for port in board.memory_ports(engine)}


def _regions(board: Board) -> dict[str, AddressRange]:
    low, high = board.memory_map.ddr_low, board.memory_map.ddr_high
    return {"DDR_LOW": low} if high is None else {"DDR_LOW": low, "DDR_HIGH": high}


def _addresses(found: AddressRange) -> dict[str, object]:
    return {"C_BASEADDR": f"0x{found.base:08X}", "C_HIGHADDR": f"0x{found.end - 1:08X}"}


def _system(board: Board) -> str:
    return f"{board.ps.cell}_0"


def _control_net(board: Board) -> str:
    return f"{_system(board)}_{board.ps.control_port}"


def _memory_net(name: str) -> str:
    return f"{ENGINE}_{name}"
