# SPDX-License-Identifier: Apache-2.0
"""The processing system of Zynq UltraScale+ as Vivado's block designs name it.

Facts of AMD PG201 (the IP ``zynq_ultra_ps_e``) and UG1085 (address map). Vivado numbers the ports
one way in parameters and segments (``SAXIGP2``) and another way in pins (``S_AXI_HP0_FPD``); both
ways stand here and nowhere else.
"""

from collections.abc import Mapping
from dataclasses import dataclass

IP_NAME = "zynq_ultra_ps_e"

DDR_LOW_END = 0x8000_0000
"""DDR below 2 GiB is seen from 0; the rest from ``DDR_HIGH_BASE``."""
DDR_HIGH_BASE = 0x8_0000_0000
DDR_HIGH_END = 0x10_0000_0000


@dataclass(frozen=True)
class SlavePort:
    """A port through which the fabric reaches DDR.

    Attributes:
        name: the pin, such as ``S_AXI_HP0_FPD``.
        number: in names of parameters, such as 2 in ``PSU__USE__S_AXI_GP2``.
    """

    name: str
    number: int

    @property
    def short(self) -> str:
        """Such as ``HP0``."""
        return self.name.removeprefix("S_AXI_").removesuffix("_FPD")

    @property
    def enable(self) -> str:
        """The parameter that brings the port out."""
        return f"PSU__USE__S_AXI_GP{self.number}"

    @property
    def width(self) -> str:
        """The parameter of its data width in bits."""
        return f"PSU__SAXIGP{self.number}__DATA_WIDTH"

    @property
    def clock(self) -> str:
        """The pin of its clock."""
        return f"saxi{self.short.lower()}_fpd_aclk"

    def segment(self, memory: str) -> str:
        """The address segment of ``memory``, such as ``DDR_LOW``, behind this port."""
        return f"SAXIGP{self.number}/{self.short}_{memory}"


@dataclass(frozen=True)
class MasterPort:
    """A port through which the processors reach registers in the fabric.

    Attributes:
        name: the pin, such as ``M_AXI_HPM0_FPD``.
        number: in names of parameters, such as 0 in ``PSU__USE__M_AXI_GP0``.
        first, last: addresses of its window below 4 GiB.
    """

    name: str
    number: int
    first: int
    last: int

    @property
    def enable(self) -> str:
        """The parameter that brings the port out."""
        return f"PSU__USE__M_AXI_GP{self.number}"

    @property
    def width(self) -> str:
        """The parameter of its data width in bits."""
        return f"PSU__MAXIGP{self.number}__DATA_WIDTH"

    @property
    def clock(self) -> str:
        """The pin of its clock."""
        return f"{self.name.lower().replace('m_axi_', 'maxi')}_aclk"


SLAVE_PORTS = (
    SlavePort("S_AXI_HPC0_FPD", 0),
    SlavePort("S_AXI_HPC1_FPD", 1),
    SlavePort("S_AXI_HP0_FPD", 2),
    SlavePort("S_AXI_HP1_FPD", 3),
    SlavePort("S_AXI_HP2_FPD", 4),
    SlavePort("S_AXI_HP3_FPD", 5),
)
MASTER_PORTS = (
    MasterPort("M_AXI_HPM0_FPD", 0, 0xA000_0000, 0xAFFF_FFFF),
    MasterPort("M_AXI_HPM1_FPD", 1, 0xB000_0000, 0xBFFF_FFFF),
    MasterPort("M_AXI_HPM0_LPD", 2, 0x8000_0000, 0x9FFF_FFFF),
)


def slave_port(name: str) -> SlavePort:
    """The port of that pin name; a board description names no other."""
    return next(port for port in SLAVE_PORTS if port.name == name)


def master_port(name: str) -> MasterPort:
    """The port of that pin name; a board description names no other."""
    return next(port for port in MASTER_PORTS if port.name == name)


def settings(
    control: MasterPort, memory: Mapping[SlavePort, int], interrupt: str, clock: str, mhz: float
) -> dict[str, str]:
    """Parameters of the IP for a design in the fabric; all else is the board's preset.

    Args:
        control: the one port for registers. It keeps the 128 bits that it has after reset, so that
            a board works whatever its boot image was built with.
        memory: width in bits of each port for DDR.
        interrupt: the input used, ``pl_ps_irq0`` or ``pl_ps_irq1``.
        clock: the clock output used, ``pl_clk0`` to ``pl_clk3``.
        mhz: its frequency.
    """
    number = clock.removeprefix("pl_clk")
    return {
        **{port.enable: str(int(port == control)) for port in MASTER_PORTS},
        control.width: "128",
        **{port.enable: str(int(port in memory)) for port in SLAVE_PORTS},
        **{port.width: str(width) for port, width in memory.items()},
        f"PSU__USE__IRQ{interrupt.removeprefix('pl_ps_irq')}": "1",
        "PSU__USE__FABRIC__RST": "1",
        "PSU__NUM_FABRIC_RESETS": "1",
        f"PSU__FPGA_PL{number}_ENABLE": "1",
        f"PSU__CRL_APB__PL{number}_REF_CTRL__FREQMHZ": f"{mhz:g}",
    }
