# SPDX-License-Identifier: Apache-2.0
"""The server of a simulated board, for the remote devices of pynq 4."""

from concurrent.futures import ThreadPoolExecutor

import grpc
from pynq.remote.buffer_pb2_grpc import add_RemoteBufferServicer_to_server
from pynq.remote.mmio_pb2_grpc import add_MmioServicer_to_server
from pynq.remote.remote_device_pb2_grpc import add_RemoteDeviceServicer_to_server

from hwgen.errors import ToolError
from hwgen.rehearsal.device import SimulatedDevice
from hwgen.rehearsal.remote import HOST, PORT
from hwgen.rehearsal.remote.buffers import Buffers
from hwgen.rehearsal.remote.files import Files
from hwgen.rehearsal.remote.registers import Registers

_THREADS = 4
# Two boards on one port would take turns.
_OPTIONS = [("grpc.so_reuseport", 0)]


class RemoteBoard:
    """Serves a simulated device on the loopback interface until it is closed.

    There are files, registers and buffers; pins and radio are not there.

    Attributes:
        port: where it listens.
    """

    def __init__(self, device: SimulatedDevice, port: int = PORT) -> None:
        """Starts the server.

        Args:
            port: 0 for any that is free.

        Raises:
            ToolError: the port is in use.
        """
        self._server = grpc.server(ThreadPoolExecutor(_THREADS), options=_OPTIONS)
        add_RemoteDeviceServicer_to_server(Files(device), self._server)
        add_MmioServicer_to_server(Registers(device), self._server)
        add_RemoteBufferServicer_to_server(Buffers(device.get_memory(None)), self._server)
        try:
            self.port = self._server.add_insecure_port(f"{HOST}:{port}")
        except RuntimeError:
            raise ToolError(
                f"Port {port} of {HOST} cannot be listened on: another program does. End that or "
                "choose another with --port."
            ) from None
        self._server.start()

    def __enter__(self) -> "RemoteBoard":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def wait(self) -> None:
        """Waits until it is closed."""
        self._server.wait_for_termination()

    def close(self) -> None:
        """Ends the server at once. The device lives on."""
        self._server.stop(None).wait()
