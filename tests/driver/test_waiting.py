# SPDX-License-Identifier: Apache-2.0
"""Interrupts and polling, with and without event loops, and what disturbs them."""

import asyncio
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from conftest import Tiny
from tiny_package import expected_integers, tiny_images

import hwgen.driver.runner
from hwgen.driver import Accelerator
from hwgen.driver.errors import (
    DeviceBusyError,
    InterruptLostError,
    RunTimeoutError,
    UnsupportedError,
)

IMAGES = tiny_images(5)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hwgen.driver.runner, "QUIET_S", 0.1)


@pytest.fixture(params=["interrupt", "poll"])
def accelerator(tiny: Tiny, request: pytest.FixtureRequest) -> Iterator[Accelerator]:
    with Accelerator.load(tiny.package, device=tiny.device, wait=request.param) as loaded:
        yield loaded


@pytest.fixture
def interrupted(tiny: Tiny) -> Iterator[Accelerator]:
    with Accelerator.load(tiny.package, device=tiny.device, wait="interrupt") as loaded:
        yield loaded


def right(tiny: Tiny, accelerator: Accelerator) -> None:
    """The next prediction is what it must be."""
    found = accelerator.predict(IMAGES)
    assert np.array_equal(found.integers, expected_integers(tiny.program, IMAGES))


def looks(tiny: Tiny, call: Callable[[], object]) -> int:
    """How often CTRL is read by ``call``, where a run takes long."""
    tiny.engine.run_s, tiny.engine.control_reads = 0.2, 0
    call()
    return tiny.engine.control_reads


def test_interrupts_save_looking(tiny: Tiny) -> None:
    for wait, fewest, most in (("interrupt", 3, 12), ("auto", 3, 12), ("poll", 20, 1000)):
        with Accelerator.load(tiny.package, device=tiny.device, wait=wait) as accelerator:
            assert accelerator.by_interrupt == (wait != "poll")
            found = looks(tiny, lambda: accelerator.predict(IMAGES[:2]))
            assert fewest <= found <= most, wait
            right(tiny, accelerator)


def test_inside_a_running_loop(tiny: Tiny, accelerator: Accelerator) -> None:
    """As in a notebook."""

    async def cell() -> None:
        right(tiny, accelerator)
        found = await accelerator.predict_async(IMAGES)
        assert np.array_equal(found.integers, expected_integers(tiny.program, IMAGES))
        right(tiny, accelerator)

    asyncio.run(cell())
    right(tiny, accelerator)


def test_loops_one_after_the_other(tiny: Tiny) -> None:
    async def script() -> int:
        with Accelerator.load(tiny.package, device=tiny.device, wait="interrupt") as accelerator:
            tiny.engine.run_s, tiny.engine.control_reads = 0.1, 0
            await accelerator.predict_async(IMAGES[:2])
            return tiny.engine.control_reads

    for _ in range(3):
        assert asyncio.run(script()) < 10
    with Accelerator.load(tiny.package, device=tiny.device, wait="interrupt") as accelerator:
        assert looks(tiny, lambda: accelerator.predict(IMAGES[:2])) < 10

        async def later() -> None:
            await accelerator.predict_async(IMAGES[:2])

        assert looks(tiny, lambda: asyncio.run(later())) < 10
        assert looks(tiny, lambda: accelerator.predict(IMAGES[:2])) < 10


def test_threads(tiny: Tiny, accelerator: Accelerator) -> None:
    expected = expected_integers(tiny.program, IMAGES)
    found: list[np.ndarray] = []

    def work() -> None:
        found.extend(accelerator.predict(IMAGES).integers for _ in range(3))

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 9 and all(np.array_equal(integers, expected) for integers in found)


def test_a_loop_that_runs_on_while_another_waits(tiny: Tiny) -> None:
    """As in a notebook, whose loop always runs."""
    expected = expected_integers(tiny.program, IMAGES)

    async def cell() -> None:
        with Accelerator.load(tiny.package, device=tiny.device, wait="interrupt") as accelerator:
            for _ in range(5):
                found = [
                    await accelerator.predict_async(IMAGES),
                    await asyncio.to_thread(accelerator.predict, IMAGES),
                ]
                assert all(np.array_equal(one.integers, expected) for one in found)

    # A loop that stands still would not end by itself.
    thread = threading.Thread(target=asyncio.run, args=(cell(),), daemon=True)
    thread.start()
    thread.join(20)
    assert not thread.is_alive()


def test_loops_in_several_threads(tiny: Tiny, interrupted: Accelerator) -> None:
    expected = expected_integers(tiny.program, IMAGES)
    found: list[np.ndarray] = []

    async def work() -> None:
        for _ in range(5):
            found.append((await interrupted.predict_async(IMAGES)).integers)

    threads = [threading.Thread(target=lambda: asyncio.run(work()), daemon=True) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(found) == 15 and all(np.array_equal(integers, expected) for integers in found)


def test_loading_in_a_thread(tiny: Tiny) -> None:
    done = []

    def work() -> None:
        with Accelerator.load(tiny.package, device=tiny.device, wait="interrupt") as accelerator:
            right(tiny, accelerator)
            done.append(True)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert done


def test_other_coroutines_run_meanwhile(tiny: Tiny, accelerator: Accelerator) -> None:
    tiny.engine.run_s = 0.2
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            await asyncio.sleep(0.01)
            ticks += 1

    async def both() -> None:
        ticking = asyncio.ensure_future(tick())
        await accelerator.predict_async(IMAGES[:2])
        ticking.cancel()

    asyncio.run(both())
    assert ticks >= 5


def test_coroutines_wait_for_each_other(tiny: Tiny, accelerator: Accelerator) -> None:
    parts = [IMAGES[:1], IMAGES[1:4], IMAGES[4:]]

    async def all_of_them() -> list[np.ndarray]:
        found = await asyncio.gather(*(accelerator.predict_async(part) for part in parts))
        return [prediction.integers for prediction in found]

    found = np.concatenate(asyncio.run(all_of_them()))
    assert np.array_equal(found, expected_integers(tiny.program, IMAGES))


def test_predict_in_the_midst_of_predict_async(tiny: Tiny, accelerator: Accelerator) -> None:
    tiny.engine.run_s = 0.1

    async def cell() -> None:
        task = asyncio.ensure_future(accelerator.predict_async(IMAGES))
        await asyncio.sleep(0.05)
        with pytest.raises(DeviceBusyError, match="await predict_async before calling predict"):
            accelerator.predict(IMAGES)
        await task
        right(tiny, accelerator)

    asyncio.run(cell())


def test_a_run_that_does_not_end(tiny: Tiny, accelerator: Accelerator) -> None:
    tiny.engine.hangs = True
    with pytest.raises(RunTimeoutError) as error:
        accelerator.predict(IMAGES, timeout_s=0.2)
    assert str(error.value) == (
        "run 0 (images 0 to 1) did not end within 0.2 s and may go on. The next call waits for it "
        "or loads the bitstream again. Give more time with timeout_s; if that does not help, run "
        "self_test()."
    )
    with pytest.raises(RunTimeoutError):
        asyncio.run(accelerator.predict_async(IMAGES, timeout_s=0.2))
    resets = tiny.engine.resets
    tiny.engine.hangs = False
    right(tiny, accelerator)
    assert tiny.engine.resets == resets + 1
    right(tiny, accelerator)
    asyncio.run(accelerator.predict_async(IMAGES))


def test_a_run_that_ends_late(tiny: Tiny, accelerator: Accelerator) -> None:
    tiny.engine.run_s = 0.12
    with pytest.raises(RunTimeoutError):
        accelerator.predict(IMAGES, timeout_s=0.05)
    tiny.engine.run_s = 0.002
    right(tiny, accelerator)
    assert tiny.engine.resets == 1, "what was given up has ended by itself"


def test_the_timeout_of_load(tiny: Tiny) -> None:
    tiny.engine.hangs = True
    with Accelerator.load(tiny.package, device=tiny.device, timeout_s=0.1) as accelerator:
        start = time.monotonic()
        with pytest.raises(RunTimeoutError, match=r"within 0\.1 s"):
            accelerator.predict(IMAGES)
        assert time.monotonic() - start < 2


@pytest.mark.parametrize("run_s", [0.05, 0.3])
def test_an_interrupt_that_is_lost(tiny: Tiny, interrupted: Accelerator, run_s: float) -> None:
    tiny.device.faults.lose_interrupts(True)
    tiny.engine.run_s = run_s
    start = time.monotonic()
    with pytest.raises(InterruptLostError) as error:
        interrupted.predict(IMAGES)
    assert time.monotonic() - start < 5, "long before the timeout of 30 s"
    assert str(error.value).startswith(
        "run 0 (images 0 to 1) ended, and its interrupt did not come. Load the package with "
        'wait="poll"; the result is as good.'
    )
    with pytest.raises(InterruptLostError):
        asyncio.run(interrupted.predict_async(IMAGES, timeout_s=0.5))
    tiny.device.faults.lose_interrupts(False)
    right(tiny, interrupted)
    assert looks(tiny, lambda: interrupted.predict(IMAGES[:2])) < 12


def test_lost_interrupts_and_a_bitstream_loaded_again(tiny: Tiny, interrupted: Accelerator) -> None:
    tiny.device.faults.lose_interrupts(True)
    tiny.engine.hangs = True
    with pytest.raises(RunTimeoutError):
        interrupted.predict(IMAGES, timeout_s=0.1)
    tiny.device.faults.lose_interrupts(False)
    tiny.engine.hangs = False
    right(tiny, interrupted)
    assert looks(tiny, lambda: interrupted.predict(IMAGES[:2])) < 12


def test_runs_longer_than_a_look(
    tiny: Tiny, interrupted: Accelerator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hwgen.driver.waiting.LOOK_S", 0.05)
    tiny.engine.run_s = 0.3
    right(tiny, interrupted)


@pytest.mark.parametrize("hangs", [False, True])
def test_ctrl_c(tiny: Tiny, accelerator: Accelerator, hangs: bool) -> None:
    tiny.engine.run_s, tiny.engine.hangs = 0.15, hangs
    timer = threading.Timer(0.08, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        accelerator.predict(IMAGES)
    timer.join()
    tiny.engine.run_s, tiny.engine.hangs = 0.002, False
    right(tiny, accelerator)


def test_a_coroutine_that_is_cancelled(tiny: Tiny, accelerator: Accelerator) -> None:
    tiny.engine.run_s = 0.15

    async def cell() -> None:
        task = asyncio.ensure_future(accelerator.predict_async(IMAGES))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        tiny.engine.run_s = 0.002
        await accelerator.predict_async(IMAGES)
        right(tiny, accelerator)

    asyncio.run(cell())
    right(tiny, accelerator)


def test_no_interrupt(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    """As pynq has it for remote devices, and where the kernel has no file for the interrupt."""

    class RemoteInterrupt:
        def __init__(self, fullpath: str) -> None:
            self.fullpath = fullpath

    monkeypatch.setattr("pynq.overlay.Interrupt", RemoteInterrupt)
    with pytest.raises(UnsupportedError, match='pynq finds no interrupt.*Use wait="auto"'):
        Accelerator.load(tiny.package, device=tiny.device, wait="interrupt")
    with Accelerator.load(tiny.package, device=tiny.device) as accelerator:
        assert not accelerator.by_interrupt
        right(tiny, accelerator)
        asyncio.run(accelerator.predict_async(IMAGES))
    monkeypatch.undo()
    monkeypatch.setattr("pynq.interrupt.get_uio_irq", lambda number: None)
    monkeypatch.setattr("pynq.interrupt._InterruptController._uio_devices", {})
    with pytest.warns(UserWarning, match="Interrupt interrupt not created"):
        accelerator = Accelerator.load(tiny.package, device=tiny.device)
    with accelerator:
        assert not accelerator.by_interrupt
        right(tiny, accelerator)


def test_words_that_mean_nothing(tiny: Tiny) -> None:
    expected = "wait is 'irq'; it can be 'auto', 'interrupt', 'poll'."
    with pytest.raises(UnsupportedError, match=expected):
        Accelerator.load(tiny.package, device=tiny.device, wait="irq")
    for timeout_s in (0, -1.0, float("nan")):
        with pytest.raises(UnsupportedError, match="it must be more than 0 seconds"):
            Accelerator.load(tiny.package, device=tiny.device, timeout_s=timeout_s)
