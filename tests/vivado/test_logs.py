# SPDX-License-Identifier: Apache-2.0
"""The first thing that went wrong, from logs in the tools' form; see fixtures/README.md."""

from pathlib import Path

import pytest

from hwgen.vivado.logs import Problem, first_problem

FIXTURES = Path(__file__).parent / "fixtures"
IP = "/home/u/out/vivado/work/rtl/ip/src"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        # Not "Failed runs", which Vivado says first: the cause is in the run's own log.
        (
            "vivado-2024.1-synth-failed.log",
            Problem("[Synth 8-439] module 'mac_chain' not found", f"{IP}/mac_array.sv", 88),
        ),
        (
            "vivado-2020.2-design-failed.log",
            Problem(
                "[BD 41-758] The following clock pins are not connected to a valid clock source:"
            ),
        ),
        (
            "vivado-2022.2-no-board.log",
            Problem("this Vivado has no board files xilinx.com:zcu102:part0"),
        ),
        (
            "vivado-2023.2-killed.log",
            Problem(
                "[Timing 38-282] The design failed to meet the timing requirements. Please see the "
                "timing summary report for details on the timing violations."
            ),
        ),
        (
            "vitis_hls-2022.2-csynth-failed.log",
            Problem(
                "[HLS 214-298] Struct type with pointer type inside on top function argument is "
                "not supported, please disaggregate argument 'ports' manually",
                "kernels/engine.hpp",
                148,
            ),
        ),
        (
            "vitis-run-2024.2-csim-failed.log",
            Problem("'ifstrem' is not a member of 'std'", "../../../../testbench.cpp", 41),
        ),
        (
            "vitis_hls-2024.1-no-part.log",
            Problem("[HLS 200-1023] Part 'xczu9eg-ffvb1156-2-e' is not installed."),
        ),
    ],
)
def test_the_cause_is_found(name: str, expected: Problem) -> None:
    assert first_problem((FIXTURES / name).read_text().splitlines()) == expected


def test_a_log_without_complaints() -> None:
    lines = [
        "INFO: [Common 17-206] Exiting Vivado",
        "0 Critical Warnings and 0 Errors encountered.",
    ]
    assert first_problem(lines) is None


def test_a_problem_as_text() -> None:
    assert str(Problem("[Synth 8-1] wrong", "a.sv", 3)) == "[Synth 8-1] wrong (a.sv, line 3)"
    assert str(Problem("[Synth 8-1] wrong")) == "[Synth 8-1] wrong"
