# SPDX-License-Identifier: Apache-2.0
"""Figures as text, the same on the page and in the terminal."""

from hwgen.report.schema import Pruning, Report, Resources, Timing

RESOURCE_NAMES = {
    "lut": "LUT",
    "ff": "Flip-flops",
    "dsp": "DSP48E2",
    "bram36": "Block RAM",
    "uram": "UltraRAM",
}


def figure(value: float) -> str:
    """A number with three significant digits or more, thousands apart."""
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def percent(share: float | None, digits: int = 1) -> str:
    """A share as a percentage; ``unknown`` where it is None."""
    return "unknown" if share is None else f"{100 * share:.{digits}f}%"


def signed_percent(share: float | None) -> str:
    """A difference as a percentage with its sign; empty where it is None."""
    return "" if share is None else f"{100 * share:+.1f}%"


def count(images: int) -> str:
    """So many images."""
    return "1 image" if images == 1 else f"{images:,} images"


def saved(pruning: Pruning) -> float:
    """Share of the multiplications that selectors save, the mean over the images."""
    return 1 - pruning.macs_mean / pruning.macs_dense


def run_name(report: Report) -> str:
    """What one run takes in."""
    return "an image" if report.batch == 1 else f"a run of {report.batch} images"


def shares(used: Resources, limits: Resources) -> dict[str, float]:
    """Share of the board that each known resource takes."""
    amounts = ((name, getattr(used, name), getattr(limits, name)) for name in RESOURCE_NAMES)
    return {name: used / limit for name, used, limit in amounts if used is not None and limit}


def timing_text(timing: Timing) -> str:
    """What Vivado found, in a sentence."""
    if timing.met:
        return (
            f"{timing.clock_mhz:g} MHz are met with {timing.worst_slack_ns:.3f} ns to spare; the "
            f"worst path would allow {timing.achieved_mhz:g} MHz."
        )
    return (
        f"{timing.clock_mhz:g} MHz are not met: {timing.failing_endpoints:,} endpoints fail, the "
        f"worst by {-min(timing.worst_slack_ns, timing.worst_hold_slack_ns):.3f} ns; the worst "
        f"path would allow {timing.achieved_mhz:g} MHz."
    )


def rates(report: Report) -> tuple[tuple[float, float], ...]:
    """(clock in MHz, images per second) with the measured cycles, or the predicted ones.

    The clock the cycles belong to comes last. At slower ones memory gives more bytes a cycle, so
    the run takes at most as many cycles.
    """
    rtl = report.verification.rtl
    cycles = rtl.cycles if rtl else report.cycles.predicted
    slower = [float(clock) for clock in (rtl.fps if rtl else ()) if float(clock) < report.clock_mhz]
    clocks = (*slower, report.clock_mhz)
    return tuple((clock, report.batch * clock * 1e6 / cycles) for clock in clocks)
