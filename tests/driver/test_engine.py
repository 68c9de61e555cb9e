# SPDX-License-Identifier: Apache-2.0
"""Registers by name, and the done bit that reading clears."""

import pytest
from conftest import Tiny
from fake_engine import CTRL

from hwgen.driver import Accelerator
from hwgen.driver.engine import HwgenEngine
from hwgen.driver.errors import NoEngineError
from hwgen.program.registers import register_map


def test_pynq_binds_the_driver(tiny: Tiny) -> None:
    with Accelerator.load(tiny.package, device=tiny.device) as accelerator:
        assert type(accelerator.engine) is HwgenEngine
        assert accelerator.engine is accelerator.overlay.hwgen_engine_0


def test_registers_by_name(tiny: Tiny) -> None:
    with Accelerator.load(tiny.package, device=tiny.device) as accelerator:
        engine = accelerator.engine
        engine.set_value("weights", 0x8_7654_3210)
        assert engine.value("weights") == 0x8_7654_3210
        assert accelerator.registers()["weights"] == 0x8_7654_3210
        names = [register.name for register in register_map(tiny.program.engine)]
        assert list(accelerator.registers()) == names
        assert engine.counters().keys() == {n for n in names[names.index("version") :]}


def test_done_is_remembered(tiny: Tiny) -> None:
    with Accelerator.load(tiny.package, device=tiny.device, wait="poll") as accelerator:
        engine = accelerator.engine
        assert engine.idle()
        tiny.engine.run_s = 0.05
        engine.start()
        assert not engine.idle()
        while not engine.idle():
            assert not accelerator.registers()["CTRL"] & 2
        assert accelerator.registers()["CTRL"] & 2 and engine.idle()
        # The hardware has forgotten.
        assert not tiny.engine.read(CTRL) & 2


def test_somebody_else_may_take_the_done_bit(tiny: Tiny) -> None:
    with Accelerator.load(tiny.package, device=tiny.device, wait="poll") as accelerator:
        engine = accelerator.engine
        engine.start()
        while not engine.register_map.CTRL.AP_DONE:
            pass
        assert engine.idle()


def test_an_interrupt_is_taken_back(tiny: Tiny) -> None:
    with Accelerator.load(tiny.package, device=tiny.device) as accelerator:
        engine = accelerator.engine
        engine.enable_interrupt(True)
        engine.start()
        while not engine.idle():
            pass
        assert engine.value("IP_ISR") == 1
        for _ in range(2):
            engine.clear_interrupt()
            assert engine.value("IP_ISR") == 0


def test_an_engine_without_counters_is_never_asked_for_them(tiny_hls: Tiny) -> None:
    with Accelerator.load(tiny_hls.package, device=tiny_hls.device) as accelerator:
        engine = accelerator.engine
        assert not engine.has_counters and engine.counters() == {}
        names = [register.name for register in register_map(tiny_hls.program.engine, False)]
        assert list(accelerator.registers()) == names
        engine.start()
        while not engine.idle():
            assert engine.counters() == {}


def test_registers_at_other_places(tiny: Tiny) -> None:
    handoff = tiny.package / "hwgen.hwh"
    with Accelerator.load(tiny.package, device=tiny.device) as accelerator:
        engine = accelerator.engine
        registers = engine._registers
        assert handoff.is_file() and registers["input_1"]["address_offset"] == 0x40
        registers["input_1"]["address_offset"] = 0x44
        with pytest.raises(NoEngineError) as error:
            engine.configure(tiny.program.engine)
        assert str(error.value) == (
            "The engine 'hwgen_engine_0' has the register input_1 at 0x44 by the .hwh file, and "
            "the package's engine at 0x40. Use the .bit and .hwh that belong to the package."
        )
        del registers["input_1"]
        with pytest.raises(NoEngineError, match="has the register input_1 nowhere by the .hwh"):
            engine.configure(tiny.program.engine)
        # A bitstream whose registers nobody described is taken as it is.
        engine._registers = {}
        engine.configure(tiny.program.engine)
