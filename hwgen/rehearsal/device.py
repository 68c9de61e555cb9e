# SPDX-License-Identifier: Apache-2.0
"""A device of pynq that is a simulated board: see the package."""

import itertools
import os
import tempfile
from pathlib import Path
from typing import Any

from pynq.pl_server.device import Device
from pynq.pl_server.embedded_device import (
    DEFAULT_XCLBIN,
    EmbeddedDevice,
    _unify_dictionaries,
)
from pynq.pl_server.xclbin_parser import XclBin
from pynqmetadata.frontends import Metadata
from pynqmetadata.views.runtime import RuntimeMetadataParser

from hwgen.rehearsal.errors import BusError, FabricError
from hwgen.rehearsal.fabric import Fabric, read_fabric
from hwgen.rehearsal.faults import Faults
from hwgen.rehearsal.interrupts import InterruptController
from hwgen.rehearsal.memory import BufferObject, DeviceMemory
from hwgen.rehearsal.processing_system import ProcessingSystem, processing_system
from hwgen.rehearsal.simulator import Simulator

_Block = Simulator | InterruptController | ProcessingSystem
_NUMBERS = itertools.count()
_CONTROL_BYTES = 0x1000
"""The engine's control port has 12 address bits; its registers repeat beyond."""
_WORD_BYTES = 4


class SimulatedDevice(Device):
    """A board whose fabric is a simulator: an empty one until an overlay is loaded.

    Any thread may use it. It is no device that pynq would find by itself.

    Attributes:
        name: of the board, as pynq's images have it, such as ``ZCU102``.
        faults: what can be made to go wrong.
    """

    def __init__(
        self, simulator: Path, board: str = "zcu102", name: str | None = None, seed: int = 0
    ) -> None:
        """Starts the simulator.

        Args:
            simulator: the compiled program, from ``hwgen.sim.rtl_build``.
            board: as hwgen names it.
            name: as pynq names it, where that is not the same in capitals.
            seed: of what buffers hold at first.

        Raises:
            ToolError: the simulator cannot be started.
        """
        super().__init__(f"simulated{os.getpid()}_{next(_NUMBERS)}")
        self.name = name or board.upper()
        self.arch = "aarch64"
        self.capabilities = {"REGISTER_RW": True, "SIMULATED": True}
        self.timestamp = ""
        self.bitfile_name: str | None = None
        self._system = processing_system()
        self._interrupts = InterruptController()
        self._fabric: Fabric | None = None
        # Once both sides have mapped the file it needs no name, and leaves nothing behind.
        with tempfile.TemporaryDirectory(prefix="hwgen-board-") as folder:
            memory = Path(folder) / "ddr"
            self._memory = DeviceMemory(self, memory, seed)
            self._simulator = Simulator(
                simulator, memory, self._memory.base_address, self._interrupts.set_input
            )
        self.faults = Faults(self._simulator, self._interrupts)

    def __enter__(self) -> "SimulatedDevice":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def simulator_process(self) -> int:
        """Number of the simulator's process."""
        return self._simulator.process_id

    def close(self) -> None:
        """Ends the simulator. The processing system lives on."""
        self._simulator.close()

    # ---- What pynq asks of a device ----------------------------------------------------------

    def read_registers(self, address: int, length: int) -> bytes:
        """``length`` bytes of registers, words of 32 bits.

        Raises:
            BusError: nothing is there.
            ToolError: the simulator has ended.
        """
        data = b""
        for at in range(address, address + length, _WORD_BYTES):
            block, offset = self._block(at)
            data += block.read(offset).to_bytes(_WORD_BYTES, "little")
        return data

    def write_registers(self, address: int, data: bytes) -> None:
        """Writes words of 32 bits; raises what ``read_registers`` does."""
        for start in range(0, len(data), _WORD_BYTES):
            block, offset = self._block(address + start)
            block.write(offset, int.from_bytes(data[start : start + _WORD_BYTES], "little"))

    def get_bitfile_metadata(self, bitfile_name: str, partial: bool = False) -> Any:
        """What the ``.hwh`` beside a bitstream says."""
        description = Path(bitfile_name).with_suffix(".hwh")
        if partial or not description.is_file():
            raise RuntimeError("Unable to find metadata for bitstream")
        parser = RuntimeMetadataParser(Metadata(input=description))
        _unify_dictionaries(parser, XclBin(xclbin_data=DEFAULT_XCLBIN))
        parser.refresh_hierarchy_dict()
        return parser

    def gen_cache(self, bitstream: Any, parser: Any = None) -> None:
        """Nothing is kept from one process to the next."""

    def download(self, bitstream: Any, parser: Any = None) -> None:
        """Loads a bitstream: the simulator stands for any that holds an engine, and is reset.

        Raises:
            FabricError: the bitstream is a part of one, or not one of hwgen's.
            ToolError: the simulator has ended.
        """
        if bitstream.partial:
            raise FabricError(
                f"{bitstream.bitfile_name} is a partial bitstream, and a simulated board takes "
                "none. Load a package that hwgen made."
            )
        parser = parser or self.get_bitfile_metadata(bitstream.bitfile_name)
        EmbeddedDevice.set_axi_port_width(self, parser)
        self.configure(parser)
        self.post_download(bitstream, parser, self.name)

    def configure(self, parser: Any) -> None:
        """Puts into the fabric what a parsed ``.hwh`` describes; raises what ``download`` does."""
        fabric = read_fabric(parser)
        self._simulator.command("reset")
        self._interrupts.reset(fabric.line)
        self._system.interrupt(fabric.interrupt).attach(self._interrupts)
        self._fabric = fabric

    @property
    def default_memory(self) -> DeviceMemory:
        """Where ``pynq.allocate`` takes buffers from.

        Raises:
            RuntimeError: no overlay has been loaded; pynq raises the same.
        """
        if not hasattr(self, "mem_dict"):
            raise RuntimeError("Overlay is not downloaded")
        return self._memory

    def get_memory(self, description: Any) -> DeviceMemory:
        """The same: there is one memory."""
        return self._memory

    def flush(self, bo: BufferObject, offset: int, ptr: int, size: int) -> None:
        """See ``DeviceMemory.flush``."""
        self._memory.flush(bo, offset, size)

    def invalidate(self, bo: BufferObject, offset: int, ptr: int, size: int) -> None:
        """See ``DeviceMemory.invalidate``."""
        self._memory.invalidate(bo, offset, size)

    # ---- Registers ---------------------------------------------------------------------------

    def _block(
        self, address: int
    ) -> tuple[Simulator | InterruptController | ProcessingSystem, int]:
        """Who has the register, and at which offset."""
        if address % _WORD_BYTES:
            raise BusError(f"Address {address:#x} is not a multiple of {_WORD_BYTES}.")
        if self._system.holds(address):
            return self._system, address
        if self._fabric is None:
            raise BusError(
                f"Nothing answers at address {address:#x}: the fabric is empty. Load an overlay "
                "with download=True."
            )
        if address in self._fabric.engine:
            return self._simulator, (address - self._fabric.engine.start) % _CONTROL_BYTES
        if address in self._fabric.controller:
            return self._interrupts, address - self._fabric.controller.start
        raise BusError(
            f"Nothing answers at address {address:#x}: the loaded overlay has the engine from "
            f"{self._fabric.engine.start:#x} and its interrupt controller from "
            f"{self._fabric.controller.start:#x}."
        )
