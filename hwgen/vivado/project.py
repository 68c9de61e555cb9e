# SPDX-License-Identifier: Apache-2.0
"""The scripts that make a bitstream of a design: the folder ``vivado/``."""

from dataclasses import dataclass
from pathlib import PurePosixPath

from hwgen.boards import AddressRange, Board
from hwgen.emit.hls import FOLDER as HLS
from hwgen.emit.hls import TOP
from hwgen.emit.hwh import CONTROLLER, DESIGN, ENGINE
from hwgen.emit.rtl_ports import ADDRESS_BITS, CONTROL, Port, engine_ports
from hwgen.emit.templates import render
from hwgen.processing_system import SlavePort, master_port, settings, slave_port
from hwgen.program.engine import EngineConfig
from hwgen.program.registers import HLS_VLNV, RTL_VLNV, words

FOLDER = "vivado"
WRAPPER = f"{TOP}_ip"
"""Top module of the RTL engine as an IP core."""
HLS_CORE = PurePosixPath("..", HLS, f"{TOP}_prj", "solution1", "impl", "ip")
"""Where Vitis HLS exports its core, from ``vivado/``."""
STEPS = ("ip", "design", "synth", "impl", "bitstream")
"""Of build.tcl, in order."""

_AXI = "xilinx.com:interface:aximm:1.0"
_BURSTS = "MAX_BURST_LENGTH 64, NUM_READ_OUTSTANDING 4, NUM_WRITE_OUTSTANDING 16"
"""What read_port.sv and store.sv have under way at once."""

_SIGNALS = {
    "ap_clk": ("clock", "CLK", "ASSOCIATED_RESET ap_rst_n"),
    "ap_rst_n": ("reset", "RST", "POLARITY ACTIVE_LOW"),
    "interrupt": ("interrupt", "INTERRUPT", "SENSITIVITY LEVEL_HIGH"),
}
"""Interfaces of one port: kind, name of the signal, parameters."""
_IDENTITIES = {"AWID", "BID", "ARID", "RID"}
"""Vectors to Vivado even where they are of one bit."""


@dataclass(frozen=True)
class IpPort:
    """A port of the wrapper with the attributes that tell Vivado what it is."""

    name: str
    declaration: str
    attributes: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Connection:
    """A memory master of the engine, the interconnect behind it, and the port it reaches."""

    master: str
    interconnect: str
    port: SlavePort


def vivado_project(board: Board, engine: EngineConfig, clock_mhz: float) -> dict[str, bytes]:
    """All files, names beginning with ``vivado/``: the same for every model of one engine.

    Args:
        clock_mhz: of the engine.

    Raises:
        ConfigError: the engine has more memory ports than the board gives it.
    """
    interfaces = _interfaces(engine)
    vendor, library, name, version = RTL_VLNV.split(":")
    common = {
        "board": board,
        "clock_mhz": f"{clock_mhz:g}",
        "design": DESIGN,
        "engine": ENGINE,
        "intc": CONTROLLER,
        "control": CONTROL,
        "lanes": engine.lanes,
        "steps": STEPS,
        "hls_core": HLS_CORE.as_posix(),
        "cores": {
            engine: vlnv.rpartition(":")[0]
            for engine, vlnv in (("rtl", RTL_VLNV), ("hls", HLS_VLNV))
        },
    }
    files = {
        f"{WRAPPER}.v": render("rtl/hwgen_engine_ip.v.j2", ports=_ip_ports(engine)),
        "package_ip.tcl": render(
            "tcl/package_ip.tcl.j2",
            **common,
            vlnv=RTL_VLNV,
            vendor=vendor,
            library=library,
            name=name,
            version=version,
            top=WRAPPER,
            interfaces=interfaces,
            control_bytes=board.memory_map.control.bytes,
            words=words(engine),
        ),
        "block_design.tcl": render(
            "tcl/block_design.tcl.j2", **common, **_block_design(board, engine)
        ),
        "build.tcl": render("tcl/build.tcl.j2", **common),
        "README.md": render("tcl/README.md.j2", **common),
    }
    return {f"{FOLDER}/{name}": data for name, data in files.items()}


def _interfaces(engine: EngineConfig) -> tuple[str, ...]:
    return (CONTROL, *(f"m_axi_gmem{port}" for port in range(engine.ports)))


def _ip_ports(engine: EngineConfig) -> list[IpPort]:
    described: set[str] = set()
    result = []
    for port in engine_ports(engine):
        attributes = _attributes(port)
        interface = attributes[0][1].split()[1]
        if interface in described:
            attributes = attributes[:1]
        described.add(interface)
        vector = port.width > 1 or port.name.rpartition("_")[2] in _IDENTITIES
        size = f"[{port.width - 1}:0] " if vector else ""
        direction = "output" if port.output else "input"
        declaration = f"{direction} wire {size}{port.name}"
        result.append(IpPort(port.name, declaration, attributes))
    return result


def _attributes(port: Port) -> tuple[tuple[str, str], ...]:
    """Which interface the port belongs to, and the interface's parameters."""
    if port.name in _SIGNALS:
        interface, (kind, signal, parameters) = port.name, _SIGNALS[port.name]
        info = f"xilinx.com:signal:{kind}:1.0 {interface} {signal}"
    else:
        interface, _, signal = port.name.rpartition("_")
        info, parameters = f"{_AXI} {interface} {signal}", _axi(interface)
    return (
        ("X_INTERFACE_INFO", info),
        ("X_INTERFACE_PARAMETER", f"XIL_INTERFACENAME {interface}, {parameters}"),
    )


def _axi(interface: str) -> str:
    if interface == CONTROL:
        return (
            f"PROTOCOL AXI4LITE, DATA_WIDTH 32, ADDR_WIDTH {ADDRESS_BITS}, "
            "READ_WRITE_MODE READ_WRITE"
        )
    mode = "READ_WRITE" if interface.endswith("gmem0") else "READ_ONLY"
    return (
        f"PROTOCOL AXI4, DATA_WIDTH 128, ADDR_WIDTH 64, ID_WIDTH 1, READ_WRITE_MODE {mode}, "
        f"HAS_BURST 1, SUPPORTS_NARROW_BURST 0, {_BURSTS}"
    )


def _block_design(board: Board, engine: EngineConfig) -> dict[str, object]:
    system = f"{board.ps.cell}_0"
    control = master_port(board.ps.control_port)
    widths = {slave_port(p.name): p.width for p in board.memory_ports(engine)}
    connections = [
        Connection(f"m_axi_gmem{index}", f"smartconnect_gmem{index}", port)
        for index, port in enumerate(widths)
    ]
    interconnects = ["smartconnect_control", *(c.interconnect for c in connections)]
    memory = board.memory_map
    ddr: dict[str, AddressRange | None] = {"DDR_LOW": memory.ddr_low, "DDR_HIGH": memory.ddr_high}
    clock = board.clocks
    return {
        "ip": board.ps.cell,
        "ps": system,
        "control_port": control.name,
        "interrupt": board.ps.interrupt,
        "reference": clock.reference,
        "settings": settings(
            control, widths, board.ps.interrupt, clock.reference, clock.reference_mhz
        ).items(),
        "connections": connections,
        "clocked": (
            f"{system}/{control.clock}",
            *(f"{system}/{port.clock}" for port in widths),
            f"{ENGINE}/ap_clk",
            f"{CONTROLLER}/s_axi_aclk",
            *(f"{name}/aclk" for name in interconnects),
        ),
        "reset": (
            f"{ENGINE}/ap_rst_n",
            f"{CONTROLLER}/s_axi_aresetn",
            *(f"{name}/aresetn" for name in interconnects),
        ),
        "registers": (
            (ENGINE, CONTROL, memory.control),
            (CONTROLLER, "s_axi", memory.axi_intc),
        ),
        "ddr": [(kind, found) for kind, found in ddr.items() if found is not None],
    }
