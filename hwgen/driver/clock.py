# SPDX-License-Identifier: Apache-2.0
"""Whether the fabric's clocks run as the bitstream was built for."""

from typing import Any

from pynq import Clocks

TOLERANCE = 0.01
"""Dividers do not meet every frequency."""


def clock_note(overlay: Any) -> str:
    """Names a clock of the processing system that runs at another frequency than the overlay asks
    for; empty where all is well. The engine's clock is made from one of them.
    """
    for index, clock in overlay.clock_dict.items():
        asked = clock.get("frequency")
        if not (clock.get("enable") and asked):
            continue
        found = getattr(Clocks, f"fclk{index}_mhz")
        if abs(found - asked) > TOLERANCE * asked:
            return (
                f"PL clock {index} runs at {found:g} MHz, and the bitstream was built for "
                f"{asked:g} MHz: the engine's clock differs from the stated one as much"
            )
    return ""
