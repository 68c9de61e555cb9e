# SPDX-License-Identifier: Apache-2.0
"""The C header, compiled: every value is that of the description."""

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from hwgen.emit.c_header import HEADER, c_header
from hwgen.emit.hls import hls_project
from hwgen.emit.rtl import rtl_project
from hwgen.program.engine import PROGRAM_VERSION, EngineConfig
from hwgen.program.program import Program
from hwgen.program.registers import COUNTERS, register_map
from hwgen.program.status import ErrorCode

Images = Callable[..., np.ndarray]
NAMES = re.compile(r"^(?:#define |    )(XHWGEN_ENGINE_\w+) ", re.MULTILINE)
PROGRAM = """#include <stdio.h>
// Twice: the header guards itself.
#include "xhwgen_engine_hw.h"
#include "xhwgen_engine_hw.h"
#define SHOW(name) printf(#name " %llu\\n", (unsigned long long)(name))
int main(void) {{
    enum xhwgen_engine_error code = XHWGEN_ENGINE_ERROR_NONE;
    {shown}
    return code;
}}
"""
VITIS = {"CTRL": "AP_CTRL", "GIER": "GIE", "IP_IER": "IER", "IP_ISR": "ISR"}
"""Names of Vitis HLS' driver header, by those of its IP core."""


def values(header: bytes, folder: Path) -> dict[str, int]:
    """Every macro and constant of the header, as a C program prints it."""
    shown = "\n    ".join(f"SHOW({name});" for name in NAMES.findall(header.decode()))
    (folder / HEADER).write_bytes(header)
    (folder / "main.c").write_text(PROGRAM.format(shown=shown))
    subprocess.run(
        ["gcc", "-Wall", "-Wextra", "-Werror", "-std=c99", "-pedantic", "main.c", "-o", "main"],
        cwd=folder,
        check=True,
    )
    printed = subprocess.run([folder / "main"], check=True, capture_output=True, text=True).stdout
    return {name: int(value) for name, value in (line.split() for line in printed.splitlines())}


@pytest.mark.parametrize("counters", [True, False])
@pytest.mark.parametrize("lanes", [16, 64])
def test_a_c_program_sees_the_description(tmp_path: Path, lanes: int, counters: bool) -> None:
    engine = EngineConfig(lanes=lanes)
    expected = {
        "XHWGEN_ENGINE_PROGRAM_VERSION": PROGRAM_VERSION,
        "XHWGEN_ENGINE_DIGEST": engine.digest,
        **{f"XHWGEN_ENGINE_ERROR_{code.name}": int(code) for code in ErrorCode},
    }
    for register in register_map(engine, counters):
        name = VITIS.get(register.name, register.name.upper())
        if not register.fields:
            name += "_DATA"
            expected[f"XHWGEN_ENGINE_CONTROL_BITS_{name}"] = register.bits
        expected[f"XHWGEN_ENGINE_CONTROL_ADDR_{name}"] = register.offset
        for field in register.fields:
            mask = sum(1 << field.low + bit for bit in range(field.width))
            expected[f"XHWGEN_ENGINE_CONTROL_MASK_{name}_{field.name.upper()}"] = mask
    assert values(c_header(engine, counters=counters), tmp_path) == expected


def test_names_are_those_of_vitis_hls() -> None:
    """Of the header that it writes for a function with such arguments."""
    text = c_header(EngineConfig(lanes=16), counters=False).decode()
    names = re.findall(r"XHWGEN_ENGINE_CONTROL_ADDR_(\w+)", text)
    assert names == [
        "AP_CTRL", "GIE", "IER", "ISR", "GMEM0_DATA", "OUTPUT_DATA", "PROGRAM_DATA",
        "WEIGHTS_DATA", "INPUT_DATA", "ERROR_CODE_DATA", "ERROR_CODE_CTRL",
    ]  # fmt: skip


def test_only_the_rtl_folder_tells_of_counters(program: Program, make_images: Images) -> None:
    rtl = rtl_project(program.engine)[f"rtl/{HEADER}"].decode()
    hls = hls_project(program, "any", 300, make_images(1, program))[f"hls/{HEADER}"].decode()
    for counter in COUNTERS:
        macro = f"ADDR_{counter.name.upper()}_DATA"
        assert macro in rtl and macro not in hls
