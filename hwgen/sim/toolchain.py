# SPDX-License-Identifier: Apache-2.0
"""Finds the C++ compiler and the ap_int headers for C simulation."""

import importlib.util
import os
import shlex
import shutil
from dataclasses import dataclass
from pathlib import Path

from hwgen.errors import ToolError

_HEADER = "ap_int.h"


@dataclass(frozen=True)
class Toolchain:
    """A compiler command and the folder that holds ``ap_int.h``."""

    compiler: tuple[str, ...]
    ap_types: Path


def find_toolchain() -> Toolchain:
    """The toolchain of this machine.

    The compiler is the environment variable CXX (it may hold options), else ``g++`` on PATH. The
    headers are looked for in HWGEN_AP_TYPES, in XILINX_HLS/include, and in an installed hls4ml.

    Raises:
        ToolError: one of the two is missing; the message says what to install.
    """
    return Toolchain(find_compiler(), find_ap_types())


def find_compiler(purpose: str = "C simulation") -> tuple[str, ...]:
    """The compiler command, its path first.

    Args:
        purpose: what the message says needs it.

    Raises:
        ToolError: there is none.
    """
    text = os.environ.get("CXX", "")
    try:
        named = shlex.split(text)
    except ValueError as error:
        raise ToolError(
            f"The environment variable CXX is no command: {text!r} ({error}). Correct CXX, or "
            "unset it to use g++."
        ) from None
    words = named or ["g++"]
    path = shutil.which(words[0])
    if path is not None:
        return (path, *words[1:])
    if named:
        raise ToolError(
            f"The C++ compiler {words[0]!r} named by the environment variable CXX was not found. "
            "Correct CXX, or unset it to use g++."
        )
    raise ToolError(
        f"{purpose} needs a C++ compiler, and g++ is not on PATH. Install it (Debian, Ubuntu: "
        "apt install g++), or name another compiler in the environment variable CXX."
    )


def find_ap_types() -> Path:
    """The folder that holds ``ap_int.h``. Raises ToolError."""
    named = os.environ.get("HWGEN_AP_TYPES")
    if named:
        if (Path(named) / _HEADER).is_file():
            return Path(named)
        raise ToolError(
            f"The environment variable HWGEN_AP_TYPES names {named}, which holds no {_HEADER}. "
            f"Set it to the folder of {_HEADER}."
        )
    candidates = []
    vitis = os.environ.get("XILINX_HLS")
    if vitis:
        candidates.append(Path(vitis) / "include")
    # find_spec does not import the package, which would load its whole machine learning stack.
    spec = importlib.util.find_spec("hls4ml")
    for location in (spec.submodule_search_locations or ()) if spec else ():
        candidates.append(Path(location) / "templates" / "vivado" / "ap_types")
    for folder in candidates:
        if (folder / _HEADER).is_file():
            return folder
    raise ToolError(
        f"C simulation needs the header {_HEADER}. Install it with 'pip install --no-deps hls4ml', "
        "or set the environment variable HWGEN_AP_TYPES to its folder (in Vitis: XILINX_HLS is "
        "found by itself)."
    )
