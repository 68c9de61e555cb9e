# SPDX-License-Identifier: Apache-2.0
"""Where a bitstream has the engine and its interrupt, by its ``.hwh``."""

from dataclasses import dataclass
from typing import Any

from hwgen.program.registers import HLS_VLNV, RTL_VLNV
from hwgen.rehearsal.errors import FabricError

_CONTROLLER = "xilinx.com:ip:axi_intc:"


@dataclass(frozen=True)
class Fabric:
    """What is in the fabric.

    Attributes:
        engine: addresses of its control port.
        controller: addresses of the interrupt controller.
        line: its input that the engine is connected to.
        interrupt: number of its output, as the processors count.
    """

    engine: range
    controller: range
    line: int
    interrupt: int


def read_fabric(parser: Any) -> Fabric:
    """What the parsed ``.hwh`` says.

    Raises:
        FabricError: there is no engine, or no interrupt from it, or more than one.
    """
    engine = _only(
        [name for name, ip in parser.ip_dict.items() if ip["type"] in (RTL_VLNV, HLS_VLNV)],
        f"engine ({RTL_VLNV} or {HLS_VLNV})",
    )
    controller = _only(
        [name for name, ip in parser.ip_dict.items() if str(ip["type"]).startswith(_CONTROLLER)],
        f"interrupt controller ({_CONTROLLER}*)",
    )
    pins = parser.interrupt_pins
    pin = _only([name for name in pins if name == f"{engine}/interrupt"], "interrupt of the engine")
    return Fabric(
        _addresses(parser.ip_dict[engine]),
        _addresses(parser.ip_dict[controller]),
        pins[pin]["index"],
        parser.interrupt_controllers[controller]["raw_irq"],
    )


def _only(names: list[str], what: str) -> str:
    if len(names) != 1:
        raise FabricError(
            f"The .hwh has {', '.join(names) or 'no'} {what}; a simulated board needs exactly one. "
            "Load a package that hwgen made."
        )
    return names[0]


def _addresses(ip: Any) -> range:
    return range(ip["phys_addr"], ip["phys_addr"] + ip["addr_range"])
