# SPDX-License-Identifier: Apache-2.0
"""The engine's registers, as pynq binds them: start, state, error code, counters, interrupt."""

from typing import Any

from pynq import DefaultIP

from hwgen.driver.errors import NoEngineError
from hwgen.program.engine import EngineConfig
from hwgen.program.registers import (
    CONTROL,
    COUNTERS,
    HLS_VLNV,
    RTL_VLNV,
    WORD_BITS,
    register_map,
    words,
)

_BYTES = WORD_BITS // 8
_WORD = (1 << WORD_BITS) - 1
_OFFSETS = {register.name: register.offset for register in CONTROL}
_MASKS = {field.name: field.mask for register in CONTROL for field in register.fields}
_DONE_ENABLE, _DONE_STATUS = _MASKS["CHAN0_INT_EN"], _MASKS["CHAN0_INT_ST"]


class HwgenEngine(DefaultIP):
    """An engine of hwgen in the loaded overlay. pynq makes it; ``configure`` comes first.

    Attributes:
        has_counters: whether it is the RTL engine, which counts cycles and says what it is. The
            C++ engine has nothing there: a read at 0x100 would reach CTRL and clear its done bit.
    """

    bindto = [RTL_VLNV, HLS_VLNV]  # noqa: RUF012

    def __init__(self, description: dict[str, Any]) -> None:
        super().__init__(description)
        self.has_counters = description["type"] == RTL_VLNV
        self._map = {r.name: r for r in (*CONTROL, *(COUNTERS if self.has_counters else ()))}
        self._ended = False

    def configure(self, engine: EngineConfig) -> None:
        """Sets the configuration, on which the places of the arguments depend.

        Raises:
            NoEngineError: the overlay's own description has another register.
        """
        for word in words(engine, self.has_counters):
            found = (self._registers or {}).get(word.name)
            if self._registers and (found is None or found["address_offset"] != word.offset):
                place = "nowhere" if found is None else f"at {found['address_offset']:#x}"
                raise NoEngineError(
                    f"The engine '{self._fullpath}' has the register {word.name} {place} by the "
                    f".hwh file, and the package's engine at {word.offset:#x}. Use the .bit and "
                    ".hwh that belong to the package."
                )
        self._map = {r.name: r for r in register_map(engine, self.has_counters)}

    @property
    def interrupt_path(self) -> str:
        """The interrupt's name in the overlay; only where ``interrupt`` is not None."""
        return self._interrupts["interrupt"]["fullpath"]

    def value(self, name: str) -> int:
        """A register by its name. Reading CTRL costs nothing: its done bit is remembered."""
        register = self._map[name]
        if name == "CTRL":
            return self._control()
        words = range(register.bits // WORD_BITS)
        return sum(self.read(register.offset + _BYTES * i) << WORD_BITS * i for i in words)

    def set_value(self, name: str, value: int) -> None:
        """Writes a register by its name."""
        register = self._map[name]
        for index in range(register.bits // WORD_BITS):
            self.write(register.offset + _BYTES * index, value >> WORD_BITS * index & _WORD)

    def values(self) -> dict[str, int]:
        """All registers in the order of their offsets."""
        return {name: self.value(name) for name in self._map}

    def counters(self) -> dict[str, int]:
        """``COUNTERS`` of the last run; empty for an engine without them."""
        return {r.name: self.value(r.name) for r in COUNTERS if self.has_counters}

    def start(self) -> None:
        """Starts a run."""
        self._ended = False
        self.write(_OFFSETS["CTRL"], _MASKS["AP_START"])

    def idle(self) -> bool:
        """Whether nothing runs, as after the end of a run. The done bit would not tell: whoever
        reads CTRL takes it away, a notebook with register_map too.
        """
        return self._control() & (_MASKS["AP_IDLE"] | _MASKS["AP_START"]) == _MASKS["AP_IDLE"]

    def enable_interrupt(self, enable: bool) -> None:
        """Lets the engine raise its interrupt when a run ends, or not."""
        self.write(_OFFSETS["IP_IER"], _DONE_ENABLE if enable else 0)
        self.write(_OFFSETS["GIER"], _MASKS["Enable"] if enable else 0)

    def clear_interrupt(self) -> None:
        """Takes back an interrupt that is raised."""
        # Writing 1 toggles.
        self.write(_OFFSETS["IP_ISR"], self.read(_OFFSETS["IP_ISR"]) & _DONE_STATUS)

    def _control(self) -> int:
        """CTRL. Nothing else reads it: that clears the done bit."""
        value = self.read(_OFFSETS["CTRL"])
        self._ended = self._ended or bool(value & _MASKS["AP_DONE"])
        return value | (_MASKS["AP_DONE"] if self._ended else 0)
