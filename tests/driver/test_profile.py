# SPDX-License-Identifier: Apache-2.0
"""Counters and times, as numbers and as a table."""

import json
import re

import pytest
from conftest import Tiny
from pynq import Clocks
from tiny_package import tiny_images

from hwgen.driver import Accelerator, Profile
from hwgen.driver.profile import profile
from hwgen.program.registers import STALLS


def counters(cycles: int) -> dict[str, int]:
    stalls = {stall.name: 10 * index for index, stall in enumerate(STALLS)}
    return {"version": 1, "digest": 2, "cycles": cycles, **stalls}


def test_a_table() -> None:
    found = profile([counters(1000), counters(2000)], 3, 2, 250.0, 0.02, "")
    assert str(found) == (
        "images              3  in 2 runs of 2\n"
        "whole call   20.00 ms  150.0 images/s\n"
        "engine        0.01 ms  333,333.3 images/s at 250 MHz\n"
        "cycles          3,000  1,500 a run\n"
        "  issue             0  0.0%\n"
        "  tile_load        20  0.7%\n"
        "  pipeline         40  1.3%\n"
        "  normalise        60  2.0%\n"
        "  softmax          80  2.7%\n"
        "  drain           100  3.3%\n"
        "  memory          120  4.0%"
    )


def test_numbers() -> None:
    found = profile([counters(1000), counters(2000)], 3, 2, 250.0, 0.02, "note")
    assert found.cycles == (1000, 2000) and found.runs == 2
    assert found.stalls["memory"] == (60, 60)
    assert found.engine_ms == pytest.approx(0.012)
    assert found.engine_images_per_s == pytest.approx(4 / 12e-6)
    assert found.images_per_s == pytest.approx(150)
    data = json.loads(json.dumps(found.as_dict()))
    assert data["cycles"] == [1000, 2000] and data["stalls"]["memory"] == [60, 60]
    assert data["note"] == "note" and str(found).endswith("\nnote: note")


def test_a_profile_of_a_run(tiny: Tiny) -> None:
    with Accelerator.load(tiny.package, device=tiny.device) as accelerator:
        found = accelerator.profile(tiny_images(5))
    assert isinstance(found, Profile)
    assert found.cycles == (1000, 1000, 1000) and found.images == 5
    assert found.clock_mhz == 250.0 and found.note == ""
    assert 3 * tiny.engine.run_s < found.seconds < 10


def test_an_engine_without_counters(tiny_hls: Tiny) -> None:
    with Accelerator.load(tiny_hls.package, device=tiny_hls.device) as accelerator:
        found = accelerator.profile(tiny_images(5))
    assert found.cycles is None and found.stalls == {}
    assert found.engine_ms is None and found.engine_images_per_s is None
    assert str(found).splitlines()[0].endswith("in 3 runs of 2")
    assert len(str(found).splitlines()) == 2
    assert json.loads(json.dumps(found.as_dict()))["cycles"] is None


def test_a_clock_that_was_changed(tiny: Tiny) -> None:
    with Accelerator.load(tiny.package, device=tiny.device) as accelerator:
        Clocks.fclk0_mhz = 50
        found = accelerator.profile(tiny_images(1))
    assert re.fullmatch(
        r"PL clock 0 runs at (50|49\.\d+) MHz, and the bitstream was built for 100 MHz: the "
        "engine's clock differs from the stated one as much",
        found.note,
    )
