# SPDX-License-Identifier: Apache-2.0
"""The engine in the clothes of an export of Vitis HLS: a Verilog-2001 top whose memory ports have
all five channels, sizes by parameters, a memory filled from a file, and simulation-only text.
"""

import re

from hwgen.emit.rtl import TOP, design_sources
from hwgen.emit.rtl_ports import engine_ports
from hwgen.program.engine import EngineConfig
from hwgen.program.registers import registers

INNER = "hwgen_inner"
_BUNDLE = """AWVALID< AWREADY> AWADDR<ADDR AWID<ID AWLEN<8 AWSIZE<3 AWBURST<2 AWLOCK<2 AWCACHE<4
    AWPROT<3 AWQOS<4 AWREGION<4 AWUSER<AWUSER WVALID< WREADY> WDATA<DATA WSTRB<WSTRB WLAST< WID<ID
    WUSER<WUSER ARVALID< ARREADY> ARADDR<ADDR ARID<ID ARLEN<8 ARSIZE<3 ARBURST<2 ARLOCK<2 ARCACHE<4
    ARPROT<3 ARQOS<4 ARREGION<4 ARUSER<ARUSER RVALID> RREADY< RDATA>DATA RLAST> RID>ID RUSER>RUSER
    RRESP>2 BVALID> BREADY< BRESP>2 BID>ID BUSER>BUSER"""
"""Ports of a bundle in order: ``<`` outputs, ``>`` inputs, then the width or its parameter."""
_CONTROL = """AWVALID> AWREADY< AWADDR>ADDR WVALID> WREADY< WDATA>DATA WSTRB>WSTRB ARVALID> ARREADY<
    ARADDR>ADDR RVALID< RREADY> RDATA<DATA RRESP<2 BVALID< BREADY> BRESP<2"""


def vitis_shell(engine: EngineConfig) -> dict[str, str]:
    """The files of the export by name; module ``hwgen_engine`` is the top."""
    bits = registers(engine)[-1].offset.bit_length()
    buses = {"s_axi_control": (_CONTROL, {"ADDR": bits, "DATA": 32})}
    for port in range(engine.ports):
        sizes = {"ADDR": 64, "DATA": 128}
        ones = dict.fromkeys(("ID", "AWUSER", "ARUSER", "WUSER", "RUSER", "BUSER"), 1)
        buses[f"m_axi_gmem{port}"] = (_BUNDLE, {**sizes, **ones})
    names = ["ap_clk", "ap_rst_n", "interrupt"]
    parameters, declarations = [], ["input   ap_clk;", "input   ap_rst_n;", "output   interrupt;"]
    for bus, (ports, sizes) in buses.items():
        prefix = f"C_{bus.upper()}"
        parameters += [f"parameter    {prefix}_{name}_WIDTH = {n};" for name, n in sizes.items()]
        parameters.append(f"parameter {prefix}_WSTRB_WIDTH = ({sizes['DATA']} / 8);")
        for port, way, size in re.findall(r"(\w+)([<>])(\w*)", ports):
            width = f" [{int(size) - 1}:0]" if size.isdigit() else ""
            if size.isalpha():
                width = f" [{prefix}_{size}_WIDTH - 1:0]"
            names.append(f"{bus}_{port}")
            kind = "output" if way == "<" else "input"
            declarations.append(f"{kind} {width} {bus}_{port};")
    inside = {
        "ap_rst_n": "ap_rst_n & released[0]",
        "s_axi_control_AWADDR": f"{{{12 - bits}'b0, s_axi_control_AWADDR}}",
        "s_axi_control_ARADDR": f"{{{12 - bits}'b0, s_axi_control_ARADDR}}",
    }
    pins = [f"    .{p.name}({inside.get(p.name, p.name)})" for p in engine_ports(engine)]
    newline, comma = "\n", ",\n"
    shell = f"""`timescale 1 ns / 1 ps

(* CORE_GENERATION_INFO="{TOP},hls_ip,{{HLS_INPUT_TYPE=cxx}}" *)

module {TOP} (
        {f"{comma}        ".join(names)}
);

{newline.join(parameters)}

{newline.join(declarations)}

reg   [0:0] released [0:0];
reg   [3:0] ap_CS_fsm;

// power-on initialization
initial begin
#0 ap_CS_fsm = 4'd1;
end

initial begin
    $readmemh("./{TOP}_released.dat", released);
end

{INNER} inner(
{comma.join(pins)}
);

// synthesis translate_off
`include "{TOP}_hls_deadlock_detector.vh"
// synthesis translate_on

endmodule //{TOP}
"""
    design = "".join(text.decode() for text in design_sources(engine).values())
    return {
        f"{TOP}.v": shell,
        f"{TOP}_inner.sv": re.sub(rf"module {TOP}\b", f"module {INNER}", design),
        f"{TOP}_hls_deadlock_detector.vh": "this is no Verilog\n",
        f"{TOP}_released.dat": "1\n",
    }
