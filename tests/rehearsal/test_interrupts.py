# SPDX-License-Identifier: Apache-2.0
"""The interrupt controller, register by register, and the kernel's device behind it."""

import os
import select
import sys
from collections.abc import Iterator

import pytest

from hwgen.rehearsal.interrupts import (
    CIE,
    IAR,
    IER,
    IPR,
    ISR,
    IVR,
    MER,
    SIE,
    InterruptController,
    UserInterrupt,
)

NONE = 0xFFFFFFFF
UNMASK, MASK = bytes([0, 0, 0, 1]), bytes(4)


@pytest.fixture
def controller() -> InterruptController:
    return InterruptController()


@pytest.fixture
def output(controller: InterruptController) -> list[bool]:
    """The levels of the output, one for each change."""
    levels: list[bool] = []

    def change(level: bool) -> None:
        if levels[-1:] != [level]:
            levels.append(level)

    controller.connect(change)
    return levels


def registers(controller: InterruptController) -> list[int]:
    return [controller.read(offset) for offset in (ISR, IPR, IER, IVR)]


def test_nothing_happens_until_it_is_enabled(
    controller: InterruptController, output: list[bool]
) -> None:
    controller.set_input(True)
    assert registers(controller) == [0, 0, 0, NONE]
    controller.write(MER, 3)
    assert registers(controller) == [1, 0, 0, NONE]
    assert output == [False]
    controller.write(SIE, 1)
    assert registers(controller) == [1, 1, 1, 0]
    assert output == [False, True]


def test_the_status_stays_until_it_is_acknowledged_at_a_low_level(
    controller: InterruptController, output: list[bool]
) -> None:
    controller.write(IER, 1)
    controller.write(MER, 3)
    controller.set_input(True)
    controller.write(IAR, 1)
    assert registers(controller) == [1, 1, 1, 0]  # the input is still high
    controller.set_input(False)
    assert registers(controller) == [1, 1, 1, 0]
    controller.write(IAR, 1)
    assert registers(controller) == [0, 0, 1, NONE]
    assert output == [False, True, False]


def test_an_acknowledgement_that_comes_too_early_leaves_an_interrupt_behind(
    controller: InterruptController, output: list[bool]
) -> None:
    """What pynq does, and why its drivers look again: acknowledge, then clear the source."""
    controller.write(SIE, 1)
    controller.write(MER, 3)
    controller.set_input(True)
    controller.write(CIE, 1)
    controller.write(IAR, 1)
    controller.set_input(False)
    assert output == [False, True, False]
    controller.write(SIE, 1)
    assert output == [False, True, False, True]


def test_enables_are_set_and_cleared_one_by_one(controller: InterruptController) -> None:
    controller.write(IER, 0b0110)
    controller.write(SIE, 0b1001)
    controller.write(CIE, 0b0101)
    assert controller.read(IER) == 0b1010


def test_software_sets_the_status_until_the_hardware_is_let_in(
    controller: InterruptController, output: list[bool]
) -> None:
    controller.write(IER, 0b1100)
    controller.write(MER, 1)
    controller.write(ISR, 0b1100)
    assert registers(controller) == [0b1100, 0b1100, 0b1100, 2]
    assert output == [False, True]
    controller.write(MER, 2)
    controller.write(ISR, 0)
    assert controller.read(ISR) == 0b1100
    assert output == [False, True, False]
    controller.write(MER, 0)
    assert controller.read(MER) == 2  # hardware stays in


def test_the_engine_may_be_at_another_input(
    controller: InterruptController, output: list[bool]
) -> None:
    controller.reset(3)
    controller.write(IER, 0xFF)
    controller.write(MER, 3)
    controller.set_input(True)
    assert registers(controller) == [8, 8, 0xFF, 3]
    controller.reset(0)
    assert registers(controller) == [0, 0, 0, NONE] and controller.read(MER) == 0
    assert output == [False, True, False]


def test_a_lost_interrupt(controller: InterruptController, output: list[bool]) -> None:
    controller.write(IER, 1)
    controller.write(MER, 3)
    controller.lose(True)
    controller.set_input(True)
    assert registers(controller) == [0, 0, 1, NONE]
    controller.lose(False)
    assert output == [False, True]


@pytest.fixture
def file(controller: InterruptController) -> Iterator[int]:
    """The kernel's file, opened as pynq does."""
    device = UserInterrupt()
    controller.write(IER, 1)
    controller.write(MER, 3)
    device.attach(controller)
    with open(device.path, "r+b", buffering=0) as opened:  # noqa: PTH123, pynq does it so
        yield opened.fileno()


def comes(file: int, timeout_s: float = 10.0) -> bool:
    return bool(select.select([file], [], [], timeout_s)[0])


def count(file: int) -> int:
    return int.from_bytes(os.read(file, 4), sys.byteorder)


def test_the_file_tells_once_until_it_is_written(
    controller: InterruptController, file: int
) -> None:
    controller.set_input(True)
    assert not comes(file, 0.05)  # masked at first
    for number in (1, 2):
        os.write(file, UNMASK)
        assert comes(file) and count(file) == number
        assert not comes(file, 0.05)
    controller.set_input(False)
    controller.write(IAR, 1)
    os.write(file, UNMASK)
    assert not comes(file, 0.05)
    controller.set_input(True)
    assert comes(file) and count(file) == 3


def test_writing_zero_masks(controller: InterruptController, file: int) -> None:
    os.write(file, UNMASK + MASK)
    assert not comes(file, 0.05)
    controller.set_input(True)
    assert not comes(file, 0.05)
    os.write(file, UNMASK)
    assert comes(file) and count(file) == 1


def test_the_last_controller_that_was_attached_raises_the_interrupt() -> None:
    device, first, second = UserInterrupt(), InterruptController(), InterruptController()
    for controller in (first, second):
        controller.write(IER, 1)
        controller.write(MER, 3)
        device.attach(controller)
    with open(device.path, "r+b", buffering=0) as opened:  # noqa: PTH123
        opened.write(UNMASK)
        first.set_input(True)
        assert not comes(opened.fileno(), 0.05)
        second.set_input(True)
        assert comes(opened.fileno())
