# SPDX-License-Identifier: Apache-2.0
"""From the engine's interrupt to a program that waits: AMD's interrupt controller in the fabric,
and the kernel's device behind it.
"""

import os
import sys
import threading
import tty
from collections.abc import Callable

ISR, IPR, IER, IAR, SIE, CIE, IVR, MER = range(0x00, 0x20, 4)
"""Offsets of registers: status, pending, enable, acknowledge, set and clear enables, vector, master
enable."""
_MASTER, _HARDWARE = 1, 2
"""Bits of MER."""
_WORD = 0xFFFFFFFF


class InterruptController:
    """The IP ``axi_intc`` (AMD PG099) with one input and its output, both of them levels.

    The input sets its status while it is high. The status stays until it is acknowledged, and comes
    back at once where the input is still high. Any thread may use it.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._output: Callable[[bool], None] | None = None
        self._input = False
        self._lost = False
        self.reset()

    def reset(self, line: int = 0) -> None:
        """As after loading a bitstream whose engine is connected to input ``line``."""
        with self._lock:
            self._bit = 1 << line
            self._status = self._enabled = self._master = 0
            self._update()

    def connect(self, output: Callable[[bool], None] | None) -> None:
        """``output`` is called with the level of the output, now and whenever it may change."""
        with self._lock:
            self._output = output
            self._update()

    def set_input(self, level: bool) -> None:
        """Sets the level of the engine's interrupt."""
        with self._lock:
            self._input = level
            self._update()

    def lose(self, on: bool) -> None:
        """From now on the input does not reach the controller, or does so again."""
        with self._lock:
            self._lost = on
            self._update()

    def read(self, offset: int) -> int:
        """A register, 32 bits."""
        with self._lock:
            pending = self._status & self._enabled
            lowest = (pending & -pending).bit_length() - 1
            registers = {
                ISR: self._status,
                IPR: pending,
                IER: self._enabled,
                IVR: lowest & _WORD,
                MER: self._master,
            }
            return registers.get(offset, 0)

    def write(self, offset: int, value: int) -> None:
        """Writes a register, 32 bits."""
        with self._lock:
            if offset == ISR and not self._master & _HARDWARE:
                self._status = value
            elif offset == IER:
                self._enabled = value
            elif offset == IAR:
                self._status &= ~value
            elif offset == SIE:
                self._enabled |= value
            elif offset == CIE:
                self._enabled &= ~value
            elif offset == MER:
                # Once the hardware is let in, it stays.
                self._master = value & _MASTER | (value | self._master) & _HARDWARE
            self._update()

    def _update(self) -> None:
        if self._input and self._master & _HARDWARE and not self._lost:
            self._status |= self._bit
        if self._output is not None:
            self._output(bool(self._master & _MASTER and self._status & self._enabled))


class UserInterrupt:
    """The kernel's device for an interrupt that a program serves itself (UIO).

    The file gives four bytes, how often the interrupt has come, when it comes. It is masked then,
    until four bytes are written that are not all zero; where the level is still high, it comes
    again. A pseudo-terminal stands in for the file: bytes go both ways through it.

    It is there for as long as the process, as on a board: pynq never closes it.
    """

    def __init__(self) -> None:
        self._kernel, self._user = os.openpty()
        tty.setraw(self._user)
        self._lock = threading.Lock()
        self._level = False
        self._masked = True
        self._count = 0
        self._source: InterruptController | None = None
        threading.Thread(target=self._serve, daemon=True).start()

    @property
    def path(self) -> str:
        """Of the file."""
        return os.ttyname(self._user)

    def attach(self, source: InterruptController) -> None:
        """Makes ``source`` what raises the interrupt, in place of any before."""
        if self._source is not None:
            self._source.connect(None)
        self._source = source
        source.connect(self._set_level)

    def _set_level(self, level: bool) -> None:
        with self._lock:
            self._level = level
            self._fire()

    def _fire(self) -> None:
        if self._level and not self._masked:
            self._masked = True
            self._count += 1
            os.write(self._kernel, self._count.to_bytes(4, sys.byteorder))

    def _serve(self) -> None:
        written = b""
        while True:
            written += os.read(self._kernel, 4 - len(written))
            if len(written) == 4:
                with self._lock:
                    self._masked = not any(written)
                    self._fire()
                written = b""
