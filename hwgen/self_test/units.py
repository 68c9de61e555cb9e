# SPDX-License-Identifier: Apache-2.0
"""What each unit's fault looks like, in terms of the checks of ``make.py``.

Where a check exercises several units, others that have all of them but one are evidence against
that one: a unit is at fault only if everything that proves it fails.
"""

from hwgen.driver.diagnosis import Evidence, Unit
from hwgen.program.memory import WORD_BYTES

WRITE = "memory port 0 (write)"
ADDITION = "residual addition"
ARRAY = "MAC array"
REGISTERS = "token registers"
MEAN = "mean of rows"
MOVING = "moving of rows"
SELECTION = "token selection"

UNEVEN, EVEN = 1.2, 0.8
"""Shares of wrong numbers in a port's lanes, as multiples of what falls to it if all have alike: a
port at fault has at least the one, and each has the other when the fault is of none.
"""


def units(lanes: int) -> tuple[Unit, ...]:
    """All units that the self-test of an engine can name, each one behind those it needs."""
    ports = lanes // WORD_BYTES
    reads = tuple(f"memory port {port} (read)" for port in range(ports))
    memory = (WRITE, *reads)
    arithmetic = (*memory, "requantisation", "bias", ARRAY)
    buffers = (*arithmetic, "residual buffer", "work buffer", "accumulators")
    scores = (*buffers, "value buffer", "attention scores", "softmax (division)")
    attention = (*scores, "softmax (exponentials)")
    moving = (*buffers, ADDITION, REGISTERS)
    return (
        Unit(
            WRITE,
            (
                _whole("write path"),
                *(_port("residual words", lanes, port, EVEN) for port in range(ports)),
            ),
        ),
        *(
            Unit(
                name,
                (_port("residual words", lanes, port, UNEVEN), _whole("work words")),
                (WRITE,),
            )
            for port, name in enumerate(reads)
        ),
        _unit("requantisation", memory, "requantised biases", "requantised products"),
        _unit("bias", (*memory, "requantisation"), "requantised biases"),
        _unit(ARRAY, (*memory, "requantisation", "bias"), "array from work", "array from residual"),
        _unit("residual buffer", memory, "residual addresses", "residual addresses normalised"),
        _unit("work buffer", arithmetic, "work addresses"),
        _unit("accumulators", (*arithmetic, "work buffer"), "accumulators"),
        _unit("input region", buffers, "residual words from input", "work words from input"),
        _unit("pixels (128 subtracted)", (*buffers, "input region"), "pixels"),
        _unit("prefetch buffer", buffers, "prefetch"),
        _unit("GELU", buffers, "GELU"),
        _unit(ADDITION, buffers, "residual addition"),
        _unit("LayerNorm", buffers, "LayerNorm", "LayerNorm of results"),
        _unit("row statistics of loaded rows", (*buffers, "LayerNorm"), "LayerNorm"),
        _unit("row statistics of results", (*buffers, "LayerNorm"), "LayerNorm of results"),
        _unit(MEAN, buffers, "mean"),
        _unit("second source", buffers, "second source"),
        _unit("value buffer", buffers, "values"),
        _unit("attention scores", (*buffers, "value buffer"), "scores"),
        _unit("softmax (division)", (*buffers, "value buffer"), "equal scores", "exponentials"),
        _unit("softmax (exponentials)", scores, "exponentials"),
        _unit("attention heads", attention, "heads"),
        _unit("score buffer", attention, "score buffer"),
        _unit(REGISTERS, buffers, "registers"),
        _unit("token registers of attention", (*attention, REGISTERS), "registers of attention"),
        _unit(MOVING, moving, "copies"),
        _unit(SELECTION, (*moving, MOVING), "selection", "package", "decisions"),
        _unit("package token", (*moving, MOVING, SELECTION, MEAN), "package"),
        _unit("sigmoid of token selection", (*moving, MOVING, SELECTION), "decisions"),
    )


def _whole(check: str) -> Evidence:
    return Evidence(check)


def _unit(name: str, needs: tuple[str, ...], *checks: str) -> Unit:
    return Unit(name, tuple(map(_whole, checks)), needs)


def _port(check: str, lanes: int, port: int, times: float) -> Evidence:
    """That a port's lanes of int16 rows are wrong more often than others, or as often: a row's
    first half is one beat, its second half the next.
    """
    first = port * WORD_BYTES // 2
    chosen = [first + lane for lane in range(WORD_BYTES // 2)]
    here = (*chosen, *(lanes // 2 + lane for lane in chosen))
    return Evidence(check, here, min(1.0, times * WORD_BYTES / lanes))
