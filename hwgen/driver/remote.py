# SPDX-License-Identifier: Apache-2.0
"""Boards at the other end of a network: what pynq's remote devices leave to those who use them."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pynq import Clocks, Overlay

from hwgen.driver.errors import BitstreamError, ConnectionLostError

_FIRMWARE = "/lib/firmware"
_STATE = "/sys/class/fpga_manager/fpga0/state"
_CONFIGURED = "operating"


def is_remote(device: Any) -> bool:
    """Whether a device of pynq is reached by network."""
    return bool(device.has_capability("REMOTE"))


def send_bitstream(overlay: Overlay) -> None:
    """Sends the bitstream to a remote device. pynq sends none where the board has a file of that
    name, be it another one or half of it.
    """
    if is_remote(overlay.device):
        name = Path(overlay.bitfile_name).with_suffix(".bin").name
        overlay.device.write_file(f"{_FIRMWARE}/{name}", overlay.parser.bin_data)


def forget_clocks() -> None:
    """Has pynq look for the clocks anew. It keeps those of the first device that it met, and by a
    connection that may be gone.
    """
    if hasattr(Clocks, "_real_instance"):
        del Clocks._real_instance


def check_configured(overlay: Overlay) -> None:
    """Sees that a remote device took the bitstream, which pynq does not. An access to an empty
    fabric would hang the board.

    Raises:
        BitstreamError: it did not.
    """
    if is_remote(overlay.device):
        state = overlay.device.read_file(_STATE).decode().strip()
        if state != _CONFIGURED:
            raise BitstreamError(
                f"The remote board did not take the bitstream {overlay.bitfile_name}: its FPGA "
                f"manager says '{state}'. See the board's kernel log (dmesg)."
            )


def check_memory(buffer: Any) -> None:
    """Sees that there is memory behind a buffer: where a remote device has none left, pynq makes a
    buffer without a name.

    Raises:
        RuntimeError: there is none; what other devices raise.
    """
    if getattr(buffer, "buffer_id", None) == "":
        raise RuntimeError("the remote board has no memory left")


@contextmanager
def connection() -> Iterator[None]:
    """Turns errors of the network into ours.

    Raises:
        ConnectionLostError: a remote device does not answer, or knows nothing of us any more.
    """
    try:
        yield
    except _network_errors() as error:
        raise ConnectionLostError(
            f"The remote board does not answer as it should ({error.code().name}: "
            f"{error.details()}). See that it runs and that the network reaches it, and load the "
            "package again."
        ) from error


def _network_errors() -> tuple[type[Any], ...]:
    # pynq loads gRPC where there are remote devices; boards need not have it.
    grpc = sys.modules.get("grpc")
    return () if grpc is None else (grpc.RpcError,)
