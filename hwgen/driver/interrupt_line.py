# SPDX-License-Identifier: Apache-2.0
"""The engine's interrupt through pynq's own classes, on whichever event loop waits for it."""

import asyncio
import warnings

from pynq.interrupt import Interrupt
from pynq.uio import UioController

from hwgen.driver.engine import HwgenEngine
from hwgen.driver.errors import replaced_bitstream


class InterruptLine:
    """The interrupt of an engine that has one, see ``has_interrupt``.

    Waits from several event loops are possible, one after the other, and only the loop that waits
    listens. pynq listens on one loop for as long as the process lives. That one may be closed:
    ``asyncio.run`` makes a new one each time. Or it runs on in another thread: two loops are told
    of one interrupt then, and the second to read it stands still for good.
    """

    def __init__(self, engine: HwgenEngine) -> None:
        self._engine = engine
        self._interrupt: Interrupt = engine.interrupt
        asyncio.get_event_loop().remove_reader(self._source().uio)

    async def wait(self, timeout_s: float) -> bool:
        """Waits for an interrupt; one that was on its way before counts, too.

        Returns:
            Whether it came in time.

        Raises:
            BitstreamError: another bitstream was loaded.
        """
        source, loop = self._source(), asyncio.get_running_loop()
        loop.add_reader(source.uio, source._uio_callback)
        # An event belongs to the loop that it was first waited for on. pynq cannot take a wait
        # back; what was given up before ends with the next interrupt.
        self._interrupt.event = asyncio.Event()
        self._interrupt.waiting = False
        waiting = asyncio.ensure_future(self._interrupt.wait())
        try:
            done, _ = await asyncio.wait([waiting], timeout=timeout_s)
        finally:
            loop.remove_reader(source.uio)
            waiting.cancel()
            await asyncio.wait([waiting])
        return bool(done)

    def renew(self) -> None:
        """Connects the line again after the bitstream was loaded again."""
        # Waits from before would take the first interrupt away from those that follow.
        self._source().wait_events.clear()
        self._interrupt = Interrupt(self._engine.interrupt_path)

    def _source(self) -> UioController:
        """Where the kernel reports interrupts; raises BitstreamError."""
        controller = self._interrupt.parent()
        if controller is None:
            raise replaced_bitstream()
        while not isinstance(controller, UioController):
            controller = controller.parent
        return controller


def has_interrupt(engine: HwgenEngine) -> bool:
    """Whether pynq can wait for the engine's interrupt: remote devices and designs without an
    interrupt controller cannot.
    """
    return isinstance(getattr(engine, "interrupt", None), Interrupt)


def ensure_event_loop() -> None:
    """Sees that this thread has an event loop, which pynq wants when it opens an interrupt. There
    is none after ``asyncio.run``, in threads, and from Python 3.14 on.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            closed = asyncio.get_event_loop().is_closed()
    except RuntimeError:
        closed = True
    if closed:
        asyncio.set_event_loop(asyncio.new_event_loop())
