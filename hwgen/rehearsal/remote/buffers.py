# SPDX-License-Identifier: Apache-2.0
"""Buffers in the DDR of a simulated board, for a client that keeps a copy of each."""

import itertools
import logging
from collections.abc import Iterator
from typing import Any

import grpc
import numpy as np
from pynq.remote import buffer_pb2 as messages
from pynq.remote.buffer_pb2_grpc import RemoteBufferServicer

from hwgen.rehearsal.memory import DeviceMemory, SimulatedBuffer

_CHUNK = 1 << 20
_OVERFLOW = "Buffer overflow."


class Buffers(RemoteBufferServicer):
    """Serves buffers. So there are three copies: the client's, that of the board's processors, and
    that in DDR. Each way takes two steps: ``write`` and ``flush``, ``invalidate`` and ``read``.

    Like PYNQ's server it begins at the start of a buffer whenever it writes, and tells of memory
    that it does not have by an empty name.
    """

    def __init__(self, memory: DeviceMemory) -> None:
        self._memory = memory
        self._numbers = itertools.count()
        self._buffers: dict[str, SimulatedBuffer] = {}

    def allocate(
        self, request: messages.AllocateRequest, context: grpc.ServicerContext
    ) -> messages.AllocateResponse:
        try:
            buffer = self._memory.allocate((request.size,), np.uint8)
        except RuntimeError as error:
            logging.error("%s", error)
            return messages.AllocateResponse()
        name = str(next(self._numbers))
        self._buffers[name] = buffer
        return messages.AllocateResponse(buffer_id=name)

    def write(
        self, requests: Iterator[messages.BufferWriteRequest], context: grpc.ServicerContext
    ) -> messages.BufferWriteResponse:
        end = 0
        for request in requests:
            buffer = self._buffer(request, context)
            start, end = end, end + len(request.data)
            if end > buffer.nbytes:
                return messages.BufferWriteResponse(msg=_OVERFLOW)
            buffer[start:end] = np.frombuffer(request.data, np.uint8)
        return messages.BufferWriteResponse()

    def read(
        self, request: messages.BufferReadRequest, context: grpc.ServicerContext
    ) -> Iterator[messages.BufferReadResponse]:
        buffer = self._buffer(request, context)
        for start in range(0, buffer.nbytes, _CHUNK):
            yield messages.BufferReadResponse(data=buffer[start : start + _CHUNK].tobytes())

    def flush(
        self, request: messages.FlushRequest, context: grpc.ServicerContext
    ) -> messages.FlushResponse:
        self._buffer(request, context).flush()
        return messages.FlushResponse()

    def invalidate(
        self, request: messages.InvalidateRequest, context: grpc.ServicerContext
    ) -> messages.InvalidateResponse:
        self._buffer(request, context).invalidate()
        return messages.InvalidateResponse()

    def physical_address(
        self, request: messages.AddressRequest, context: grpc.ServicerContext
    ) -> messages.AddressResponse:
        return messages.AddressResponse(address=self._buffer(request, context).physical_address)

    def virtual_address(
        self, request: messages.AddressRequest, context: grpc.ServicerContext
    ) -> messages.AddressResponse:
        return messages.AddressResponse(address=self._buffer(request, context).virtual_address)

    def freebuffer(
        self, request: messages.FreeBufferRequest, context: grpc.ServicerContext
    ) -> messages.FreeBufferResponse:
        self._buffer(request, context).freebuffer()
        del self._buffers[request.buffer_id]
        return messages.FreeBufferResponse()

    def _buffer(self, request: Any, context: grpc.ServicerContext) -> SimulatedBuffer:
        try:
            buffer = self._buffers[request.buffer_id]
        except KeyError:
            context.abort(grpc.StatusCode.NOT_FOUND, "Buffer not found.")
        return buffer
