# SPDX-License-Identifier: Apache-2.0
"""The ports of a module ``hwgen_engine``, and what the test bench connects to them."""

from collections.abc import Sequence
from dataclasses import dataclass

from hwgen.program.engine import EngineConfig

CONTROL = "s_axi_control"
ADDRESS_BITS = 12
"""Of the control port."""


@dataclass(frozen=True)
class Port:
    """A port of the engine.

    Attributes:
        name: as Vitis HLS names it.
        width: bits.
        output: the engine drives it.
        signal: what ``hwgen_testbench`` connects: an expression, or nothing to leave it open.
    """

    name: str
    width: int
    output: bool
    signal: str

    @property
    def connection(self) -> str:
        """The port in an instance of the engine."""
        return f".{self.name}" + ("" if self.signal == self.name else f"({self.signal})")

    @property
    def declaration(self) -> str:
        """The port in the head of the module."""
        size = f" [{self.width - 1}:0]" if self.width > 1 else ""
        return f"{'output' if self.output else 'input'} logic{size} {self.name}"


_ADDRESS = (("ADDR", 64), ("LEN", 8), ("SIZE", 3), ("BURST", 2))
_CONSTANT = {"SIZE", "BURST"}
"""Of a burst: whole words, incrementing."""


def engine_ports(engine: EngineConfig) -> tuple[Port, ...]:
    """All ports: clock, control, and ``m_axi_gmem<N>`` for each memory port, of which 0 writes."""
    result = [
        Port("ap_clk", 1, False, "ap_clk"),
        Port("ap_rst_n", 1, False, "ap_rst_n"),
        Port("interrupt", 1, True, "irq"),
    ]
    for name, width, output in (
        *(("AWADDR", ADDRESS_BITS, False), ("AWVALID", 1, False), ("AWREADY", 1, True)),
        *(("WDATA", 32, False), ("WSTRB", 4, False), ("WVALID", 1, False), ("WREADY", 1, True)),
        *(("BRESP", 2, True), ("BVALID", 1, True), ("BREADY", 1, False)),
        *(("ARADDR", ADDRESS_BITS, False), ("ARVALID", 1, False), ("ARREADY", 1, True)),
        *(("RDATA", 32, True), ("RRESP", 2, True), ("RVALID", 1, True), ("RREADY", 1, False)),
    ):
        result.append(Port(f"{CONTROL}_{name}", width, output, f"{CONTROL}_{name}"))
    result += _address("m_axi_gmem0_", "AW", "")
    result += [
        Port("m_axi_gmem0_WDATA", 128, True, "wdata"),
        Port("m_axi_gmem0_WSTRB", 16, True, "wstrb"),
        Port("m_axi_gmem0_WLAST", 1, True, "wlast"),
        *_handshake("m_axi_gmem0_", "W", "", output=True),
        Port("m_axi_gmem0_BID", 1, False, "'0"),
        Port("m_axi_gmem0_BRESP", 2, False, "bresp"),
        *_handshake("m_axi_gmem0_", "B", "", output=False),
    ]
    for port in range(engine.ports):
        prefix, place = f"m_axi_gmem{port}_", f"[{port}]"
        result += _address(prefix, "AR", place)
        result += [
            Port(f"{prefix}RID", 1, False, "'0"),
            Port(f"{prefix}RDATA", 128, False, f"rdata{place}"),
            Port(f"{prefix}RRESP", 2, False, f"rresp{place}"),
            Port(f"{prefix}RLAST", 1, False, f"rlast{place}"),
            *_handshake(prefix, "R", place, output=False),
        ]
    return tuple(result)


def _address(prefix: str, channel: str, place: str) -> Sequence[Port]:
    fields = [
        Port(
            f"{prefix}{channel}{name}",
            width,
            True,
            "" if name in _CONSTANT else f"{channel.lower()}{name.lower()}{place}",
        )
        for name, width in _ADDRESS
    ]
    identity = Port(f"{prefix}{channel}ID", 1, True, "")
    return [identity, *fields, *_handshake(prefix, channel, place, output=True)]


def _handshake(prefix: str, channel: str, place: str, *, output: bool) -> Sequence[Port]:
    """VALID, driven by the engine where the channel is an output, and READY against it."""
    signal = channel.lower()
    return [
        Port(f"{prefix}{channel}VALID", 1, output, f"{signal}valid{place}"),
        Port(f"{prefix}{channel}READY", 1, not output, f"{signal}ready{place}"),
    ]
