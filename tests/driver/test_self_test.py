# SPDX-License-Identifier: Apache-2.0
"""The self-test: its verdict, and what runs that fail say."""

import threading

import pytest
from conftest import Tiny
from tiny_package import describe_anew, tiny_images

import hwgen.driver.runner
from hwgen.driver import Accelerator, SelfTestResult
from hwgen.driver.errors import CorruptPackageError, SelfTestError
from hwgen.driver.self_test import MEMORY, OVERWRITTEN
from hwgen.program.status import ErrorCode


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hwgen.driver.runner, "QUIET_S", 0.1)


def failed(tiny: Tiny, **options: float) -> SelfTestResult:
    """The result of a self-test that fails; the next one passes."""
    with Accelerator.load(tiny.package, device=tiny.device) as accelerator:
        found = accelerator.self_test(**options)
        assert not found.passed and found.message.startswith("The self-test failed. Suspected: ")
        with pytest.raises(SelfTestError, match="^The self-test failed. Suspected: "):
            found.check()
        tiny.engine.error, tiny.engine.hangs, tiny.engine.writes = ErrorCode.NONE, False, None
        assert accelerator.self_test().passed
        return found


def test_it_passes(tiny: Tiny) -> None:
    with Accelerator.load(tiny.package, device=tiny.device) as accelerator:
        found = accelerator.self_test()
        found.check()
    assert found.passed and found.failures == () and 0 < found.seconds < 10
    assert str(found).startswith("The self-test passed. (")


def test_the_engine_of_vitis_hls(tiny_hls: Tiny) -> None:
    with Accelerator.load(tiny_hls.package, device=tiny_hls.device) as accelerator:
        assert accelerator.self_test().passed


@pytest.mark.parametrize("written", [0, 100])
def test_wrong_numbers(tiny: Tiny, written: int) -> None:
    tiny.engine.writes = written
    assert failed(tiny).failures == ("array",)


@pytest.mark.parametrize(
    ("code", "suspect"),
    [
        (ErrorCode.MEMORY, "memory port (an access was answered with an error)"),
        (ErrorCode.WATCHDOG, "memory port (one stopped answering)"),
        (ErrorCode.BAD_HEADER, "memory port 0 (read), which reads the program"),
    ],
)
def test_error_codes(tiny: Tiny, code: ErrorCode, suspect: str) -> None:
    tiny.engine.error = code
    assert failed(tiny).failures == (suspect,)


def test_a_run_that_does_not_end(tiny: Tiny) -> None:
    tiny.engine.hangs = True
    assert failed(tiny, timeout_s=0.1).failures == ("engine (its run does not end)",)


def test_an_interrupt_that_is_lost(tiny: Tiny) -> None:
    tiny.device.faults.lose_interrupts(True)
    with Accelerator.load(tiny.package, device=tiny.device) as accelerator:
        assert accelerator.self_test(timeout_s=0.2).failures == ("interrupt",)
        tiny.device.faults.lose_interrupts(False)
        assert accelerator.self_test().passed


def test_memory_that_forgets(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    invalidate = tiny.device.invalidate

    def forget(bo: object, offset: int, pointer: int, size: int) -> None:
        invalidate(bo, offset, pointer, size)
        bo.host[-1] ^= 1

    with Accelerator.load(tiny.package, device=tiny.device) as accelerator:
        monkeypatch.setattr(tiny.device, "invalidate", forget)
        starts = tiny.engine.starts
        found = accelerator.self_test()
    assert found.failures == (MEMORY,) and tiny.engine.starts == starts


@pytest.mark.parametrize("region", ["program", "weights"])
def test_a_model_that_is_overwritten(tiny: Tiny, region: str) -> None:
    with Accelerator.load(tiny.package, device=tiny.device) as accelerator:
        accelerator.predict(tiny_images(2))
        tiny.engine._region(accelerator.registers()[region], 64)[-1] ^= 1
        found = accelerator.self_test()
        assert found.failures == (OVERWRITTEN,) and "load the package again" in found.message
    with Accelerator.load(tiny.package, device=tiny.device) as accelerator:
        assert accelerator.self_test().passed


def test_others_use_the_engine_meanwhile(tiny: Tiny) -> None:
    """A call that has the engine for long is no fault of the self-test before it."""
    with Accelerator.load(tiny.package, device=tiny.device) as accelerator:
        tiny.engine.run_s = 0.05
        done = threading.Event()

        def work() -> None:
            while not done.is_set():
                accelerator.predict(tiny_images(10))

        threads = [threading.Thread(target=work) for _ in range(2)]
        for thread in threads:
            thread.start()
        try:
            assert all(accelerator.self_test().passed for _ in range(3))
        finally:
            done.set()
            for thread in threads:
                thread.join()


@pytest.mark.parametrize("name", ["checks.json", "input.npy", "expected.npy"])
def test_files_that_are_none(tiny: Tiny, name: str) -> None:
    path = tiny.package / "programs" / "self_test" / name
    path.write_bytes(b"{}")
    describe_anew(tiny.package, f"programs/self_test/{name}")
    with (
        Accelerator.load(tiny.package, device=tiny.device) as accelerator,
        pytest.raises(CorruptPackageError, match="it holds no self-test of this version"),
    ):
        accelerator.self_test()
