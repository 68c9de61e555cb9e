# SPDX-License-Identifier: Apache-2.0
"""An engine that somebody else wrote, such as the Verilog that Vitis HLS exports: its files, its
ports, and a test bench that connects them.
"""

import json
import re
from dataclasses import replace
from pathlib import Path

from hwgen.emit.rtl import TESTBENCH, TOP
from hwgen.emit.rtl_engine import rtl_testbench
from hwgen.emit.rtl_ports import ADDRESS_BITS, Port, engine_ports
from hwgen.errors import ToolError
from hwgen.program.engine import EngineConfig
from hwgen.sim.process import last_lines, run_process
from hwgen.sim.verilator import find_verilator
from sim.implementation import MEMORY, Implementation

SOURCES = (".v", ".sv")
INCLUDED = (".vh", ".svh", ".dat")
"""Headers, and contents of memories that $readmemh takes from the folder of the simulation."""
WAIVED = ("-Wno-lint", "-Wno-style", "-Wno-fatal")
"""Its style is its author's affair."""
TIMEOUT_S = 600.0

_LEFT_OUT = re.compile(
    r"//\s*synthesis\s+translate_off.*?//\s*synthesis\s+translate_on", re.DOTALL | re.IGNORECASE
)
"""No hardware. Vitis HLS puts its search for deadlocks there, for its own simulator."""
_ADVICE = "Export it with the interfaces of the emitted HLS project."
_MODULE = re.compile(r"^\s*module\s+(\w+)", re.MULTILINE)
_READS = re.compile(r"m_axi_gmem\d+_ARVALID")


def read_exported(path: Path) -> dict[str, str]:
    """The files of a folder, or one file: names without folders, and what synthesis sees of them.

    Raises:
        ToolError: there are none, or module hwgen_engine is not among them.
    """
    if path.is_file():
        paths = [path]
    elif path.is_dir():
        paths = [item for item in sorted(path.iterdir()) if item.suffix in SOURCES + INCLUDED]
    else:
        raise ToolError(f"{path} does not exist. Name a Verilog file, or a folder that holds some.")
    files = {item.name: _LEFT_OUT.sub("", item.read_text(errors="replace")) for item in paths}
    sources = [text for name, text in files.items() if Path(name).suffix in SOURCES]
    if not sources:
        raise ToolError(
            f"{path} holds no Verilog ({', '.join('*' + end for end in SOURCES)}). Vitis HLS "
            "exports it to impl/verilog of a solution."
        )
    modules = [module for text in sources for module in _MODULE.findall(text)]
    if TOP not in modules:
        raise ToolError(
            f"{path} holds no module {TOP}; it holds {_some(modules)}. The top function of the "
            f"HLS project must keep the name {TOP}."
        )
    return files


def read_ports(sources: list[Path], folder: Path) -> dict[str, Port]:
    """The ports of module ``hwgen_engine`` as Verilator understands them, by name.

    Raises:
        ToolError: Verilator cannot read the files.
    """
    verilator = find_verilator()
    finished = run_process(
        [
            verilator.command, "--json-only", "--no-timing", *WAIVED, "--top-module", TOP,
            f"-I{folder}", "--Mdir", folder / "ports", "--prefix", TOP, *sources,
        ],
        what="Verilator",
        timeout_s=TIMEOUT_S,
        directory=folder,
        environment=verilator.environment,
    )  # fmt: skip
    if finished.code:
        raise ToolError(f"Verilator cannot read module {TOP}.{last_lines(finished.tail)}")
    tree = json.loads((folder / "ports" / f"{TOP}.tree.json").read_text())
    (module,) = [item for item in tree["modulesp"] if item["name"] == TOP]
    types = {item["addr"]: item for item in tree["miscsp"][0]["typesp"]}
    found = {}
    for item in module["stmtsp"]:
        if item["type"] == "VAR" and item["direction"] in ("INPUT", "OUTPUT"):
            high, low = map(int, types[item["dtypep"]].get("range", "0:0").split(":"))
            output = item["direction"] == "OUTPUT"
            found[item["name"]] = Port(item["name"], high - low + 1, output, "")
    return found


def connect(engine: EngineConfig, found: dict[str, Port]) -> list[Port]:
    """The ports found, each with its signal of the test bench.

    The control port may have fewer address bits, transaction IDs any width or be absent. What the
    engine of hwgen does not have (whole write channels of ports that only read, protection, quality
    of service, ...) is left open, or zero where it is an input.

    Raises:
        ToolError: a port is missing or has another width or direction.
    """
    count = sum(bool(_READS.fullmatch(name)) for name in found)
    if count != engine.ports:
        raise ToolError(
            f"Module {TOP} reads memory by {count} ports (m_axi_gmem<N>_ARVALID); an engine of "
            f"{engine.lanes} lanes has {engine.ports}. Name the configuration that it was made for "
            "(--rtl-config)."
        )
    needed = {port.name: port for port in engine_ports(engine)}
    for port in needed.values():
        if port.name not in found and port.signal not in ("", "'0"):
            raise ToolError(f"Module {TOP} has no port {port.name}. {_ADVICE}")
    result = []
    for port in found.values():
        wanted = needed.get(port.name)
        signal = "" if port.output else "'0"
        if wanted is not None and wanted.signal not in ("", "'0"):
            signal = wanted.signal
            if wanted.width == ADDRESS_BITS and port.width < ADDRESS_BITS:
                signal = f"{signal}[{port.width - 1}:0]"
            elif (port.width, port.output) != (wanted.width, wanted.output):
                raise ToolError(
                    f"Port {port.name} of module {TOP} is {_described(port)}; the engine's is "
                    f"{_described(wanted)}. {_ADVICE}"
                )
        result.append(replace(port, signal=signal))
    return result


def exported(path: Path, engine: EngineConfig, folder: Path) -> Implementation:
    """The engine under ``path``, said to be of this configuration.

    Raises:
        ToolError: it cannot be read or connected.
    """
    files = read_exported(path)
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text)
    sources = [folder / name for name in files if Path(name).suffix in SOURCES]
    testbench = folder / f"{TESTBENCH}.sv"
    ports = connect(engine, read_ports(sources, folder))
    testbench.write_text(rtl_testbench(engine, ports, twin=False))
    memory, memory_bytes = MEMORY
    return Implementation(
        sources=(*sources, memory, testbench),
        # Vitis HLS gives a time scale to each file; ours have none.
        arguments=(*WAIVED, f"-I{folder}", "--timescale", "1ns/1ps", str(memory_bytes)),
        memory_errors=False,
        contents=tuple(folder / name for name in files if Path(name).suffix == ".dat"),
    )


def _described(port: Port) -> str:
    return f"{'an output' if port.output else 'an input'} of {port.width} bits"


def _some(names: list[str]) -> str:
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return ", ".join(names[:5]) + more if names else "none"
