# SPDX-License-Identifier: Apache-2.0
"""The top of the RTL engine as an IP core: its ports are the engine's, each in one interface."""

import os
import re
import subprocess
from pathlib import Path

from hwgen.boards import load_board
from hwgen.emit.rtl import rtl_project
from hwgen.emit.rtl_ports import engine_ports
from hwgen.package_data import data_folder
from hwgen.sim.verilator import find_verilator
from hwgen.vivado.project import WRAPPER, vivado_project
from tests.conftest import small_engine


def test_verilator_takes_it_with_dsp_slices_instantiated(tmp_path: Path) -> None:
    engine = small_engine(32)
    files = rtl_project(engine) | vivado_project(load_board("zcu102"), engine, 300)
    for name, data in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(data)
    verilator = find_verilator()
    sources = (tmp_path / "rtl" / "design.f").read_text().split()
    slice_model = data_folder("kernels_rtl") / "simulation" / "DSP48E2.sv"
    command = [verilator.command, "--lint-only", "-Wall", "--no-timing", "--top-module", WRAPPER]
    done = subprocess.run(
        [*command, *sources, str(slice_model), f"../vivado/{WRAPPER}.v"],
        cwd=tmp_path / "rtl",
        env=os.environ | verilator.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "%Warning" not in done.stderr


def test_every_port_is_in_an_interface() -> None:
    engine = small_engine(32)
    files = vivado_project(load_board("zcu102"), engine, 300)
    text = files[f"vivado/{WRAPPER}.v"].decode()
    found = re.findall(
        r'X_INTERFACE_INFO = "xilinx\.com:(\S+):1\.0 (\w+) (\w+)" \*\)\n'
        r"(?:    \(\* X_INTERFACE_PARAMETER .*\n)?"
        r"    (input|output) wire (?:\[(\d+):0\] )?(\w+)",
        text,
    )
    assert [name for *_, name in found] == [port.name for port in engine_ports(engine)]
    for (kind, interface, signal, way, high, name), port in zip(
        found, engine_ports(engine), strict=True
    ):
        assert (way == "output") == port.output
        assert int(high or 0) + 1 == port.width
        if kind == "interface:aximm":
            assert name == f"{interface}_{signal}"
        else:
            assert name == interface
    # One set of parameters for each interface: clock, reset, interrupt, control, two memories.
    names = re.findall(r"XIL_INTERFACENAME (\w+),", text)
    assert sorted(names) == sorted(set(names)) and len(names) == 6
    assert "XIL_INTERFACENAME m_axi_gmem0, PROTOCOL AXI4, DATA_WIDTH 128" in text
    assert re.search(r"m_axi_gmem1, .*READ_WRITE_MODE READ_ONLY", text)
    # A vector even where it is one bit; a handshake is not.
    assert "output wire [0:0] m_axi_gmem0_ARID" in text
    assert "output wire m_axi_gmem0_ARVALID" in text
