# SPDX-License-Identifier: Apache-2.0
"""From a package to an engine in the fabric: the device, its bitstream, and whether they fit."""

import functools
import re
import warnings
from typing import Any

from pynq import Overlay
from pynq.pl_server.device import Device

from hwgen.driver.engine import HwgenEngine
from hwgen.driver.errors import (
    BitstreamError,
    NoDeviceError,
    NoEngineError,
    WrongBoardError,
    WrongEngineError,
)
from hwgen.driver.interrupt_line import ensure_event_loop
from hwgen.driver.manifest import Manifest
from hwgen.driver.package import Package
from hwgen.driver.remote import check_configured, forget_clocks, is_remote, send_bitstream
from hwgen.program.engine import PROGRAM_VERSION

NAMELESS = ("", "unknown", "edge")
"""What pynq and XRT call a board whose image does not say what it is."""


def choose_device(device: Any) -> Any:
    """The device to use, which becomes pynq's active one: pynq finds interrupts on that alone.

    Args:
        device: of pynq; None for the active one.

    Raises:
        NoDeviceError: there is none.
    """
    if device is None:
        try:
            return Device.active_device
        except RuntimeError as error:
            raise NoDeviceError(
                f"pynq has no device here ({error}). Run on a board with PYNQ, as root, or name a "
                "remote board in PYNQ_REMOTE_DEVICES."
            ) from None
    Device.active_device = device
    return device


def device_key(device: Any) -> str:
    """What tells a device from all others that this machine can reach."""
    return f"{device.ip_addr}-{device.port}" if is_remote(device) else device.tag


def check_board(manifest: Manifest, device: Any) -> None:
    """Refuses a package for another board; warns where the board does not say what it is.

    Raises:
        WrongBoardError: names both boards.
        BitstreamError: the bitstream is simulation's, and the device is real.
    """
    name = str(getattr(device, "name", "") or "")
    if name.lower() in NAMELESS:
        warnings.warn(
            f"This board does not say what it is (its name is '{name}'). The package is for "
            f"{manifest.board}: be sure that this is one.",
            stacklevel=3,
        )
    elif not _same_board(name, manifest.board):
        raise WrongBoardError(
            f"The package {manifest.name} is for the board {manifest.board}; this one is {name}. "
            "Build the model for this board with 'hwgen build --board', and make a package of that."
        )
    if manifest.bitstream.made_by == "simulation" and not device.has_capability("SIMULATED"):
        raise BitstreamError(
            f"The package {manifest.name} has no bitstream: it was made without Vivado, for the "
            "simulated board. Run 'hwgen synth' where Vivado is, and 'hwgen package' again."
        )


def load_overlay(package: Package, device: Any) -> Overlay:
    """Loads the bitstream.

    Raises:
        BitstreamError: pynq cannot; it says why.
    """
    forget_clocks()
    try:
        overlay = Overlay(str(package.bitstream), download=False, device=device)
        send_bitstream(overlay)
    except (OSError, RuntimeError, ValueError, KeyError) as error:
        raise _not_loaded(package, error) from error
    load_again(overlay, package)
    return overlay


def load_again(overlay: Overlay, package: Package) -> None:
    """Loads the bitstream anew, which stops whatever runs in it. Raises BitstreamError."""
    try:
        overlay.download()
    except (OSError, RuntimeError, ValueError, KeyError) as error:
        raise _not_loaded(package, error) from error
    check_configured(overlay)


def find_engine(overlay: Overlay, package: Package) -> HwgenEngine:
    """The engine in the overlay, ready for use.

    Raises:
        NoEngineError: there is none, there are several, or its registers are others.
        WrongEngineError: it is another engine than the package's.
        BitstreamError: pynq cannot reach it.
    """
    names = [name for name, ip in overlay.ip_dict.items() if ip["type"] in HwgenEngine.bindto]
    if len(names) != 1:
        there = ", ".join(f"{name} ({ip['type']})" for name, ip in overlay.ip_dict.items())
        raise NoEngineError(
            f"The bitstream {overlay.bitfile_name} must hold one hwgen engine "
            f"({' or '.join(HwgenEngine.bindto)}). It holds {there or 'nothing'}. "
            "Use the .bit and .hwh that belong to the package."
        )
    ensure_event_loop()
    try:
        engine = functools.reduce(getattr, names[0].split("/"), overlay)
    except (OSError, RuntimeError) as error:
        raise _not_loaded(package, error) from error
    engine.configure(package.manifest.engine)
    check_identity(engine, package.manifest)
    return engine


def check_identity(engine: HwgenEngine, manifest: Manifest) -> None:
    """Compares what an engine says of itself; one without counters says nothing.

    Raises:
        WrongEngineError: gives both numbers.
    """
    if not engine.has_counters:
        return
    for name, expected in (("version", PROGRAM_VERSION), ("digest", manifest.engine.digest)):
        found = engine.value(name)
        if found != expected:
            raise WrongEngineError(
                f"The engine in the bitstream has the {name} {found:#010x}; the programs of the "
                f"package {manifest.name} need {expected:#010x}. Make bitstream and package from "
                "the same design."
            )


def _same_board(found: str, expected: str) -> bool:
    """Whether two names mean one board. Images name a family by its first member, as Ultra96 does
    for ultra96v2.
    """
    names = [re.sub(r"[^a-z0-9]", "", name.lower()) for name in (found, expected)]
    return all(names) and (names[0].startswith(names[1]) or names[1].startswith(names[0]))


def _not_loaded(package: Package, error: Exception) -> BitstreamError:
    return BitstreamError(
        f"pynq cannot load the bitstream {package.bitstream}: {str(error).rstrip('.')}. On a board "
        "this needs root (sudo -E python3) and the .hwh file beside it."
    )
