# SPDX-License-Identifier: Apache-2.0
"""``hwgen doctor``: which tools are there, and what each enables."""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass

from rich import box
from rich.markup import escape
from rich.table import Table

from hwgen import __version__
from hwgen.cli.console import out
from hwgen.errors import ToolError
from hwgen.report.make import installed_version, tool_versions
from hwgen.sim.toolchain import find_ap_types, find_compiler
from hwgen.sim.verilator import find_verilator
from hwgen.synthesis import yosys
from hwgen.vivado.tools import OLDEST

TIMEOUT_S = 60.0


@dataclass(frozen=True)
class Tool:
    """A tool, the version found (None: not found), what it enables, and what to do without it."""

    name: str
    version: str | None
    enables: str
    remedy: str


def run() -> None:
    """Shows the table, and how to get what is missing."""
    console = out()
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("tool", "version", "enables"):
        table.add_column(name)
    found = tools()
    for tool in found:
        version = f"[green]{tool.version}[/]" if tool.version else "[yellow]missing[/]"
        table.add_row(escape(tool.name), version, tool.enables)
    console.print(table)
    for tool in found:
        if not tool.version:
            console.print(f"[yellow]{escape(tool.name)}[/]: {escape(tool.remedy)}")
    console.print("Only a bitstream needs the vendor's tools; all else runs without them.")


def tools() -> list[Tool]:
    """Every tool that hwgen can use."""
    return [
        Tool("hwgen", __version__, "everything", ""),
        Tool(
            "onnxruntime",
            tool_versions()["onnxruntime"],
            "checks of imported models, float accuracy",
            "pip install onnxruntime",
        ),
        *_csim_tools(),
        Tool(
            "vitis-run",
            _version("vitis-run", "--version"),
            "hwgen synth --engine hls, Vitis 2023.2 and later",
            "install it and source its settings64.sh",
        ),
        Tool(
            "vitis_hls",
            _version("vitis_hls", "-version"),
            "hwgen synth --engine hls, Vitis 2020.2 to 2024.2",
            "install it and source its settings64.sh",
        ),
        Tool(
            "vivado",
            _version("vivado", "-version"),
            "hwgen synth: bitstreams",
            f"install {'.'.join(map(str, OLDEST))} or later and source its settings64.sh",
        ),
        Tool(
            "ssh",
            _version("ssh", "-V"),
            "hwgen synth --host: tools of another machine",
            "install OpenSSH (Debian, Ubuntu: apt install openssh-client)",
        ),
        _verilator(),
        Tool(
            yosys.PACKAGE,
            installed_version(yosys.PACKAGE),
            "hwgen estimate --synth",
            "pip install 'hwgen[rtl]'",
        ),
    ]


def _csim_tools() -> list[Tool]:
    """The compiler and the headers of C simulation, as ``hwgen verify`` would find them."""
    enables = "hwgen verify --level csim"
    compiler = os.environ.get("CXX", "").strip() or "g++"
    found: dict[str, str | None] = {compiler: None, "ap_int headers": None}
    remedies = dict.fromkeys(found, "")
    try:
        found[compiler] = _version(find_compiler()[0], "--version")
    except ToolError as error:
        remedies[compiler] = str(error)
    try:
        find_ap_types()
        found["ap_int headers"] = "yes"
    except ToolError as error:
        remedies["ap_int headers"] = str(error)
    return [Tool(name, version, enables, remedies[name]) for name, version in found.items()]


def _verilator() -> Tool:
    """Verilator as ``hwgen verify`` would find it, with make and the compiler."""
    version, remedy = None, ""
    try:
        found = find_verilator()
        packaged = "VERILATOR_ROOT" in found.environment  # prints no number
        version = installed_version("verilator") if packaged else None
        version = version or _version(found.command, "--version")
    except ToolError as error:
        remedy = str(error)
    return Tool("verilator", version, "hwgen verify --level rtl", remedy)


def _version(command: str, option: str) -> str | None:
    """The version number that a command prints; its path where it prints none."""
    path = shutil.which(command)
    if path is None:
        return None
    try:
        done = subprocess.run(
            [path, option], capture_output=True, text=True, timeout=TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return path
    number = re.search(r"\d+\.\d+(\.\d+)?", done.stdout + done.stderr)
    return number[0] if number else path
