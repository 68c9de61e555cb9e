# SPDX-License-Identifier: Apache-2.0
"""Names of the processing system's ports, against a second copy of AMD PG201's table."""

from hwgen.processing_system import MASTER_PORTS, SLAVE_PORTS, master_port, settings, slave_port
from tests.vivado.tcl_tools import MASTERS, SLAVES


def test_names_of_the_slave_ports() -> None:
    assert len(SLAVE_PORTS) == len(SLAVES)
    for pin, number, short, clock in SLAVES:
        port = slave_port(pin)
        assert (port.number, port.short, port.clock) == (number, short, clock)
        assert port.enable == f"PSU__USE__S_AXI_GP{number}"
        assert port.width == f"PSU__SAXIGP{number}__DATA_WIDTH"
    assert slave_port("S_AXI_HP0_FPD").segment("DDR_LOW") == "SAXIGP2/HP0_DDR_LOW"
    assert slave_port("S_AXI_HPC1_FPD").segment("DDR_HIGH") == "SAXIGP1/HPC1_DDR_HIGH"


def test_names_of_the_master_ports() -> None:
    assert len(MASTER_PORTS) == len(MASTERS)
    for pin, number, clock in MASTERS:
        port = master_port(pin)
        assert (port.number, port.clock) == (number, clock)
        assert port.enable == f"PSU__USE__M_AXI_GP{number}"


def test_every_port_is_set() -> None:
    memory = {slave_port("S_AXI_HP1_FPD"): 64}
    found = settings(master_port("M_AXI_HPM1_FPD"), memory, "pl_ps_irq1", "pl_clk2", 187.5)
    used = {name for name, value in found.items() if "_USE__" in name and value == "1"}
    assert used == {
        "PSU__USE__M_AXI_GP1",
        "PSU__USE__S_AXI_GP3",
        "PSU__USE__IRQ1",
        "PSU__USE__FABRIC__RST",
    }
    assert [name for name, value in found.items() if value == "0"] == [
        "PSU__USE__M_AXI_GP0",
        "PSU__USE__M_AXI_GP2",
        *(f"PSU__USE__S_AXI_GP{number}" for number in (0, 1, 2, 4, 5)),
    ]
    assert found["PSU__MAXIGP1__DATA_WIDTH"] == "128"
    assert found["PSU__SAXIGP3__DATA_WIDTH"] == "64"
    assert found["PSU__FPGA_PL2_ENABLE"] == "1"
    assert found["PSU__CRL_APB__PL2_REF_CTRL__FREQMHZ"] == "187.5"
