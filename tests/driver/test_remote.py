# SPDX-License-Identifier: Apache-2.0
"""The driver on a remote board: pynq's client, a server like its, and a simulated board behind."""

import fcntl
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import grpc
import numpy as np
import pytest
from conftest import Tiny
from pynq.pl_server.embedded_device import bit2bin
from pynq.pl_server.remote_device import RemoteDevice
from remote_session import Session

from hwgen.driver.errors import (
    BitstreamError,
    ConnectionLostError,
    DeviceBusyError,
    MemoryFaultError,
    OutOfMemoryError,
    UnsupportedError,
)
from hwgen.errors import ToolError
from hwgen.program.status import ErrorCode
from hwgen.rehearsal import SimulatedDevice
from hwgen.rehearsal.bitstream import read_firmware, simulation_bitstream
from hwgen.rehearsal.errors import FabricError
from hwgen.rehearsal.remote import HOST
from hwgen.rehearsal.remote.board import RemoteBoard

FIRMWARE = "/lib/firmware/hwgen.bin"


@dataclass(frozen=True)
class Remote:
    """The tiny model's package and device, as a remote board, and who drives it.

    Attributes:
        load: what the session runs to load the package.
    """

    tiny: Tiny
    board: RemoteBoard
    session: Session
    load: str


def load(package: Path, **options: object) -> str:
    more = "".join(f", {name}={value!r}" for name, value in options.items())
    return (
        "from hwgen.driver import Accelerator\n"
        f"accelerator = Accelerator.load({str(package)!r}{more})\n"
        "images, labels, outputs = accelerator.examples()"
    )


@pytest.fixture(autouse=True)
def _alone() -> Iterator[None]:
    """pynq notes in its own folder what it loaded last, for all processes and boards."""
    with (Path(tempfile.gettempdir()) / "hwgen-test-remote.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@pytest.fixture
def remote(tiny: Tiny) -> Iterator[Remote]:
    with RemoteBoard(tiny.device, 0) as board, Session(board.port) as session:
        yield Remote(tiny, board, session, load(tiny.package))


@pytest.fixture
def client(tiny: Tiny) -> Iterator[RemoteDevice]:
    """pynq's client in this process."""
    with RemoteBoard(tiny.device, 0) as board:
        yield RemoteDevice(ip_addr=HOST, port=board.port)


PREDICT = "answer = accelerator.predict(images).integers.tolist() == outputs.tolist()"
DEVICE = "from pynq.pl_server.device import Device\ndevice = Device.active_device\n"


# ---- The driver ------------------------------------------------------------------------------


def test_the_engine_itself(prepared: Path) -> None:
    with (
        SimulatedDevice(prepared / "simulators" / "fashion") as device,
        RemoteBoard(device, 0) as board,
        Session(board.port) as session,
    ):
        session(load(prepared / "packages" / "fashion.zip", timeout_s=300.0))
        expected = session("answer = outputs.tolist()")
        found = session("answer = accelerator.predict(images[:2]).integers.tolist()")
        assert found == expected[:2]
        assert session("answer = str(accelerator.self_test())").startswith("The self-test passed")
        device.faults.memory_error(0, (1 << 40) - 1)
        with pytest.raises(MemoryFaultError, match="image 0: the engine ended with error code"):
            session("accelerator.predict(images[0])")
        device.faults.clear()
        cycles = session("answer = accelerator.profile(images[0]).cycles")
        assert len(cycles) == 1 and cycles[0] > 10_000
        found = session("answer = accelerator.predict(images[1]).integers.tolist()")
        assert found == expected[1:2]
        os.kill(device.simulator_process, signal.SIGKILL)
        with pytest.raises(ConnectionLostError, match="killed by signal 9: this board is gone"):
            session("accelerator.registers()")


def test_runs_are_polled_for(remote: Remote) -> None:
    remote.session(remote.load)
    assert remote.session("answer = accelerator.by_interrupt") is False
    assert remote.session(PREDICT) is True
    found = remote.session(
        "import asyncio\nanswer = asyncio.run(accelerator.predict_async(images)).integers.tolist()"
    )
    assert found == remote.session("answer = outputs.tolist()")
    with pytest.raises(UnsupportedError, match="remote devices have none"):
        remote.session(load(remote.tiny.package, wait="interrupt"))


def test_errors_of_the_engine_arrive(remote: Remote) -> None:
    remote.session(remote.load)
    remote.tiny.engine.error = ErrorCode.MEMORY
    with pytest.raises(MemoryFaultError):
        remote.session(PREDICT)
    remote.tiny.engine.error = ErrorCode.NONE
    assert remote.session(PREDICT) is True


def test_memory_is_given_back(remote: Remote) -> None:
    memory = remote.tiny.device.get_memory(None)
    remote.session(remote.load)
    assert memory.num_buffers == 6
    assert remote.session("answer = accelerator.self_test().passed") is True
    assert memory.num_buffers == 6
    remote.session("accelerator.close()")
    assert memory.num_buffers == 0


def test_a_board_without_memory(remote: Remote, monkeypatch: pytest.MonkeyPatch) -> None:
    memory = remote.tiny.device.get_memory(None)
    monkeypatch.setattr(memory, "size", 1 << 14)
    with pytest.raises(OutOfMemoryError, match="the remote board has no memory left"):
        remote.session(remote.load)
    assert memory.num_buffers == 0
    monkeypatch.undo()
    remote.session(remote.load)
    assert remote.session(PREDICT) is True


def test_an_old_bitstream_on_the_board_is_replaced(remote: Remote) -> None:
    remote.session(f"{DEVICE}device.write_file({FIRMWARE!r}, b'half of another')")
    remote.session(remote.load)
    assert remote.session(PREDICT) is True


def test_a_bitstream_that_the_board_refuses(
    remote: Remote, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(parser: object) -> None:
        raise FabricError("It is for another part.")

    monkeypatch.setattr(remote.tiny.device, "configure", refuse)
    with pytest.raises(BitstreamError, match="its FPGA manager says 'write error'"):
        remote.session(remote.load)
    monkeypatch.undo()
    remote.session(remote.load)
    assert remote.session(PREDICT) is True


def test_only_a_simulated_board_takes_a_simulation(remote: Remote) -> None:
    with pytest.raises(BitstreamError, match="it was made without Vivado"):
        remote.session(f"{DEVICE}del device.capabilities['SIMULATED']\n{remote.load}")


def test_one_process_at_a_time(remote: Remote) -> None:
    remote.session(remote.load)
    with (
        Session(remote.board.port) as other,
        pytest.raises(DeviceBusyError, match=f"'{HOST}-{remote.board.port}' is in use"),
    ):
        other(remote.load)


def test_a_board_that_stops_answering(remote: Remote) -> None:
    remote.session(remote.load)
    remote.board.close()
    for code in (
        PREDICT,
        "import asyncio\nasyncio.run(accelerator.predict_async(images))",
        "accelerator.profile(images)",
        "accelerator.self_test()",
        "accelerator.registers()",
        f"accelerator.close()\n{remote.load}",
    ):
        with pytest.raises(ConnectionLostError, match=r"\(UNAVAILABLE: .* load the package again"):
            remote.session(code)


def test_a_board_that_was_started_anew(remote: Remote) -> None:
    remote.session(remote.load)
    remote.board.close()
    with RemoteBoard(remote.tiny.device, remote.board.port):
        # gRPC takes its time to connect again.
        remote.session(
            f"{DEVICE}import grpc\n"
            "grpc.channel_ready_future(device.client.channel).result(timeout=60)"
        )
        with pytest.raises(ConnectionLostError, match=r"\(NOT_FOUND: .* load the package again"):
            remote.session(PREDICT)
        remote.session(remote.load)
        assert remote.session(PREDICT) is True


# ---- The board -------------------------------------------------------------------------------


def test_the_command(prepared: Path) -> None:
    """A server that is killed."""
    command = [sys.executable, "-m", "hwgen.rehearsal.remote", "--port"]
    environment = {**os.environ, "HWGEN_SIMULATOR": str(prepared / "simulators" / "fashion")}
    with subprocess.Popen(
        [*command, "0"], env=environment, stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        said = server.stdout.readline()
        port = re.fullmatch(rf"The simulated ZCU102 listens on {HOST}:(\d+)\.\n", said)
        assert port is not None
        second = subprocess.run(
            [*command, port[1]], env=environment, capture_output=True, text=True
        )
        assert second.returncode == 2 and f"Port {port[1]} of {HOST}" in second.stderr
        with Session(int(port[1])) as session:
            session(load(prepared / "packages" / "fashion.zip"))
            server.kill()
            server.wait()
            with pytest.raises(ConnectionLostError):
                session("accelerator.predict(images[0])")


def test_a_script_finds_no_board(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text("print('it runs')")
    # A port that nothing listens on any more.
    command = [sys.executable, "-m", "hwgen.rehearsal.remote.client", "--port", "1", str(script)]
    found = subprocess.run(command, capture_output=True, text=True)
    assert found.returncode == 2 and not found.stdout
    assert found.stderr.startswith(f"No board answers at {HOST}:1 ")


def test_the_board_says_what_it_is(client: RemoteDevice) -> None:
    assert (client.name, client.arch) == ("Ultra96", "aarch64")
    assert client.read_file("/sys/class/fpga_manager/fpga0/state") == b"unknown\n"
    assert not client.exists_file("/proc/device-tree/compatible").exists
    with pytest.raises(grpc.RpcError, match="File not found"):
        client.read_file("/nowhere")


def test_files_of_any_size(client: RemoteDevice) -> None:
    content = np.random.default_rng(3).bytes(5 << 20)
    client.write_file("/tmp/file", content)
    assert client.read_file("/tmp/file") == content


def test_firmware_that_is_not_there(client: RemoteDevice) -> None:
    client.write_file("/sys/class/fpga_manager/fpga0/firmware", b"none.bin")
    assert client.read_file("/sys/class/fpga_manager/fpga0/state") == b"firmware request error\n"
    client.write_file("/lib/firmware/none.bin", b"none")
    client.write_file("/sys/class/fpga_manager/fpga0/firmware", b"none.bin")
    assert client.read_file("/sys/class/fpga_manager/fpga0/state") == b"write error\n"


def test_registers(client: RemoteDevice) -> None:
    clock = client.mmap(0xFF5E_0000, 0x1000)
    assert clock.read(0xC0) == 0x0101_0F00
    clock.write(0xC0, 0x0101_0500)
    assert clock.read(0xC0) == 0x0101_0500
    with pytest.raises(RuntimeError, match="Nothing answers at address 0xa0000000"):
        client.mmap(0xA000_0000, 0x1000).read(0)
    with pytest.raises(RuntimeError, match="Nothing answers at address 0xa0000000"):
        client.mmap(0xA000_0000, 0x1000).write(0, 1)


def test_buffers(client: RemoteDevice, tiny: Tiny) -> None:
    content = np.random.default_rng(3).integers(0, 256, 5 << 20, np.uint8)
    buffer, other = (client.allocate(content.size, np.uint8) for _ in range(2))
    assert abs(other.physical_address - buffer.physical_address) >= content.size
    buffer[:] = content
    buffer.flush()
    buffer[:] = 0
    buffer.invalidate()
    assert np.array_equal(buffer, content)
    other.invalidate()
    assert not np.array_equal(other, content)
    # The client's slices are written to the beginning: the driver must flush whole buffers.
    buffer[100:200].flush()
    buffer.invalidate()
    assert np.array_equal(buffer[:100], content[100:200])
    buffer.freebuffer()
    with pytest.raises(grpc.RpcError, match="Buffer not found"):
        buffer.invalidate()
    assert tiny.device.get_memory(None).num_buffers == 1


def test_one_board_to_a_port(tiny: Tiny) -> None:
    with (
        RemoteBoard(tiny.device, 0) as board,
        pytest.raises(ToolError, match=rf"Port {board.port} of {HOST} cannot be listened on"),
    ):
        RemoteBoard(tiny.device, board.port)


def test_the_bitstream_carries_what_it_configures() -> None:
    for handoff in (b"<?xml?>" + b" " * length for length in range(4)):
        bitstream = simulation_bitstream(handoff, "part")
        assert read_firmware(bit2bin(bitstream)).rstrip(b"\n") == handoff
    for firmware in (b"odd", bytes(64)):
        with pytest.raises(FabricError, match=f"These {len(firmware)} bytes are no bitstream"):
            read_firmware(firmware)
