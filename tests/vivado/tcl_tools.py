# SPDX-License-Identifier: Apache-2.0
"""Vivado and Vitis HLS as far as the scripts use them: a Tcl interpreter with their commands as
stubs that keep what the real ones keep, and refuse what they refuse. No other command is known.

As a program (``python tcl_tools.py vivado ...``) it stands in for the executables. The environment
says what it is like: FAKE_VERSION, FAKE_FAIL (a run that fails, or a command), FAKE_STOP (a run in
which it is killed), FAKE_SLOW (timing is not met), FAKE_BOARDS (board files, with blanks between).
"""

import json
import os
import re
import shutil
import signal
import sys
import tkinter
from collections.abc import Callable, Mapping
from pathlib import Path

FIXTURES = Path(__file__).parent / "fixtures"
DESIGN = "hwgen"
RUN_STEPS = {"synth_1": "synth_design", "impl_1": "route_design"}

CORES = {
    "clk_wiz": "6.0",
    "proc_sys_reset": "5.0",
    "smartconnect": "1.0",
    "axi_intc": "4.1",
    "zynq_ultra_ps_e": "3.5",
}
PARAMETERS = {
    "clk_wiz": "PRIM_SOURCE CLKOUT1_REQUESTED_OUT_FREQ USE_LOCKED USE_RESET RESET_TYPE RESET_PORT",
    "proc_sys_reset": "",
    "smartconnect": "NUM_SI NUM_MI",
    "axi_intc": "C_IRQ_CONNECTION",
    "hwgen_engine": "",
}
BOARDS = (
    "xilinx.com:zcu102:part0:3.4 xilinx.com:zcu102:part0:3.10 xilinx.com:zcu104:part0:1.1 "
    "xilinx.com:kv260_som:part0:1.4 avnet-tria:ultra96v2:part0:1.3"
)
# AMD PG201, once more: pin of the port, number in parameters, name in segments, pin of its clock.
SLAVES = (
    ("S_AXI_HPC0_FPD", 0, "HPC0", "saxihpc0_fpd_aclk"),
    ("S_AXI_HPC1_FPD", 1, "HPC1", "saxihpc1_fpd_aclk"),
    ("S_AXI_HP0_FPD", 2, "HP0", "saxihp0_fpd_aclk"),
    ("S_AXI_HP1_FPD", 3, "HP1", "saxihp1_fpd_aclk"),
    ("S_AXI_HP2_FPD", 4, "HP2", "saxihp2_fpd_aclk"),
    ("S_AXI_HP3_FPD", 5, "HP3", "saxihp3_fpd_aclk"),
)
MASTERS = (
    ("M_AXI_HPM0_FPD", 0, "maxihpm0_fpd_aclk"),
    ("M_AXI_HPM1_FPD", 1, "maxihpm1_fpd_aclk"),
    ("M_AXI_HPM0_LPD", 2, "maxihpm0_lpd_aclk"),
)
# Not in Tcl 8.5, which older versions of Vivado have.
NEWER_TCL = "try throw lmap tailcall zlib coroutine yield yieldto"


class Refused(Exception):
    """What the tool would print."""


class Tcl:
    """The interpreter; subclasses define the commands as methods named in ``commands``."""

    commands = ""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.environment = environment
        self.calls: list[tuple[str, ...]] = []
        self.printed: list[str] = []
        self.code: int | None = None
        self.tcl = tkinter.Tcl()
        for name in NEWER_TCL.split():
            self.tcl.eval(f"catch {{rename {name} {{}}}}")
        for name in self.commands.split():
            self._define(name, getattr(self, name.replace("::", "_")))
        self.tcl.createcommand("note_exit", self._exit)
        self.tcl.createcommand("note_line", self._line)
        # Like the real one, this exit does not return.
        self.tcl.eval("proc exit {{code 0}} { note_exit $code; return -code error -level 99 stop }")
        self.tcl.eval("rename puts tcl_puts")
        self.tcl.eval(
            "proc puts args { if {[llength $args] == 1} { note_line [lindex $args 0] } "
            "elseif {[lindex $args 0] eq {stderr}} { note_line [lindex $args 1] } "
            "else { tcl_puts {*}$args } }"
        )

    def _define(self, name: str, method: Callable[..., str | None]) -> None:
        def call(*words: str) -> tuple[str, str]:
            self.calls.append((name, *words))
            try:
                if self.environment.get("FAKE_FAIL") == name:
                    raise Refused(f"ERROR: [Common 17-39] '{name}' failed due to earlier errors.")
                return "1", method(*words) or ""
            except Refused as error:
                if str(error).startswith("ERROR"):
                    self._line(str(error))
                return "0", str(error)

        self.tcl.createcommand(f"python_{name}", call)
        if "::" in name:
            self.tcl.eval(f"namespace eval {name.rpartition('::')[0]} {{}}")
        self.tcl.eval(
            f"proc {name} args {{ lassign [python_{name} {{*}}$args] good value; "
            "if {!$good} { return -code error $value }; return $value }"
        )

    def _exit(self, code: str) -> None:
        self.code = int(code)

    def _line(self, text: str) -> None:
        self.printed.append(text)
        print(text, flush=True)

    def source(self, script: Path, *arguments: str) -> int | None:
        """Runs a script as the tool does, in the current folder; returns its exit code."""
        self.tcl.call("set", "argv", arguments)
        self.tcl.call("set", "argc", len(arguments))
        self.tcl.eval(f"catch {{ source {{{script}}} }} message")
        if self.code is None:
            self._line(f"ERROR: {self.tcl.eval('set errorInfo')}")
            return 1
        return self.code


def split(words: tuple[str, ...], flags: str = "") -> tuple[dict[str, str], list[str]]:
    """Options with a value, flags without one, and the other words."""
    options: dict[str, str] = {}
    rest: list[str] = []
    queue = list(words)
    while queue:
        word = queue.pop(0)
        if not word.startswith("-"):
            rest.append(word)
        elif word in flags.split():
            options[word] = "1"
        else:
            options[word] = queue.pop(0)
    return options, rest


class Vivado(Tcl):
    """What a project holds is kept in its ``.xpr``, so that another process goes on with it."""

    commands = """version create_project open_project close_project current_project get_projects
        add_files current_fileset update_compile_order set_property get_property update_ip_catalog
        get_board_parts get_ipdefs create_bd_design create_bd_cell apply_bd_automation get_bd_pins
        get_bd_intf_pins connect_bd_net connect_bd_intf_net get_bd_addr_spaces get_bd_addr_segs
        assign_bd_address exclude_bd_addr_seg validate_bd_design save_bd_design generate_target
        get_files make_wrapper get_runs reset_run launch_runs wait_on_run open_run close_design
        report_utilization report_timing_summary report_route_status write_hw_platform
        ipx::package_project ipx::current_core ipx::get_bus_interfaces
        ipx::associate_bus_interfaces ipx::get_memory_maps ipx::add_memory_map
        ipx::get_address_blocks ipx::remove_address_block ipx::add_address_block ipx::add_register
        ipx::add_field ipx::create_xgui_files ipx::update_checksums ipx::check_integrity
        ipx::save_core"""

    def __init__(self, environment: Mapping[str, str]) -> None:
        super().__init__(environment)
        self.project: Path | None = None
        self.state: dict = {}
        self.core: dict = {}
        self.run_open = False

    # ---- Projects ----

    def version(self, *words: str) -> str:
        assert words == ("-short",)
        return self.environment.get("FAKE_VERSION", "2024.1")

    def create_project(self, *words: str) -> None:
        options, (name, folder) = split(words, "-force")
        if self.project is not None:
            raise Refused("ERROR: [Coretcl 2-88] A project is already open.")
        if Path(folder).exists() and "-force" not in options:
            raise Refused(f"ERROR: [Coretcl 2-89] Project '{name}.xpr' already exists.")
        shutil.rmtree(folder, ignore_errors=True)
        Path(folder).mkdir(parents=True)
        self.project = Path(folder).resolve() / f"{name}.xpr"
        self.state = {"part": options["-part"], "files": [], "top": "", "cells": {}, "runs": {}}
        for run in RUN_STEPS:
            self._new_run(run)
        self._keep()

    def open_project(self, name: str) -> None:
        if not Path(name).is_file():
            raise Refused(f"ERROR: [Coretcl 2-27] Can't find specified project '{name}'.")
        self.project = Path(name).resolve()
        self.state = json.loads(self.project.read_text())

    def close_project(self) -> None:
        self._need_project()
        self._keep()
        self.project = None

    def current_project(self) -> str:
        return self._need_project().stem

    def get_projects(self, *words: str) -> str:
        assert words == ("-quiet",)
        return self.project.stem if self.project else ""

    def _need_project(self) -> Path:
        if self.project is None:
            raise Refused("ERROR: [Common 17-53] User Exception: No open project.")
        return self.project

    def _keep(self) -> None:
        self._need_project().write_text(json.dumps(self.state))

    def add_files(self, *words: str) -> None:
        (names,) = split(words, "-norecurse")[1]
        for name in self.tcl.splitlist(names):
            if not Path(name).is_file():
                raise Refused(f"ERROR: [Vivado 12-172] File or Directory '{name}' does not exist")
            self.state["files"].append(str(Path(name).resolve()))

    def current_fileset(self) -> str:
        self._need_project()
        return "sources_1"

    def update_compile_order(self, *words: str) -> None:
        assert words == ("-fileset", "sources_1")

    def set_property(self, *words: str) -> None:
        if words[0] == "-dict":
            pairs = self.tcl.splitlist(words[1])
            found = list(zip(pairs[::2], pairs[1::2], strict=True))
        else:
            found = [(words[0], words[1])]
        for name, value in found:
            self._set(words[2], name, value)
        if self.project:
            self._keep()

    def _set(self, target: str, name: str, value: str) -> None:
        if target.startswith("core"):
            self.core["properties"][f"{target} {name}"] = value
        elif target in self.state["cells"]:
            cell = self.state["cells"][target]
            self._check_parameter(cell["ip"], name.removeprefix("CONFIG."))
            cell["parameters"][name.removeprefix("CONFIG.")] = value
        elif target in self.state["runs"]:
            assert re.fullmatch(r"STEPS\.\w+\.IS_ENABLED", name), name
            self.state["runs"][target][name] = value
        else:
            assert target in (self.current_project(), "sources_1"), target
            assert name in ("top", "board_part", "ip_repo_paths"), name
            self.state[name] = value

    def _check_parameter(self, ip: str, name: str) -> None:
        if ip == "zynq_ultra_ps_e":
            known = (
                r"PSU__(USE__[MS]_AXI_GP\d|[MS]AXIGP\d__DATA_WIDTH|USE__IRQ[01]|USE__FABRIC__RST|"
                r"NUM_FABRIC_RESETS|FPGA_PL\d_ENABLE|CRL_APB__PL\d_REF_CTRL__FREQMHZ)"
            )
        else:
            known = "|".join(PARAMETERS[ip].split())
        if not re.fullmatch(known, name):
            raise Refused(f"ERROR: [BD 41-1276] Cannot set the parameter {name} on an {ip}")

    def get_property(self, name: str, target: str) -> str:
        if target in self.state.get("runs", {}):
            run = self.state["runs"][target]
            known = {"PROGRESS": run["progress"], "STATUS": run["status"]}
            return {**known, "DIRECTORY": str(self._run_folder(target))}[name]
        if target.startswith("core"):
            assert name == "name"
            return target.rpartition("/")[2]
        assert (target, name) == ("sources_1", "top")
        return self.state["top"]

    # ---- Packaging ----

    def ipx_package_project(self, *words: str) -> None:
        options, rest = split(words, "-import_files -force")
        assert not rest and options["-taxonomy"] == "/UserIP" and "-import_files" in options
        wrapper = next(Path(n) for n in self.state["files"] if Path(n).stem == self.state["top"])
        text = wrapper.read_text()
        interfaces: dict[str, list[str]] = {}
        for name, logical in re.findall(r'X_INTERFACE_INFO = "\S+ (\w+) (\w+)"', text):
            interfaces.setdefault(name, []).append(logical)
        self.core = {
            "folder": options["-root_dir"],
            "vendor": options["-vendor"],
            "library": options["-library"],
            "interfaces": interfaces,
            "properties": {},
            "clocked": {},
            # Vivado makes one of its own.
            "blocks": {"reg0": []},
            "saved": False,
        }

    def ipx_current_core(self) -> str:
        return "core"

    def ipx_get_bus_interfaces(self, name: str, *words: str) -> str:
        assert words == ("-of_objects", "core")
        return f"core/interface/{name}" if name in self.core["interfaces"] else ""

    def ipx_associate_bus_interfaces(self, *words: str) -> None:
        options, rest = split(words)
        assert rest == ["core"] and options["-busif"] in self.core["interfaces"]
        self.core["clocked"][options["-busif"]] = (options["-clock"], options["-reset"])

    def ipx_get_memory_maps(self, name: str, *words: str) -> str:
        return f"core/map/{name}" if name in self.core["interfaces"] else ""

    def ipx_add_memory_map(self, name: str, core: str) -> str:
        raise Refused(f"the core has the memory map {name} already")

    def ipx_get_address_blocks(self, *words: str) -> str:
        assert words == ("-of_objects", "core/map/s_axi_control")
        return " ".join(f"core/block/{name}" for name in self.core["blocks"])

    def ipx_remove_address_block(self, name: str, memory_map: str) -> None:
        assert memory_map == "core/map/s_axi_control"
        del self.core["blocks"][name]

    def ipx_add_address_block(self, name: str, memory_map: str) -> str:
        assert memory_map == "core/map/s_axi_control"
        self.core["blocks"][name] = []
        return f"core/block/{name}"

    def ipx_add_register(self, name: str, block: str) -> str:
        found = f"{block}/{name}"
        self.core["blocks"][block.rpartition("/")[2]].append(found)
        return found

    def ipx_add_field(self, name: str, register: str) -> str:
        return f"{register}/{name}"

    def ipx_create_xgui_files(self, core: str) -> None:
        assert core == "core"

    ipx_update_checksums = ipx_check_integrity = ipx_create_xgui_files

    def ipx_save_core(self, core: str) -> None:
        assert core == "core"
        if list(self.core["blocks"]) != ["Reg"]:
            raise Refused("pynq would take the engine for more than one core")
        kinds = {"vendor": self.core["vendor"], "library": self.core["library"]}
        kinds |= {key: self.core["properties"][f"core {key}"] for key in ("name", "version")}
        folder = Path(self.core["folder"])
        folder.mkdir(parents=True)
        (folder / "component.xml").write_text(component(kinds, list(self.core["interfaces"])))
        (folder / "registers.json").write_text(json.dumps(self.core))

    # ---- Block design ----

    def get_board_parts(self, *words: str) -> str:
        (pattern,) = split(words, "-quiet")[1]
        known = self.environment.get("FAKE_BOARDS", BOARDS).split()
        return " ".join(sorted(name for name in known if matches(name, pattern)))

    def update_ip_catalog(self) -> None:
        path = Path(self.state["ip_repo_paths"]) / "component.xml"
        kinds, interfaces = read_component(path.read_text())
        self.state["core"] = [":".join(kinds.values()), interfaces]

    def get_ipdefs(self, *words: str) -> str:
        (pattern,) = split(words, "-all")[1]
        known = [f"xilinx.com:ip:{name}:{version}" for name, version in CORES.items()]
        known += ["xilinx.com:ip:axi_intc:4.0", self.state["core"][0]]
        return " ".join(sorted((name for name in known if matches(name, pattern)), reverse=True))

    def create_bd_design(self, name: str) -> None:
        self.state |= {"bd": name, "cells": {}, "nets": {}, "bus": {}, "mapped": [], "excluded": []}
        self.state["valid"] = False

    def create_bd_cell(self, *words: str) -> str:
        options, (name,) = split(words)
        vlnv = options["-vlnv"]
        if vlnv not in self.get_ipdefs("-all", "*").split() or options["-type"] != "ip":
            raise Refused(f"ERROR: [BD 5-390] IP definition not found for VLNV: {vlnv}")
        self.state["cells"][name] = {"ip": vlnv.split(":")[2], "vlnv": vlnv, "parameters": {}}
        self._keep()
        return name

    def apply_bd_automation(self, *words: str) -> None:
        options, (cell,) = split(words)
        assert options["-rule"] == f"xilinx.com:bd_rule:{self.state['cells'][cell]['ip']}"
        assert self.tcl.splitlist(options["-config"]) == ("apply_board_preset", "1")
        if not self.state.get("board_part"):
            raise Refused("ERROR: [BD 41-1273] there is no board")
        # A preset brings out more than is wanted.
        self.state["cells"][cell]["parameters"] |= {
            "PSU__USE__M_AXI_GP0": "1",
            "PSU__USE__M_AXI_GP1": "1",
            "preset": self.state["board_part"],
        }

    def pins(self) -> dict[str, str]:
        """Every pin: ``out`` drives a net, ``in`` needs one, ``may`` does not need one."""
        found = {}
        for name, cell in self.state["cells"].items():
            for pin, kind in self._cell_pins(cell["ip"], cell["parameters"]).items():
                found[f"{name}/{pin}"] = kind
        return found

    def _cell_pins(self, ip: str, parameters: dict[str, str]) -> dict[str, str]:
        if ip == "zynq_ultra_ps_e":
            pins = {"pl_clk0": "out", "pl_resetn0": "out"}
            ports = [*(("S", n, clock) for _, n, _, clock in SLAVES)]
            ports += [("M", n, clock) for _, n, clock in MASTERS]
            for way, number, clock in ports:
                if parameters.get(f"PSU__USE__{way}_AXI_GP{number}") == "1":
                    pins[clock] = "in"
            if parameters.get("PSU__USE__IRQ0") == "1":
                pins["pl_ps_irq0"] = "in"
            return pins
        if ip == "smartconnect":
            return {"aclk": "in", "aresetn": "in"}
        if ip == "axi_intc":
            irq = {"irq": "out"} if parameters.get("C_IRQ_CONNECTION") == "1" else {}
            return {"s_axi_aclk": "in", "s_axi_aresetn": "in", "intr": "in", **irq}
        if ip == "clk_wiz":
            reset = {}
            if parameters.get("USE_RESET") == "true":
                active_low = parameters.get("RESET_TYPE") == "ACTIVE_LOW"
                reset = {"resetn" if active_low else "reset": "in"}
            return {"clk_in1": "in", "clk_out1": "out", "locked": "out", **reset}
        if ip == "proc_sys_reset":
            inputs = {"slowest_sync_clk": "in", "ext_reset_in": "in", "dcm_locked": "may"}
            return {**inputs, "peripheral_aresetn": "out", "interconnect_aresetn": "out"}
        assert ip == "hwgen_engine"
        return {"ap_clk": "in", "ap_rst_n": "in", "interrupt": "out"}

    def interfaces(self) -> dict[str, str]:
        """Every AXI interface: ``master`` or ``slave``."""
        found = {}
        for name, cell in self.state["cells"].items():
            parameters = cell["parameters"]
            if cell["ip"] == "zynq_ultra_ps_e":
                own = {}
                for pin, number, *_ in SLAVES:
                    if parameters.get(f"PSU__USE__S_AXI_GP{number}") == "1":
                        own[pin] = "slave"
                for pin, number, _ in MASTERS:
                    if parameters.get(f"PSU__USE__M_AXI_GP{number}") == "1":
                        own[pin] = "master"
            elif cell["ip"] == "smartconnect":
                own = {f"S{i:02}_AXI": "slave" for i in range(int(parameters["NUM_SI"]))}
                own |= {f"M{i:02}_AXI": "master" for i in range(int(parameters["NUM_MI"]))}
            elif cell["ip"] == "axi_intc":
                own = {"s_axi": "slave"}
            elif cell["ip"] == "hwgen_engine":
                names = [n for n in self.state["core"][1] if "axi" in n]
                own = {n: "master" if n.startswith("m_axi") else "slave" for n in names}
            else:
                own = {}
            found |= {f"{name}/{pin}": kind for pin, kind in own.items()}
        return found

    def get_bd_pins(self, name: str) -> str:
        return name if name in self.pins() else ""

    def get_bd_intf_pins(self, name: str) -> str:
        return name if name in self.interfaces() else ""

    def connect_bd_net(self, source: str, sink: str) -> None:
        pins = self.pins()
        if pins.get(source) != "out" or pins.get(sink) not in ("in", "may"):
            raise Refused(f"ERROR: [BD 5-4] cannot connect '{source}' to '{sink}'")
        if sink in self.state["nets"]:
            raise Refused(f"ERROR: [BD 41-1375] {sink} is connected already")
        self.state["nets"][sink] = source

    def connect_bd_intf_net(self, master: str, slave: str) -> None:
        known = self.interfaces()
        if (known.get(master), known.get(slave)) != ("master", "slave"):
            raise Refused(f"ERROR: [BD 5-5] cannot connect '{master}' to '{slave}'")
        used = [*self.state["bus"], *self.state["bus"].values()]
        if master in used or slave in used:
            raise Refused(f"ERROR: [BD 41-1376] {master} or {slave} is connected already")
        self.state["bus"][master] = slave

    def get_bd_addr_spaces(self, *words: str) -> str:
        assert words[0] == "-of_objects"
        if self.interfaces().get(words[1]) != "master":
            raise Refused(f"ERROR: [Common 17-55] '{words[1]}' has no address space")
        cell, _, pin = words[1].rpartition("/")
        return f"{cell}/Data" if pin.startswith("M_AXI") else words[1]

    def get_bd_addr_segs(self, *words: str) -> str:
        if words[0] == "-of_objects":
            if self.interfaces().get(words[1]) != "slave":
                raise Refused(f"ERROR: [Common 17-55] '{words[1]}' has no segment")
            return f"{words[1]}/Reg"
        return " ".join(name for name in self.segments() if matches(name, words[0]))

    def segments(self) -> list[str]:
        """Of the processing system's slave ports."""
        found = []
        for name, cell in self.state["cells"].items():
            for pin, number, short, _ in SLAVES:
                if f"{name}/{pin}" in self.interfaces():
                    high = "zcu102" in cell["parameters"]["preset"]
                    high = high or "kv260" in cell["parameters"]["preset"]
                    kinds = ["DDR_LOW", "QSPI", "LPS_OCM", *(["DDR_HIGH"] if high else [])]
                    found += [f"{name}/SAXIGP{number}/{short}_{kind}" for kind in kinds]
        return found

    def assign_bd_address(self, *words: str) -> None:
        options, rest = split(words, "-force")
        if not (rest and rest[0] and " " not in rest[0]):
            raise Refused(f"ERROR: [BD 41-1] no segment to assign: {rest}")
        space, base = options["-target_address_space"], int(options["-offset"], 16)
        size = int(options["-range"], 16)
        for other, _, first, length in self.state["mapped"]:
            if other == space and base < first + length and first < base + size:
                raise Refused(f"ERROR: [BD 41-2] {rest[0]} overlaps another segment of {space}")
        self.state["mapped"].append((space, rest[0], base, size))

    def exclude_bd_addr_seg(self, *words: str) -> None:
        options, (segment,) = split(words)
        self.state["excluded"].append((options["-target_address_space"], segment))

    def validate_bd_design(self) -> None:
        state = self.state
        loose = [p for p, kind in self.pins().items() if kind == "in" and p not in state["nets"]]
        used = [*state["bus"], *state["bus"].values()]
        loose += [name for name in self.interfaces() if name not in used]
        if loose:
            raise Refused(f"ERROR: [BD 41-758] not connected: {', '.join(loose)}")
        done = [tuple(item[:2]) for item in state["mapped"]]
        done += [tuple(item) for item in state["excluded"]]
        for master, through in state["bus"].items():
            if master.startswith("hwgen_engine_0"):
                port = state["bus"][through.replace("S00", "M00")].rpartition("/")[2]
                number = next(n for pin, n, *_ in SLAVES if pin == port)
                for segment in self.segments():
                    if f"/SAXIGP{number}/" in segment and done.count((master, segment)) != 1:
                        raise Refused(f"ERROR: [BD 41-1356] {segment} is not assigned to {master}")
        state["valid"] = True

    def save_bd_design(self) -> None:
        self._keep()

    def get_files(self, name: str) -> str:
        return name if name == f"{self.state.get('bd')}.bd" else ""

    def generate_target(self, what: str, name: str) -> None:
        if what != "all" or not self.state["valid"] or not name:
            raise Refused("ERROR: [BD 41-1] the block design is not valid")
        major = tuple(map(int, self.version("-short").split(".")))
        kind = "gen" if major >= (2020, 2) else "srcs"
        folder = self._need_project().parent / f"{DESIGN}.{kind}/sources_1/bd/{DESIGN}/hw_handoff"
        folder.mkdir(parents=True)
        cells = "".join(f'<MODULE INSTANCE="{name}"/>' for name in self.state["cells"])
        (folder / f"{DESIGN}.hwh").write_text(f"<EDKSYSTEM>{cells}</EDKSYSTEM>\n")
        for name in self.state["cells"]:
            self._new_run(f"{DESIGN}_{name}_0_synth_1")

    def make_wrapper(self, *words: str) -> None:
        options, rest = split(words, "-top -import")
        assert options["-files"] == f"{DESIGN}.bd" and "-import" in options and not rest
        self.state["top"] = "some_other_module"

    # ---- Runs ----

    def _new_run(self, name: str) -> None:
        fresh = {"progress": "0%", "status": "Not started", "steps": []}
        self.state["runs"][name] = self.state["runs"].get(name, {}) | fresh

    def _run_folder(self, name: str) -> Path:
        return self._need_project().parent / f"{DESIGN}.runs" / name

    def get_runs(self, *names: str) -> str:
        return " ".join(names or self.state["runs"])

    def reset_run(self, *words: str) -> None:
        options, (name,) = split(words)
        run = self.state["runs"][name]
        if options:
            assert options == {"-from_step": "write_bitstream"}
            run |= {"progress": "100%", "status": "route_design Complete!"}
        else:
            self._new_run(name)
            shutil.rmtree(self._run_folder(name), ignore_errors=True)
        self._keep()

    def launch_runs(self, *words: str) -> None:
        options, (name,) = split(words)
        assert int(options["-jobs"]) >= 1
        run, last = self.state["runs"][name], options.get("-to_step", "")
        if "ERROR" in run["status"]:
            return  # A run that failed stays so until it is reset.
        if name == "synth_1":
            others = [other for other in self.state["runs"] if other not in RUN_STEPS]
            for other in others:
                if self.state["runs"][other]["progress"] != "100%" and not self._go(other, ""):
                    run |= {"status": "Scripts Generated"}
                    self._keep()
                    return
        elif self.state["runs"]["synth_1"]["progress"] != "100%":
            raise Refused("ERROR: [Vivado 12-1] synth_1 is not complete")
        self._go(name, last)

    def _go(self, name: str, last: str) -> bool:
        run, folder = self.state["runs"][name], self._run_folder(name)
        step = last or RUN_STEPS.get(name, "synth_design")
        folder.mkdir(parents=True, exist_ok=True)
        run |= {"progress": "50%", "status": f"Running {step}"}
        self._keep()
        wanted = {name, f"{name} {step}"}
        if self.environment.get("FAKE_STOP") in wanted:
            os.kill(os.getpid(), signal.SIGKILL)
        good = self.environment.get("FAKE_FAIL") not in wanted
        place = "/elsewhere/ip/src/mac_array.sv:88"
        (folder / "runme.log").write_text(
            "INFO: [Common 17-206] fine\n"
            if good
            else f"CRITICAL WARNING: [Synth 8-1] odd\nERROR: [Synth 8-439] no module [{place}]\n"
        )
        run["steps"].append(step)
        if good:
            run |= {"progress": "100%", "status": f"{step} Complete!"}
        else:
            run |= {"progress": "50%", "status": f"{step} ERROR"}
        if good and step == "write_bitstream":
            (folder / f"{DESIGN}_wrapper.bit").write_bytes(b"a bitstream\n")
        self._keep()
        return good

    def wait_on_run(self, name: str) -> None:
        if self.state["runs"][name]["progress"] != "100%":
            raise Refused(f"ERROR: [Vivado 12-13638] Failed runs(s) : '{name}'")

    def open_run(self, name: str) -> None:
        assert name == "impl_1" and self.state["runs"][name]["progress"] == "100%"
        self.run_open = True

    def close_design(self) -> None:
        self.run_open = False

    def _report(self, words: tuple[str, ...], kind: str) -> None:
        if not self.run_open:
            raise Refused("ERROR: [Common 17-53] User Exception: No open design.")
        options, _ = split(words, "-hierarchical")
        version = "2024.1" if self.environment.get("FAKE_SLOW") else "2020.2"
        name = kind if kind == "route_status" else f"{version}-{kind}"
        shutil.copyfile(FIXTURES / f"{name}.rpt", options["-file"])

    def report_utilization(self, *words: str) -> None:
        self._report(words, "hierarchy" if "-hierarchical" in words else "utilization")

    def report_timing_summary(self, *words: str) -> None:
        self._report(words, "timing")

    def report_route_status(self, *words: str) -> None:
        self._report(words, "route_status")
        unrouted = self.environment.get("FAKE_UNROUTED")
        if unrouted:
            path = Path(split(words)[0]["-file"])
            path.write_text(
                re.sub(r"(routing errors\.+ :) +0", rf"\1 {unrouted}", path.read_text())
            )

    def write_hw_platform(self, *words: str) -> None:
        options, _ = split(words, "-fixed -include_bit -force")
        if not (self._run_folder("impl_1") / f"{DESIGN}_wrapper.bit").is_file():
            raise Refused("ERROR: [Vivado 12-4] there is no bitstream")
        Path(options["-file"]).write_bytes(b"a platform\n")


class VitisHls(Tcl):
    """Vitis HLS: exports a core with the interfaces that the sources ask for."""

    commands = """open_project set_top add_files open_solution set_part create_clock
        config_interface csim_design csynth_design cosim_design export_design close_project"""

    def __getattr__(self, name: str) -> Callable[..., str | None]:
        if name not in self.commands.split():
            raise AttributeError(name)
        return lambda *words: None

    def csynth_design(self, *words: str) -> None:
        if self.environment.get("FAKE_FAIL") == "csynth":
            self._line("ERROR: [HLS 214-298] not supported (kernels/engine.hpp:148:0)")
            raise Refused("Pre-synthesis failed.")

    def export_design(self, *words: str) -> None:
        options, _ = split(words)
        kinds = {"vendor": options["-vendor"], "library": options["-library"]}
        kinds |= {"name": "hwgen_engine", "version": options["-version"]}
        source = Path("hwgen_engine.cpp").read_text()
        bundles = sorted(set(re.findall(r"bundle=(gmem\d)", source)))
        interfaces = ["ap_clk", "ap_rst_n", "interrupt", "s_axi_control"]
        interfaces += [f"m_axi_{bundle}" for bundle in bundles]
        folder = Path("hwgen_engine_prj/solution1/impl/ip")
        (folder / "hdl/verilog").mkdir(parents=True, exist_ok=True)
        (folder / "component.xml").write_text(component(kinds, interfaces))
        (folder / "hdl/verilog/hwgen_engine.v").write_text("// made of C++\n")


def matches(name: str, pattern: str) -> bool:
    """Vivado's patterns: a star for any text."""
    return re.fullmatch(re.escape(pattern).replace(r"\*", ".*"), name) is not None


def component(kinds: Mapping[str, str], interfaces: list[str]) -> str:
    """A component.xml."""
    lines = [f"<spirit:{key}>{value}</spirit:{key}>" for key, value in kinds.items()]
    lines += [f"<spirit:busInterface>{name}</spirit:busInterface>" for name in interfaces]
    return "\n".join(["<spirit:component>", *lines, "</spirit:component>", ""])


def read_component(text: str) -> tuple[dict[str, str], list[str]]:
    """What ``component`` wrote."""
    keys = ("vendor", "library", "name", "version")
    kinds = {key: re.search(rf"<spirit:{key}>(.*?)<", text)[1] for key in keys}
    return kinds, re.findall(r"<spirit:busInterface>(.*?)<", text)


def main(tool: str, *words: str) -> int:
    """Stands in for an executable of that name."""
    version = os.environ.get("FAKE_VERSION", "2024.1")
    if words in (("-version",), ("--version",)):
        titles = {
            "vivado": f"vivado v{version} (64-bit)\nTool Version Limit: 2030.05",
            "vitis-run": f"****** vitis-run v{version} (64-bit)",
            "vitis_hls": f"Vitis HLS - High-Level Synthesis from C, C++ and OpenCL v{version}",
        }
        print(os.environ.get("FAKE_TITLE", titles[tool]))
        return 0
    if tool == "vivado":
        arguments = words[words.index("-tclargs") + 1 :]
        script = words[words.index("-source") + 1]
        return Vivado(os.environ).source(Path(script), *arguments) or 0
    script = words[words.index("--tcl" if tool == "vitis-run" else "-f") + 1]
    return VitisHls(os.environ).source(Path(script)) or 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
