# SPDX-License-Identifier: Apache-2.0
"""The self-test in C simulation and RTL simulation, as the reference interpreter has it; and RTL
with a fault.
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest

from hwgen.driver.diagnosis import diagnose
from hwgen.emit.hls import hls_project
from hwgen.emit.rtl import FOLDER, rtl_project
from hwgen.program.engine import EngineConfig
from hwgen.program.status import ErrorCode
from hwgen.self_test import SelfTest, self_test
from hwgen.sim import rtl_build
from hwgen.sim.csim import run_csim
from hwgen.sim.rtl import Memory, run_rtl
from hwgen.sim.rtl_build import Options, compile_rtl
from tests.conftest import small_engine

PART = "xczu9eg-ffvb1156-2-e"
SLOW = Memory(1.7, 150, 2)


def inputs(test: SelfTest) -> np.ndarray:
    return test.program.input.pack(test.images, test.program.engine.lanes)


def sources(engine: EngineConfig) -> dict[str, bytes]:
    files = rtl_project(engine)
    return {name.removeprefix(f"{FOLDER}/"): data for name, data in files.items()}


def found_by_rtl(
    test: SelfTest, files: Mapping[str, bytes], options: Options, memory: Memory
) -> np.ndarray:
    """The output region, int16 (vectors, lanes)."""
    result = run_rtl(compile_rtl(files, options), test.program, inputs(test), memory=memory)
    assert result.errors == (ErrorCode.NONE,)
    return result.outputs[0]


@pytest.mark.parametrize("engine", [small_engine(), EngineConfig()], ids=["small", "default"])
def test_c_simulation(engine: EngineConfig) -> None:
    test = self_test(engine)
    result = run_csim(
        hls_project(test.program, PART, 250, inputs(test)), test.program, inputs(test)
    )
    assert result.errors.tolist() == [ErrorCode.NONE]
    np.testing.assert_array_equal(result.outputs[0], test.expected)


@pytest.mark.parametrize("memory", [Memory(), SLOW], ids=str)
def test_a_small_engine(memory: Memory) -> None:
    test = self_test(small_engine())
    found = found_by_rtl(test, sources(small_engine()), Options(twin=True), memory)
    np.testing.assert_array_equal(found, test.expected)


def test_the_default_engine() -> None:
    test = self_test(EngineConfig())
    found = found_by_rtl(test, sources(EngineConfig()), Options(), Memory())
    np.testing.assert_array_equal(found, test.expected)


def test_a_prefetch_buffer_of_half_its_size(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only when it is more than half full does it show, so the test fills it."""
    monkeypatch.setattr(rtl_build, "_OPTIMISE", "-O0")
    engine = replace(small_engine(), prefetch_depth=2048)
    files, name = sources(engine), "kernels/prefetch_fifo.sv"
    text = files[name].decode()
    for place in ("write_place", "read_place"):
        assert f"memory[{place}]" in text
        text = text.replace(f"memory[{place}]", f"memory[{place} & ~PLACE_BITS'(1024)]")
    test = self_test(engine)
    found = found_by_rtl(test, files | {name: text.encode()}, Options(twin=True), Memory())
    assert diagnose(test.checks, test.expected, found).suspects == ("prefetch buffer",)
