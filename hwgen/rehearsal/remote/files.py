# SPDX-License-Identifier: Apache-2.0
"""Files of a simulated board: what its kernel says of itself, and the firmware that it is given."""

import logging
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
from pynq.remote import remote_device_pb2 as messages
from pynq.remote.remote_device_pb2_grpc import RemoteDeviceServicer

from hwgen.errors import HwgenError
from hwgen.rehearsal.bitstream import read_firmware
from hwgen.rehearsal.device import SimulatedDevice
from hwgen.rehearsal.remote import SIMULATED

FIRMWARE = "/lib/firmware/"
MANAGER = "/sys/class/fpga_manager/fpga0/"
"""The kernel's FPGA manager: it loads the file whose name is written to its ``firmware``."""
_CHUNK = 1024


class Files(RemoteDeviceServicer):
    """Serves files by their paths. They are in memory, and end with the board.

    Like PYNQ's server it tells nobody when a bitstream cannot be loaded: the state of the FPGA
    manager says so, and the log.
    """

    def __init__(self, device: SimulatedDevice) -> None:
        self._device = device
        self._files = {
            "/proc/version": f"Linux version 6.6.0-xilinx ({device.arch}) #1 SMP\n".encode(),
            "/proc/device-tree/chosen/pynq_board": f"{device.name}\0".encode(),
            SIMULATED: b"",
            f"{MANAGER}state": b"unknown\n",
            f"{MANAGER}flags": b"0\n",
        }

    def existsfile(
        self, request: messages.ExistsFileRequest, context: grpc.ServicerContext
    ) -> messages.ExistsFileResponse:
        return messages.ExistsFileResponse(exists=request.file_path in self._files)

    def readfile(
        self, request: messages.ReadFileRequest, context: grpc.ServicerContext
    ) -> Iterator[messages.ReadFileResponse]:
        try:
            content = self._files[request.file_path]
        except KeyError:
            context.abort(grpc.StatusCode.NOT_FOUND, "File not found")
        for start in range(0, len(content), _CHUNK):
            yield messages.ReadFileResponse(data=content[start : start + _CHUNK])

    def writefile(
        self, requests: Iterator[messages.WriteFileRequest], context: grpc.ServicerContext
    ) -> messages.WriteFileResponse:
        try:
            first = next(requests)
        except StopIteration:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "No file path provided")
        content = first.data + b"".join(request.data for request in requests)
        if first.file_path == f"{MANAGER}firmware":
            self._load(content.decode().strip())
        else:
            self._files[first.file_path] = content
        return messages.WriteFileResponse()

    def set_bitstream_attrs(
        self, request: messages.SetBitstreamAttrsRequest, context: grpc.ServicerContext
    ) -> messages.SetBitstreamAttrsResponse:
        """The files say the same."""
        return messages.SetBitstreamAttrsResponse(status=True)

    def _load(self, name: str) -> None:
        firmware = self._files.get(FIRMWARE + name)
        state = "firmware request error" if firmware is None else self._configure(firmware)
        self._files[f"{MANAGER}state"] = f"{state}\n".encode()

    def _configure(self, firmware: bytes) -> str:
        try:
            self._device.configure(_metadata(self._device, read_firmware(firmware)))
        except HwgenError as error:
            logging.error("%s", error)
            return "write error"
        return "operating"


def _metadata(device: SimulatedDevice, handoff: bytes) -> Any:
    """What pynq makes of a ``.hwh`` file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "hwgen.hwh"
        path.write_bytes(handoff)
        return device.get_bitfile_metadata(str(path))
