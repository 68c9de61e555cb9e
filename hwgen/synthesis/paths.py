# SPDX-License-Identifier: Apache-2.0
"""Finds the longest paths from register to register, across the borders of units.

Of a unit only what its surroundings need is kept (`Timing`): for each bit of its ports how far it
is from a register inside, or from another port. So each unit is looked at once, wherever it stands.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from hwgen.synthesis.cells import Cell, arcs
from hwgen.synthesis.delay import NOTHING, Delay, Front, after, union, worst
from hwgen.synthesis.netlist import Netlist

Bit = tuple[str, int]
"""A bit of a port."""

REGISTER = ""
"""Where a path begins that begins at a register of the unit itself."""


@dataclass(frozen=True)
class Path:
    """A path from one register to another.

    Attributes:
        start, end: units in which it begins and ends, relative to the unit that was looked at;
            empty: that unit itself.
        nets: names in the source of what drives it and of what it drives.
    """

    delay: Delay
    start: str = REGISTER
    end: str = REGISTER
    nets: tuple[str, str] = ("", "")

    def __str__(self) -> str:
        return " -> ".join(self.nets)


@dataclass(frozen=True, eq=False)
class Timing:
    """What the surroundings of a unit need to know.

    Attributes:
        starts: from a register to an output.
        ends: from an input to a register.
        through: from an input to an output, by output.
        inside: the worst path from register to register, in the unit and the units in it.
    """

    starts: Mapping[Bit, Front]
    ends: Mapping[Bit, Front]
    through: Mapping[Bit, Mapping[Bit, Front]]
    inside: Path


def timing(netlist: Netlist, inside: Mapping[str, Timing]) -> Timing:
    """The paths of a unit.

    Args:
        inside: of the units in it, by the cell types that stand for them.
    """
    graph = _Graph(netlist, inside, lambda cell: REGISTER)
    inputs: dict[int, list[Bit]] = {}
    for bit, net in _bits(netlist, "input"):
        inputs.setdefault(net, []).append(bit)
    arrivals = graph.arrivals({net: bits[0] for net, bits in inputs.items()})
    ends: dict[Bit, Front] = {}
    for net, front in graph.ends():
        for source, arrival in arrivals(net).items():
            if isinstance(source, tuple):
                total = after(arrival, front)
                ends[source] = union(ends[source], total) if source in ends else total
    starts: dict[Bit, Front] = {}
    through: dict[Bit, dict[Bit, Front]] = {}
    for bit, net in _bits(netlist, "output"):
        for source, arrival in arrivals(net).items():
            if isinstance(source, tuple):
                through.setdefault(bit, {})[source] = arrival
            else:
                starts[bit] = union(starts.get(bit, arrival), arrival)
    path = max(graph.paths(arrivals), key=lambda p: p.delay.rank, default=Path(Delay()))
    deeper = [child.inside for child in graph.children()]
    return Timing(starts, ends, through, max([path, *deeper], key=lambda p: p.delay.rank))


def worst_paths(netlist: Netlist, inside: Mapping[str, Timing]) -> dict[str, Path]:
    """The worst path that begins or ends in each unit of the outermost one, by instance.

    The unit itself has the empty name. What is beyond its ports counts as registers.
    """
    graph = _Graph(netlist, inside, lambda cell: cell.name)
    arrivals = graph.arrivals({net: REGISTER for _, net in _bits(netlist, "input")})
    result = {cell.name: inside[cell.kind].inside for cell in netlist.cells if cell.kind in inside}
    outputs = [(net, REGISTER, NOTHING) for _, net in _bits(netlist, "output")]
    for path in graph.paths(arrivals, outputs):
        for name in {path.start, path.end}:
            if name not in result or path.delay.rank > result[name].delay.rank:
                result[name] = path
    return result


Source = str | Bit
Arrivals = Callable[[int], Mapping[Source, Front]]


class _Graph:
    """Nets and what lies between them.

    Args:
        label: names the cell in which a path begins or ends.
    """

    def __init__(
        self, netlist: Netlist, inside: Mapping[str, Timing], label: Callable[[Cell], str]
    ) -> None:
        self._names = netlist.names
        self._before: dict[int, list[tuple[int, Front]]] = {}
        self._starts: dict[int, tuple[str, Front]] = {}
        self._ends: list[tuple[int, str, Front, str]] = []
        self._children: list[Timing] = []
        carries = frozenset(
            net
            for cell in netlist.cells
            if cell.kind.startswith("CARRY")
            for net in cell.ports.get("CO", ())
        )
        for cell in netlist.cells:
            if cell.kind in inside:
                self._children.append(inside[cell.kind])
                self._add_unit(cell, inside[cell.kind], label(cell))
            else:
                self._add_cell(cell, carries)

    def _add_unit(self, cell: Cell, child: Timing, name: str) -> None:
        def net_of(bit: Bit) -> int:
            port, index = bit
            nets = cell.ports.get(port, ())
            return nets[index] if index < len(nets) else -1

        for bit, front in child.starts.items():
            self._starts[net_of(bit)] = (name, front)
        for bit, front in child.ends.items():
            if (net := net_of(bit)) >= 0:
                self._ends.append((net, name, front, f"{cell.name}.{bit[0]}"))
        for bit, sources in child.through.items():
            before = self._before.setdefault(net_of(bit), [])
            before += [(net_of(source), front) for source, front in sources.items()]

    def _add_cell(self, cell: Cell, carries: frozenset[int]) -> None:
        passing: set[int] = set()
        for net, to, delay in arcs(cell, carries):
            passing.add(net)
            if net >= 0:
                self._before.setdefault(to, []).append((net, (delay,)))
        outputs = [
            net for port, nets in cell.ports.items() if port not in cell.inputs for net in nets
        ]
        target = next((self._names[net] for net in outputs if net in self._names), cell.name)
        logic = cell.kind.startswith(("LUT", "INV", "MUXF", "CARRY", "BUF"))
        if not logic:
            for net in outputs:
                self._starts[net] = (REGISTER, NOTHING)
            for port in sorted(cell.inputs):
                for net in cell.ports[port]:
                    if net >= 0 and net not in passing:
                        self._ends.append((net, REGISTER, NOTHING, target))

    def children(self) -> Iterable[Timing]:
        return self._children

    def ends(self) -> Iterator[tuple[int, Front]]:
        """Each net on which paths end, and what comes behind it."""
        yield from dict.fromkeys((net, front) for net, _, front, _ in self._ends)

    def arrivals(self, inputs: Mapping[int, Source]) -> Arrivals:
        """A function from a net to the paths that lead to it, by where they begin."""
        known: dict[int, dict[Source, Front]] = {-1: {}}

        def compute(net: int) -> dict[Source, Front]:
            result: dict[Source, Front] = {}
            if net in inputs:
                result[inputs[net]] = NOTHING
            if net in self._starts:
                name, front = self._starts[net]
                result[name] = union(result.get(name, front), front)
            for before, step in self._before.get(net, ()):
                for source, arrival in known[before].items():
                    total = after(arrival, step)
                    result[source] = union(result.get(source, total), total)
            return result

        def arrivals(net: int) -> Mapping[Source, Front]:
            # Depth first with a stack of its own: carry chains may be long.
            stack = [net]
            under_way: set[int] = set()
            while stack:
                here = stack[-1]
                if here in known:
                    stack.pop()
                    continue
                waiting = [b for b, _ in self._before.get(here, ()) if b not in known]
                if waiting and here not in under_way:
                    under_way.add(here)
                    stack += waiting
                    continue
                loop = [b for b in waiting if b in under_way]
                if loop:
                    raise ValueError(f"combinational loop through {self._name(loop[0])}")
                stack.pop()
                known[here] = compute(here)
            return known[net]

        return arrivals

    def paths(
        self, arrivals: Arrivals, outputs: Iterable[tuple[int, str, Front]] = ()
    ) -> Iterator[Path]:
        """The worst path between each two places, those that begin at an input left out."""
        best: dict[tuple[str, str], tuple[Delay, int, Delay, str]] = {}
        named = [(net, place, front, self._name(net)) for net, place, front in outputs]
        for net, end, front, target in (*self._ends, *named):
            for source, arrival in arrivals(net).items():
                if isinstance(source, str):
                    delay = worst(after(arrival, front))
                    old = best.get((source, end))
                    if old is None or delay.rank > old[0].rank:
                        first = max(
                            (a for a in arrival for b in front if a.plus(b) == delay),
                            default=arrival[0],
                        )
                        best[source, end] = (delay, net, first, target)
        for (start, end), (delay, net, first, target) in best.items():
            yield Path(delay, start, end, (self._begin(net, start, first, arrivals), target))

    def _begin(self, net: int, start: str, delay: Delay, arrivals: Arrivals) -> str:
        """The name of the register at which a path begins."""
        while True:
            if net in self._starts:
                name, front = self._starts[net]
                if name == start and delay in front:
                    return self._name(net)
            for before, step in self._before.get(net, ()):
                found = [
                    d for s in step for d in arrivals(before).get(start, ()) if d.plus(s) == delay
                ]
                if found:
                    net, delay = before, found[0]
                    break
            else:
                return self._name(net)

    def _name(self, net: int) -> str:
        return self._names.get(net, f"net {net}")


def _bits(netlist: Netlist, direction: str) -> Iterator[tuple[Bit, int]]:
    for name, (way, nets) in netlist.ports.items():
        if way == direction:
            for index, net in enumerate(nets):
                if net >= 0:
                    yield (name, index), net
