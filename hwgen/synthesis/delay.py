# SPDX-License-Identifier: Apache-2.0
"""How long a combinational path is, in cells: Yosys knows neither delays nor routing."""

from collections.abc import Iterable
from functools import cache
from typing import NamedTuple

MAX_LUTS = 6
MAX_CHAINS = 1


class Delay(NamedTuple):
    """The cells on a path that take time.

    A carry chain of any length counts once, for a carry passes from slice to slice at little cost.
    MUXF7 to MUXF9 are not counted: they lie in the slice of their LUTs.

    Attributes:
        luts: LUT levels.
        chains: carry chains.
        products: DSP slices without a register between input and output. Yosys leaves the
            registers around a product in the fabric, Vivado moves them into the slice.
    """

    luts: int = 0
    chains: int = 0
    products: int = 0

    def plus(self, other: "Delay") -> "Delay":
        """This path, then the other."""
        return Delay(
            self.luts + other.luts, self.chains + other.chains, self.products + other.products
        )

    @property
    def allowed(self) -> bool:
        """At most six LUT levels and a carry chain; a product between registers alone."""
        if self.products:
            return self == Delay(products=1)
        return self.luts <= MAX_LUTS and self.chains <= MAX_CHAINS

    @property
    def rank(self) -> tuple[int, ...]:
        """Orders paths from the best to the worst."""
        # About four LUT levels take as long as a product of the slice.
        return (not self.allowed, self.luts + self.chains + 4 * self.products, *self)

    def __str__(self) -> str:
        parts = [f"{self.luts} LUT"] if self.luts or not (self.chains or self.products) else []
        parts += [f"{self.chains} carry"] * bool(self.chains)
        parts += [f"{self.products} DSP"] * bool(self.products)
        return " + ".join(parts)


Front = tuple[Delay, ...]
"""Paths between two places, without those that another one equals or exceeds in every count."""

NOTHING: Front = (Delay(),)


@cache
def union(one: Front, other: Front) -> Front:
    """The longest paths among both."""
    if one == other:
        return one
    return _longest({*one, *other})


@cache
def after(one: Front, other: Front) -> Front:
    """Each path of ``one`` followed by each of ``other``."""
    if other == NOTHING:
        return one
    return _longest({a.plus(b) for a in one for b in other})


def worst(front: Iterable[Delay]) -> Delay:
    """The path to look at first."""
    return max(front, key=lambda delay: delay.rank)


def _longest(delays: set[Delay]) -> Front:
    return tuple(
        sorted(d for d in delays if not any(o != d and all(map(int.__ge__, o, d)) for o in delays))
    )
