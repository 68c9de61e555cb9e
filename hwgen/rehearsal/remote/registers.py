# SPDX-License-Identifier: Apache-2.0
"""Registers of a simulated board, by windows that a client opens."""

import itertools

import grpc
from pynq.remote import mmio_pb2 as messages
from pynq.remote.mmio_pb2_grpc import MmioServicer

from hwgen.errors import ToolError
from hwgen.rehearsal.device import SimulatedDevice
from hwgen.rehearsal.errors import BusError

_BYTES = 4


class Registers(MmioServicer):
    """Serves registers of 32 bits: like PYNQ's server it takes all accesses for such.

    Where nothing answers it says so; a board would hang. Without its simulator it is gone.
    """

    def __init__(self, device: SimulatedDevice) -> None:
        self._device = device
        self._numbers = itertools.count()
        self._bases: dict[str, int] = {}

    def get_mmio(
        self, request: messages.GetMmioRequest, context: grpc.ServicerContext
    ) -> messages.GetMmioResponse:
        window = str(next(self._numbers))
        self._bases[window] = request.base_addr
        return messages.GetMmioResponse(status=True, mmio_id=window)

    def read(
        self, request: messages.ReadRequest, context: grpc.ServicerContext
    ) -> messages.ReadResponse:
        address = self._address(request, context)
        try:
            data = self._device.read_registers(address, _BYTES)
        except BusError as error:
            return messages.ReadResponse(msg=str(error))
        except ToolError as error:
            context.abort(grpc.StatusCode.UNAVAILABLE, str(error))
        return messages.ReadResponse(status=True, data=int.from_bytes(data, "little"))

    def write(
        self, request: messages.WriteRequest, context: grpc.ServicerContext
    ) -> messages.WriteResponse:
        address = self._address(request, context)
        try:
            self._device.write_registers(address, request.data[:_BYTES])
        except BusError as error:
            return messages.WriteResponse(msg=str(error))
        except ToolError as error:
            context.abort(grpc.StatusCode.UNAVAILABLE, str(error))
        return messages.WriteResponse(status=True)

    def _address(
        self, request: messages.ReadRequest | messages.WriteRequest, context: grpc.ServicerContext
    ) -> int:
        try:
            base = self._bases[request.mmio_id]
        except KeyError:
            context.abort(grpc.StatusCode.NOT_FOUND, "MMIO Object not found.")
        return base + request.offset
