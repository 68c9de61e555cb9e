# SPDX-License-Identifier: Apache-2.0
"""Finds Vivado and Vitis HLS, and how each version of them runs a script."""

import re
from dataclasses import dataclass

from hwgen.errors import ToolError
from hwgen.vivado.machine import Machine

OLDEST = (2020, 2)
"""The first version whose commands the scripts use."""


@dataclass(frozen=True)
class Tool:
    """A tool, its version such as ``2024.1``, and the command that runs a script."""

    name: str
    version: str
    command: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.name} v{self.version}"


def find_vivado(machine: Machine) -> Tool:
    """Vivado on a machine's PATH.

    Raises:
        ToolError: there is none, or one older than ``OLDEST``.
    """
    if not machine.has("vivado"):
        raise ToolError(
            f"Vivado is not on the PATH of {machine.name}. Install Vivado {_text(OLDEST)} or later "
            f"and source its settings64.sh{_where(machine)}."
        )
    version = _version(machine, "vivado", "-version")
    if version < OLDEST:
        raise ToolError(
            f"Vivado {_text(version)} on {machine.name} is too old; the scripts need "
            f"{_text(OLDEST)} or later."
        )
    options = ("-mode", "batch", "-notrace", "-nojournal", "-log", "work/vivado.log")
    return Tool("Vivado", _text(version), ("vivado", *options, "-source", "build.tcl", "-tclargs"))


def find_hls(machine: Machine) -> Tool:
    """Vitis HLS on a machine's PATH: ``vitis-run``, which later versions have alone, else
    ``vitis_hls``.

    Raises:
        ToolError: there is neither, or one older than ``OLDEST``.
    """
    found = (
        ("vitis-run", "--version", ("--mode", "hls", "--tcl", "run.tcl")),
        ("vitis_hls", "-version", ("-f", "run.tcl")),
    )
    for command, option, words in found:
        if machine.has(command):
            version = _version(machine, command, option)
            if version >= OLDEST:
                return Tool("Vitis HLS", _text(version), (command, *words))
            raise ToolError(
                f"{command} {_text(version)} on {machine.name} is too old; hls/run.tcl needs "
                f"{_text(OLDEST)} or later."
            )
    raise ToolError(
        f"Neither vitis-run nor vitis_hls is on the PATH of {machine.name}. Install Vitis "
        f"{_text(OLDEST)} or later and source its settings64.sh{_where(machine)}, or take the "
        "SystemVerilog engine: --engine rtl."
    )


def _version(machine: Machine, command: str, option: str) -> tuple[int, ...]:
    """What the tool itself says. A path may name any version."""
    lines: list[str] = []
    machine.run((command, option), None, what=command, on_line=lines.append)
    # Not the number of 'Tool Version Limit', which has no v before it.
    found = re.search(r"\bv(\d{4}(?:\.\d+)+)", "\n".join(lines))
    if found is None:
        raise ToolError(
            f"'{command} {option}' on {machine.name} prints no version"
            + (f": {lines[0]}" if lines else "")
            + ". Check its installation."
        )
    return tuple(int(part) for part in found[1].split("."))


def _text(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))


def _where(machine: Machine) -> str:
    if machine.name == "this machine":
        return ", or name another machine with --host user@machine"
    return " in the login shell there (~/.profile)"
