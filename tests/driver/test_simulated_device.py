# SPDX-License-Identifier: Apache-2.0
"""The simulated board under genuine pynq: registers, clocks, buffers, runs, interrupts, faults."""

import asyncio
import gc
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from pynq import MMIO, Bitstream, Clocks, DefaultIP, Overlay, allocate
from pynq.buffer import PynqBuffer
from pynq.interrupt import _InterruptController
from pynq.pl_server.device import Device, DeviceMeta

from hwgen.errors import ToolError
from hwgen.program.engine import EngineConfig
from hwgen.program.registers import register_map
from hwgen.program.status import ErrorCode
from hwgen.rehearsal import SimulatedDevice
from hwgen.rehearsal.errors import BusError, FabricError

ENGINE, CONTROLLER = 0xA000_0000, 0xA001_0000
START, DONE, IDLE = 1, 2, 4
AT = {register.name: register.offset for register in register_map(EngineConfig(lanes=16))}
RUNS = 3


@pytest.fixture(scope="session")
def simulator(prepared: Path) -> Path:
    return Path((prepared / "simulator").read_text().strip())


@pytest.fixture(scope="module")
def device(simulator: Path) -> Iterator[SimulatedDevice]:
    with SimulatedDevice(simulator) as device:
        yield device


@pytest.fixture(autouse=True)
def active(device: SimulatedDevice, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Device, "_active_device", device, raising=False)


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    """pynq listens on the first event loop that a process has; here each test has its own."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_InterruptController, "_uio_devices", {})
        patch.setattr(_InterruptController, "_controllers", [])
        yield loop
        _InterruptController._uio_devices.clear()
        _InterruptController._controllers.clear()
        gc.collect()
    loop.close()
    asyncio.set_event_loop(asyncio.new_event_loop())


@dataclass
class Board:
    """A loaded overlay, and the small Program in buffers."""

    device: SimulatedDevice
    engine: DefaultIP
    buffers: dict[str, PynqBuffer]
    output: PynqBuffer
    expected: np.ndarray

    def start(self, run: int = 0) -> None:
        """Starts a run with bases of zero: all other addresses are physical ones."""
        places = {name: buffer.device_address for name, buffer in self.buffers.items()}
        places |= {"gmem0": 0, "output": self.output[run].device_address}
        places["input"] = self.buffers["input"][run].device_address
        for name, address in places.items():
            self.engine.write(AT[name], address & 0xFFFFFFFF)
            self.engine.write(AT[name] + 4, address >> 32)
        self.engine.write(AT["CTRL"], START)

    def finished(self) -> bool:
        return bool(self.engine.read(AT["CTRL"]) & DONE)

    def poll(self) -> ErrorCode:
        """Waits for the end of a run without interrupts."""
        end = time.monotonic() + 60
        while not self.finished():
            assert time.monotonic() < end
        return ErrorCode(self.engine.read(AT["error_code"]))

    async def wait(self, timeout_s: float = 60) -> ErrorCode:
        """Waits for the end of a run as pynq's documentation tells: look, clear, wait again."""
        async with asyncio.timeout(timeout_s):
            while not self.finished():
                await self.engine.interrupt.wait()
        self.engine.write(AT["IP_ISR"], 1)
        return ErrorCode(self.engine.read(AT["error_code"]))

    def enable(self) -> None:
        """Interrupts at the end of runs."""
        self.engine.write(AT["GIER"], 1)
        self.engine.write(AT["IP_IER"], 1)

    def check(self, run: int = 0) -> None:
        """A run gives what the interpreter gives."""
        self.output[:] = 0
        self.output.flush()
        self.start(run)
        assert self.poll() == ErrorCode.NONE
        self.output.invalidate()
        np.testing.assert_array_equal(self.output[run], self.expected[run])


def put(data: np.ndarray) -> PynqBuffer:
    buffer = allocate(data.shape, data.dtype)
    buffer[:] = data
    buffer.flush()
    return buffer


@pytest.fixture
def bitstream(prepared: Path) -> str:
    return str(prepared / "simulated" / "hwgen.bit")


@pytest.fixture
def board(
    device: SimulatedDevice, loop: asyncio.AbstractEventLoop, prepared: Path, bitstream: str
) -> Iterator[Board]:
    engine = Overlay(bitstream).hwgen_engine_0
    with np.load(prepared / "simulated" / "runs.npz") as runs:
        names = {"program": "program", "weights": "weights", "input": "inputs"}
        buffers = {name: put(runs[stored]) for name, stored in names.items()}
        expected = runs["outputs"]
    output = allocate(expected.shape, np.int16)
    yield Board(device, engine, buffers, output, expected)
    device.faults.clear()


# ---- What the device is --------------------------------------------------------------------------


def test_pynq_knows_it_and_does_not_find_it_by_itself(
    device: SimulatedDevice, simulator: Path
) -> None:
    assert SimulatedDevice not in DeviceMeta._subclasses.values()
    assert (device.name, device.arch) == ("ZCU102", "aarch64")
    assert device.has_capability("SIMULATED") and not device.has_capability("REMOTE")
    with SimulatedDevice(simulator, "ultra96v2", "Ultra96") as other:
        assert (other.name, other.tag != device.tag) == ("Ultra96", True)


def test_before_an_overlay_is_loaded_there_is_nothing(simulator: Path) -> None:
    with SimulatedDevice(simulator) as empty:
        with pytest.raises(
            BusError,
            match=r"^Nothing answers at address 0xa0000000: the fabric is empty\. Load an overlay "
            r"with download=True\.$",
        ):
            MMIO(ENGINE, 0x1000, device=empty).read(0)
        with pytest.raises(RuntimeError, match=r"^Overlay is not downloaded$"):
            allocate(4, target=empty)


def test_an_overlay_that_is_not_downloaded_has_no_registers(
    simulator: Path, bitstream: str, loop: asyncio.AbstractEventLoop
) -> None:
    with SimulatedDevice(simulator) as empty:
        overlay = Overlay(bitstream, download=False, device=empty)
        with pytest.raises(BusError, match=r"the fabric is empty"):
            _ = overlay.hwgen_engine_0.read(0)


@pytest.mark.usefixtures("board")
def test_where_nothing_answers(device: SimulatedDevice) -> None:
    for address in (0x8000_0000, CONTROLLER + 0x1_0000, 0xFF00_0000):
        with pytest.raises(
            BusError,
            match=rf"^Nothing answers at address {address:#x}: the loaded overlay has "
            r"the engine from 0xa0000000 and its interrupt controller from 0xa0010000\.$",
        ):
            device.read_registers(address, 4)
        with pytest.raises(BusError):
            device.write_registers(address, bytes(4))
    with pytest.raises(BusError, match=r"^Address 0xa0000002 is not a multiple of 4\.$"):
        device.read_registers(ENGINE + 2, 4)


# ---- Loading an overlay --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "hwgen:overlay:hwgen_engine:1.0",
            "someone:else:engine:1.0",
            r"^The \.hwh has no engine \(hwgen:overlay:hwgen_engine:1\.0 or xilinx\.com:hls:",
        ),
        (
            "xilinx.com:ip:axi_intc",
            "someone:ip:intc",
            r"^The \.hwh has no interrupt controller \(xilinx\.com:ip:axi_intc:\*\); a simulated b",
        ),
    ],
)
def test_an_overlay_without_an_engine_or_its_interrupt(
    tmp_path: Path, bitstream: str, old: str, new: str, message: str
) -> None:
    text = Path(bitstream).with_suffix(".hwh").read_text()
    assert old in text
    (tmp_path / "other.hwh").write_text(text.replace(old, new))
    (tmp_path / "other.bit").write_text("other")
    with pytest.raises(FabricError, match=message):
        Overlay(str(tmp_path / "other.bit"))


def test_no_description_beside_the_bitstream(tmp_path: Path) -> None:
    (tmp_path / "alone.bit").write_text("alone")
    with pytest.raises(RuntimeError, match=r"^Unable to find metadata for bitstream$"):
        Overlay(str(tmp_path / "alone.bit"))


def test_no_partial_bitstream(device: SimulatedDevice, bitstream: str) -> None:
    with pytest.raises(FabricError, match=r"hwgen\.bit is a partial bitstream, and a simulated"):
        Bitstream(bitstream, partial=True, device=device).download()


def test_a_bitstream_alone(device: SimulatedDevice, bitstream: str) -> None:
    Bitstream(bitstream, device=device).download()
    assert MMIO(ENGINE, 0x1000).read(AT["CTRL"]) == IDLE


@pytest.mark.usefixtures("board")
def test_the_overlay_sets_clocks_and_port_widths(device: SimulatedDevice, bitstream: str) -> None:
    assert Clocks.fclk0_mhz == pytest.approx(100, rel=1e-4)
    assert Clocks.cpu_mhz == pytest.approx(1200, rel=1e-4)
    Clocks.fclk0_mhz = 300
    assert Clocks.fclk0_mhz == pytest.approx(300, rel=1e-4)
    width = MMIO(0xFD38_0000, 0x20)  # of S_AXI_HP0: 0 is 128 bits
    width.write(0, 3)
    Overlay(bitstream)
    assert Clocks.fclk0_mhz == pytest.approx(100, rel=1e-4)
    assert width.read(0) == 0


def test_registers_by_name_and_by_address(board: Board) -> None:
    registers = board.engine.register_map
    assert list(registers._register_classes)[:4] == ["CTRL", "GIER", "IP_IER", "IP_ISR"]
    assert (registers.CTRL.AP_IDLE, registers.CTRL.AP_START) == (1, 0)
    board.engine.write(AT["gmem0"], 0x1234_5678)
    registers.gmem0_2 = 9
    assert registers.gmem0_1.gmem0 == 0x1234_5678
    assert board.engine.mmio.read(AT["gmem0"], 8) == 0x9_1234_5678
    # The control port has fewer address bits than its window.
    assert board.engine.read(0x1000 + AT["gmem0"]) == 0x1234_5678
    assert board.device.read_registers(ENGINE + AT["gmem0"], 8).hex() == "7856341209000000"


# ---- Buffers -------------------------------------------------------------------------------------


@pytest.mark.usefixtures("board")
def test_both_copies_of_a_buffer_are_noise_at_first() -> None:
    first, second = allocate((100, 7), np.uint8), allocate(700, np.uint8)
    host = np.array(first)
    first.invalidate()
    noise = [host.reshape(-1), np.array(first).reshape(-1), np.array(second)]
    for data in noise:
        assert len(set(data.tolist())) > 100
    assert not any((noise[i] == noise[j]).all() for i, j in ((0, 1), (0, 2), (1, 2)))


@pytest.mark.usefixtures("board")
def test_processors_and_engine_see_their_own_copies() -> None:
    buffer = allocate((4, 100), np.int32)
    buffer[:] = 5
    noise = np.array(buffer)
    buffer.invalidate()
    assert (np.array(buffer) != noise).any()
    buffer[:] = 5
    buffer.flush()
    buffer[:] = 6
    buffer.invalidate()
    assert (buffer == 5).all()
    # A slice has its own part of the buffer.
    buffer[2] = 7
    buffer[3] = 8
    buffer[2].sync_to_device()
    buffer.sync_from_device()
    assert [set(row.tolist()) for row in buffer] == [{5}, {5}, {7}, {5}]
    assert buffer[2, 10:].device_address == buffer.device_address + 4 * 210


@pytest.mark.usefixtures("board")
def test_places_of_buffers() -> None:
    sizes = [1, 8192, 8193, 100_000]
    buffers = [allocate(size, np.uint8) for size in sizes]
    places = sorted((b.device_address, b.device_address + b.nbytes) for b in buffers)
    assert all(start >= 0x7000_0000 and start % 4096 == 0 for start, _ in places)
    assert all(end <= start for (_, end), (start, _) in pairwise(places))
    assert places[-1][1] <= 0x8000_0000


def test_a_buffer_that_is_no_longer_used_gives_its_place_back(board: Board) -> None:
    memory = board.device.default_memory
    before, count = memory.mem_used, memory.num_buffers
    buffer = allocate(1 << 20, np.uint8)
    part = buffer[100:]
    assert memory.mem_used == before + (1 << 20) and memory.num_buffers == count + 1
    del buffer
    part.flush()  # the slice keeps it
    del part
    gc.collect()
    assert (memory.mem_used, memory.num_buffers) == (before, count)
    with allocate(100, np.uint8) as held:
        assert memory.num_buffers == count + 1
    assert memory.num_buffers == count
    with pytest.raises(RuntimeError, match=r"^Buffer Flush Failed: the buffer was freed$"):
        held.flush()
    with pytest.raises(RuntimeError, match=r"^Buffer Invalidate Failed: the buffer was freed$"):
        held.invalidate()
    del held
    assert memory.num_buffers == count


@pytest.mark.usefixtures("board")
def test_memory_ends() -> None:
    with pytest.raises(
        RuntimeError,
        match=r"^BO allocation failed: no 268435456 bytes in one piece, \d+ of 268435456 are in",
    ):
        allocate(256 << 20, np.uint8)


def test_the_seed_decides_the_noise(simulator: Path, bitstream: str) -> None:
    found = []
    for seed in (0, 0, 1):
        with SimulatedDevice(simulator, seed=seed) as device:
            Bitstream(bitstream, device=device).download()
            found.append(bytes(allocate(64, np.uint8, target=device)))
    assert found[0] == found[1] != found[2]


@pytest.mark.usefixtures("board")
def test_memory_of_the_overlay(device: SimulatedDevice, bitstream: str) -> None:
    memory = Overlay(bitstream).PSDDR
    assert memory.allocate((2, 2), np.uint8).physical_address >= memory.base_address


# ---- Runs ----------------------------------------------------------------------------------------


def test_runs_by_polling(board: Board) -> None:
    for run in (0, 1, 2, 0):
        board.check(run)


def test_what_is_not_flushed_is_not_seen(board: Board) -> None:
    program = board.buffers["program"]
    board.buffers["program"] = allocate(program.shape, np.uint8)
    board.buffers["program"][:] = program
    board.start()
    assert board.poll() == ErrorCode.BAD_HEADER
    board.buffers["program"].flush()
    board.start()
    assert board.poll() == ErrorCode.NONE
    assert (np.array(board.output[0]) != board.expected[0]).any()  # not invalidated
    board.output.invalidate()
    np.testing.assert_array_equal(board.output[0], board.expected[0])


def test_runs_by_interrupt(board: Board, loop: asyncio.AbstractEventLoop) -> None:
    async def all_runs() -> list[ErrorCode]:
        board.enable()
        codes = []
        for run in range(RUNS):
            board.start(run)
            codes.append(await board.wait())
        return codes

    assert loop.run_until_complete(all_runs()) == [ErrorCode.NONE] * RUNS
    board.output.invalidate()
    np.testing.assert_array_equal(board.output, board.expected)


def test_other_coroutines_run_while_one_waits(
    board: Board, loop: asyncio.AbstractEventLoop
) -> None:
    async def both() -> int:
        board.enable()
        board.device.faults.freeze_memory()
        board.start()
        waiting = asyncio.ensure_future(board.wait())
        await asyncio.sleep(0.05)
        assert not waiting.done()
        board.device.faults.freeze_memory(False)
        return await waiting

    assert loop.run_until_complete(both()) == ErrorCode.NONE


def test_an_overlay_that_is_loaded_again(
    board: Board, bitstream: str, loop: asyncio.AbstractEventLoop
) -> None:
    async def run() -> ErrorCode:
        board.enable()
        board.start()
        return await board.wait()

    assert loop.run_until_complete(run()) == ErrorCode.NONE
    board.engine = Overlay(bitstream).hwgen_engine_0
    assert board.engine.read(AT["GIER"]) == 0
    assert loop.run_until_complete(run()) == ErrorCode.NONE


def test_a_second_device_takes_the_interrupt_over(
    board: Board, simulator: Path, bitstream: str, loop: asyncio.AbstractEventLoop
) -> None:
    with SimulatedDevice(simulator) as other:
        Device.active_device = other
        engine = Overlay(bitstream).hwgen_engine_0
        engine.write(AT["GIER"], 1)
        engine.write(AT["IP_IER"], 1)
        engine.write(AT["CTRL"], START)  # no program at address 0
        loop.run_until_complete(asyncio.wait_for(engine.interrupt.wait(), 60))
        assert engine.read(AT["error_code"]) == ErrorCode.MEMORY
    board.check()


def test_threads(board: Board) -> None:
    """Registers, buffers and runs from several threads at once."""
    failed: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for value in range(50):
                board.engine.write(AT["weights"] + 4, value)
                assert board.engine.read(AT["digest"]) == digest
                buffer = allocate(1000, np.uint8)
                buffer[:] = number
                buffer.flush()
                buffer.invalidate()
                assert (buffer == number).all()
        except AssertionError as error:
            failed.append(error)

    digest = board.engine.read(AT["digest"])
    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    board.check()


# ---- What goes wrong -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["program", "weights", "input", "output"])
def test_a_memory_error(board: Board, name: str) -> None:
    place = (board.output if name == "output" else board.buffers[name]).device_address
    board.device.faults.memory_error(place + 16, place + 16)
    board.start()
    assert board.poll() == ErrorCode.MEMORY
    board.device.faults.clear()
    board.check()


def test_memory_that_stops_is_told_by_the_watchdog(
    board: Board, loop: asyncio.AbstractEventLoop
) -> None:
    async def run() -> ErrorCode:
        board.enable()
        board.start()
        return await board.wait()

    board.device.faults.freeze_memory()
    assert loop.run_until_complete(run()) == ErrorCode.WATCHDOG
    assert board.engine.register_map.cycles_1.cycles >= 1 << 20
    board.device.faults.freeze_memory(False)
    assert loop.run_until_complete(run()) == ErrorCode.NONE
    board.check()


def test_a_run_that_hangs_ends_with_loading_the_overlay(board: Board, bitstream: str) -> None:
    board.device.faults.freeze_memory()
    board.start()
    assert not board.finished()
    board.engine = Overlay(bitstream).hwgen_engine_0
    assert board.engine.read(AT["CTRL"]) == IDLE
    board.device.faults.clear()
    board.check()


def test_a_port_that_reads_wrong_bits(board: Board) -> None:
    board.device.faults.corrupt_port(0, 1 << 64)  # the digest in the header
    board.start()
    assert board.poll() == ErrorCode.WRONG_ENGINE
    board.device.faults.clear()
    board.device.faults.corrupt_port(1, (1 << 128) - 1)  # there is no such port
    board.check()


def test_a_lost_interrupt(board: Board, loop: asyncio.AbstractEventLoop) -> None:
    board.enable()
    board.device.faults.lose_interrupts()
    board.start()
    with pytest.raises(TimeoutError):
        loop.run_until_complete(board.wait(0.5))
    # Looking at the end of the run has taken it away; the interrupt is still to come.
    assert board.engine.read(AT["IP_ISR"]) == 1
    board.device.faults.clear()
    loop.run_until_complete(asyncio.wait_for(board.engine.interrupt.wait(), 60))


def test_a_simulator_that_dies(
    simulator: Path, bitstream: str, loop: asyncio.AbstractEventLoop
) -> None:
    message = r"^The simulator was killed by signal 9: this board is gone\. Make a new Simulated"
    with SimulatedDevice(simulator) as device:
        Device.active_device = device
        engine = Overlay(bitstream).hwgen_engine_0
        device.faults.freeze_memory()
        engine.write(AT["CTRL"], START)
        loop.call_later(0.1, os.kill, device.simulator_process, signal.SIGKILL)
        # Who waits for an interrupt wakes up, looks, and is told.
        loop.run_until_complete(asyncio.wait_for(engine.interrupt.wait(), 60))
        for _ in range(2):
            with pytest.raises(ToolError, match=message):
                engine.read(AT["CTRL"])
        with pytest.raises(ToolError, match=message):
            Overlay(bitstream)
    with pytest.raises(ToolError, match=r"^The simulator has been closed\. Make a new Simulated"):
        engine.read(AT["CTRL"])
    assert Clocks.fclk0_mhz == pytest.approx(100, rel=1e-4)  # processors live on


def test_nothing_is_left_behind_by_a_process_that_is_killed(
    simulator: Path, tmp_path: Path
) -> None:
    script = (
        "import sys, time; from pathlib import Path; from hwgen.rehearsal import SimulatedDevice\n"
        "device = SimulatedDevice(Path(sys.argv[1])); print(device.simulator_process, flush=True)\n"
        "time.sleep(600)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script, simulator],
        env={**os.environ, "TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    with process, process.stdout as lines:
        number = int(lines.readline())
        assert command(number).startswith(str(simulator))
        process.kill()
    end = time.monotonic() + 60
    while command(number) and time.monotonic() < end:
        time.sleep(0.05)
    assert not command(number)
    assert not list(tmp_path.iterdir())


def command(process: int) -> str:
    """What a process runs; nothing where it has ended."""
    try:
        return Path(f"/proc/{process}/cmdline").read_text()
    except FileNotFoundError:
        return ""
