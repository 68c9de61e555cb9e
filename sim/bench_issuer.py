# SPDX-License-Identifier: Apache-2.0
"""Bench of kernels_rtl/issuer.sv: random items against a model of what their rows wait for.

No row may be sent before what it reads has arrived, and none much later than that.
"""

from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import log2
from typing import Any

import cocotb
import numpy as np
from cocotb.triggers import RisingEdge

from hwgen.program.fields import Buffer
from sim.lanes import idle, start_clock
from sim.structs import enumeration, struct

SOURCE, ITEM = (enumeration(name) for name in ("source_t", "item_kind_t"))
PASS, MEASURE, NORMALISE = ITEM.values()
SCORES = 4
GELU = ("one", "slope", "multiplier", "shift")
SLACK = 4
"""Cycles in which the issuer finds that an item may start, and starts it."""

FAR = -1000  # a cycle long ago
MEANS = 5000  # address of a vector that is no row of a matrix

Item = dict[str, int]


@dataclass(frozen=True)
class Distances:
    """Cycles from the issue of a row to that of one that needs what it leaves, by the lengths of
    the units behind the issuer.
    """

    lanes: int

    @property
    def ratio(self) -> int:
        """A read, scores to a ratio."""
        return 2 + (2 + int(log2(self.lanes)) + 2 + 9 + 3)

    @property
    def result(self) -> int:
        """Behind that the epilogue."""
        return self.ratio + 16

    @property
    def write(self) -> int:
        return self.result + 1

    @property
    def maximum(self) -> int:
        return self.result + (1 + int(log2(self.lanes)) + 2) + 2

    @property
    def statistics(self) -> int:
        return self.result + (2 + int(log2(self.lanes)) + 2) + 2

    normalise = 2 + (6 + 9 + 3) + 2
    sums = 2 + 2
    summed = 16 + 2 + 1


def random_items(rng: np.random.Generator, count: int) -> Iterator[Item]:
    """Mostly of few rows; a pass without a source follows one that leaves its sums, a mean the rows
    that it is of.
    """

    def place(name: str) -> Item:
        """A slice of a matrix; of strides there are several."""
        base = int(rng.choice([0, 40, 300]))
        address = base + int(rng.integers(0, 3)) * int(rng.choice([7, 50, 120]))
        return {f"{name}_base": base, f"{name}_address": address}

    def gelu() -> Item:
        chosen = int(rng.integers(1, 3))
        return {f"gelu_{name}": chosen for name in GELU}

    def selection(rows: int) -> Iterator[Item]:
        """Some slices, their passes right behind each other or each with a mean."""
        mean, target = rng.random() < 0.5, place("target")
        for again in range(int(rng.integers(1, 4))):
            target |= {"last": 1, "target": int(Buffer.RESIDUAL)}
            yield {
                "kind": PASS, "rows": rows, "source": none, "select": 1, "residual": 1, "summed": 1,
                "again": int(again > 0), "follow": int(rng.random() < 0.7), **place("source"),
                **place("residual"), **target,
            }  # fmt: skip
            if mean:
                yield {"kind": PASS, "rows": 1, "source": none, "mean": 1} | target

    none = SOURCE["SOURCE_NONE"]
    kinds = [PASS] * 7 + [MEASURE, NORMALISE]
    for _ in range(count):
        rows = int(rng.integers(1, 9)) if rng.random() < 0.8 else int(rng.integers(9, 121))
        item = {"kind": int(rng.choice(kinds)), "rows": rows} | place("source")
        if item["kind"] != PASS:
            yield item
            continue
        if rng.random() < 0.15:
            yield from selection(rows)
            continue
        target = int(rng.choice([*Buffer, SCORES]))
        end: Item = {"last": 1, "target": target} | place("target")
        if target == SCORES:
            end["target_base"] = 0
        if target in (Buffer.WORK, Buffer.VALUE) and rng.random() < 0.5:
            end |= {"gelu": 1} | gelu()
        if target in (Buffer.RESIDUAL, Buffer.OUTPUT) and rng.random() < 0.5:
            end |= {"residual": 1} | place("residual")
        sources = ("SOURCE_WORK", "SOURCE_RESIDUAL", "SOURCE_SCORES")
        item |= {"source": SOURCE[str(rng.choice(sources))], "has_tile": int(rng.random() < 0.8)}
        item["follow"] = int(rng.random() < 0.9)
        if item["source"] == SOURCE["SOURCE_WORK"] and rng.random() < 0.2:
            item |= {"follow": 0, "broadcast": 1, "source_address": MEANS}
        choice = rng.random()
        if choice < 0.2:
            yield item
            yield {"kind": PASS, "rows": rows, "source": none} | end
        elif choice < 0.4:
            yield item
        elif target == Buffer.WORK and choice < 0.7:
            yield item | end | {"summed": 1}
            mean = {"kind": PASS, "rows": 1, "source": none, "mean": 1, "last": 1}
            yield mean | {"target": target, "target_address": MEANS}
        else:
            yield item | end


def writes_to(item: Item) -> int | None:
    """What the rows of ``item`` leave something in."""
    if item["kind"] == MEASURE:
        return int(Buffer.RESIDUAL)
    return item["target"] if item.get("last") else None


def is_pass(item: Item, source: str) -> bool:
    return item["kind"] == PASS and item["source"] == SOURCE[source]


@dataclass(frozen=True)
class Need:
    """Something that an item reads: for each row the cycle from which it is there, and the cycle
    until which the issuer may wait with the first one.
    """

    there: Sequence[int]
    latest: int


@dataclass
class Writer:
    """The last item that left something in a target."""

    base: int
    address: int
    count: int  # of its rows
    rows: list[int]  # cycles in which they were issued, then those of their means
    select: bool  # which row lies where is not known here


@dataclass
class Model:
    """What was issued, and what an item needs."""

    away: Distances
    writers: dict[int, Writer] = field(default_factory=dict)
    vectors: dict[tuple[int, int], int] = field(default_factory=dict)
    """When the row was issued that wrote the address of a target last."""
    before: Item = field(default_factory=dict)
    rows: list[int] = field(default_factory=lambda: [FAR])
    """Of the item before; one that has none has a cycle of its own."""
    normalise: int = 0  # the first cycle after reset counts as one
    gelu: tuple[int, int] = (FAR, 0)
    """The last row with GELU and its constants."""
    summed: int = FAR
    """The last row that was summed."""
    scores: int = FAR
    """The last row of exponentials."""

    def needs(self, item: Item) -> list[Need]:
        away, count = self.away, item["rows"]
        found = []

        def rows_of(target: int, base: int, distance: int) -> None:
            """The same row of the last writer, or all of them where it wrote another matrix."""
            if target in self.writers:
                writer = self.writers[target]
                follows = base == writer.base and not writer.select
                there = [cycle + distance for cycle in writer.rows]
                found.append(Need(there if follows else there[-1:], there[0 if follows else -1]))

        def vectors_of(target: int, name: str, most: int) -> None:
            """Vectors of a buffer: one by one where the last writer wrote this matrix, and these do
            not begin inside of what it wrote.
            """
            if target not in self.writers:
                return
            base, address = item[f"{name}_base"], item[f"{name}_address"]
            writer = self.writers[target]
            apart = not writer.address < address < writer.address + writer.count
            may = item.get("follow") if name == "source" else not item.get("select")
            follows = item["kind"] == PASS and base == writer.base and apart
            follows = follows and bool(may) and not writer.select
            broadcast = item.get("broadcast", 0)
            there = [
                self.vectors.get((target, address + (0 if broadcast else row)), FAR) + away.write
                for row in range(count)
            ]
            found.append(Need(there, writer.rows[0 if follows else -1] + most))

        if item["kind"] == MEASURE:
            vectors_of(Buffer.RESIDUAL, "source", away.statistics)
        elif item["kind"] == NORMALISE:
            rows_of(Buffer.RESIDUAL, item["source_base"], away.statistics)
        elif is_pass(item, "SOURCE_WORK"):
            vectors_of(Buffer.WORK, "source", away.write)
        elif is_pass(item, "SOURCE_SCORES"):
            rows_of(SCORES, 0, away.maximum)
        elif is_pass(item, "SOURCE_RESIDUAL"):
            walk = [self.normalise + away.normalise + row for row in range(count)]
            found.append(Need(walk, walk[0]))
        else:
            sums = [cycle + away.sums for cycle in self.rows]
            found.append(Need(sums, sums[0]))
        if item.get("mean"):
            there = self.summed + away.summed
            found.append(Need([there], there))
        if item.get("select") and not item["again"]:
            vectors_of(Buffer.WORK, "source", away.write)
        if item.get("residual") and not item.get("again"):
            vectors_of(Buffer.RESIDUAL, "residual", away.statistics)
        if item.get("gelu") and self.gelu[1] not in (0, item["gelu_one"]):
            there = self.gelu[0] + away.write
            found.append(Need([there], there))
        return found

    def begin(self, item: Item, cycle: int) -> None:
        self.before, self.rows = item, []
        if item["kind"] == NORMALISE:
            self.normalise = cycle
            self.rows.append(cycle)
        target = writes_to(item)
        if item["kind"] == MEASURE:
            # It reads what has arrived: anything may follow.
            place = (item["source_base"], 1 << 16, item["rows"])
            self.writers[Buffer.RESIDUAL] = Writer(*place, self.rows, False)
        elif target is not None and not item.get("mean"):
            place = (item["target_base"], item["target_address"], item["rows"])
            self.writers[target] = Writer(*place, self.rows, bool(item.get("select")))

    def issue(self, item: Item, cycle: int) -> None:
        target = writes_to(item)
        if target is not None and item["kind"] == PASS:
            writer = self.writers[target]
            places = [item["target_address"] + len(self.rows)]
            if writer.select:
                places = [writer.address + row for row in range(writer.count + 1)]
            self.vectors |= dict.fromkeys([(target, address) for address in places], cycle)
            if item.get("mean"):
                writer.rows.append(cycle)
        self.rows.append(cycle)
        if item.get("summed"):
            self.summed = cycle
        if is_pass(item, "SOURCE_SCORES"):
            self.scores = cycle
        if item.get("gelu"):
            self.gelu = (cycle, item["gelu_one"])

    def settled(self, target: int, cycle: int) -> bool | None:
        """Whether all rows have arrived; None: they just have, or one is issued in this cycle."""
        away = self.away.statistics if target == Buffer.RESIDUAL else self.away.write
        if target not in self.writers:
            return True
        since = cycle - (self.writers[target].rows or [cycle])[-1]
        if since > away + 1:
            return True
        return None if since in (0, away, away + 1) else False


class Bench:
    def __init__(self, dut: Any, seed: int) -> None:
        self.dut, self.rng = dut, np.random.default_rng(seed)
        self.depth = int(dut.OUTPUT_DEPTH.value)
        self.model = Model(Distances(int(dut.LANES.value)))
        self.cycle = 0
        self.seen: Counter[str] = Counter()

    async def begin(self) -> None:
        dut = self.dut
        start_clock(dut)
        for name in ("item_valid", "tile_ready", "table_ready", "output_taken", "item"):
            getattr(dut, name).value = 0
        dut.reset.value = 1
        await idle(dut, 4)
        dut.reset.value = 0

    async def run(self, items: Sequence[Item], calm: bool = False) -> None:
        """Sends the items and checks each cycle. With ``calm`` nothing outside is waited for."""
        dut, rng, model, away = self.dut, self.rng, self.model, self.model.away
        layout = struct("item_t")
        waiting = deque(items)
        item: Item | None = None  # whose rows are sent
        needs: list[Need] = []
        row = 0
        starting = False
        since: dict[str, int] = {}  # when each signal came
        queue: deque[int] = deque()  # rows on their way to the output queue, and in it
        held = held_before = 0
        ready = {name: Ready() for name in ("item", "tile", "table")}
        share = 1.0
        end = self.cycle + 200 * len(items)
        while waiting or item is not None or starting or queue:
            cycle = self.cycle
            assert cycle < end, "the issuer hangs"
            for name, signal in ready.items():
                signal.step(cycle, bool(waiting) or name != "item")
            if waiting:
                dut.item.value = layout.pack(waiting[0])
            dut.item_valid.value = int(ready["item"].there)
            dut.tile_ready.value = int(ready["tile"].there)
            dut.table_ready.value = int(ready["table"].there)
            if cycle % 150 == 0:
                share = float(rng.choice([0.02, 0.3, 1.0]))
            taken = (
                bool(queue) and queue[0] + away.result < cycle and (calm or rng.random() < share)
            )
            dut.output_taken.value = int(taken)
            held, held_before = len(queue), held
            await RisingEdge(dut.clk)
            self.cycle += 1

            # What started in the last cycle.
            if starting:
                assert item is not None
                needs = model.needs(item)
                self.in_time(item, needs, cycle, since)
                model.begin(item, cycle)
                row = 0
            walks = starting and item is not None and item["kind"] == NORMALISE
            assert int(dut.normalise_start.value) == walks
            if walks:
                assert all(cycle >= need.there[0] for need in needs), (cycle, item)
                item = None
            starting = False
            # The table is filled for another attention, when it may be.
            if int(dut.table_free.value) and not calm and rng.random() < 0.05:
                using = [item] if item is not None else []
                if not any(is_pass(one, "SOURCE_SCORES") for one in [*using, *waiting][:2]):
                    ready["table"].take(int(rng.integers(200)))

            # A row.
            to_output = item is not None and writes_to(item) == Buffer.OUTPUT
            if int(dut.row_valid.value):
                assert item is not None
                assert (int(dut.row.value), int(dut.row_first.value)) == (row, row == 0)
                found = layout.unpack(dut.current.value)
                assert found == {name: item.get(name, 0) for name in found}
                for need in needs:
                    there = need.there[min(row, len(need.there) - 1)]
                    assert cycle >= there, (cycle, row, there, item)
                assert ready["table"].there or not is_pass(item, "SOURCE_SCORES")
                model.issue(item, cycle)
                if to_output:
                    queue.append(cycle)
                row += 1
                if row == item["rows"]:
                    item = None
            elif item is not None:
                # The output queue alone stops an item that has begun.
                assert to_output and held_before >= self.depth - 1, (cycle, item, held_before)
                self.seen["queue full"] += 1
            if taken:
                queue.popleft()
            assert len(queue) <= self.depth
            self.check_what_is_kept(cycle, item is not None)

            # What starts in this cycle.
            tile_taken = int(dut.tile_taken.value)
            if ready["item"].there and int(dut.item_ready.value):
                assert item is None
                item, starting = waiting.popleft(), True
                since = {name: signal.since for name, signal in ready.items()}
                ready["item"].take(0 if calm else int(rng.integers(4)))
                assert tile_taken == (item["kind"] == PASS and item.get("has_tile", 0))
                if tile_taken:
                    assert ready["tile"].there
                    ready["tile"].take(0 if calm else int(rng.choice([0, 5, 40])))
            else:
                assert not tile_taken

    def in_time(
        self, item: Item, needs: Sequence[Need], cycle: int, since: Mapping[str, int]
    ) -> None:
        """The item that starts in ``cycle`` has waited for something until a moment ago."""
        model = self.model
        reasons = {
            "item": since["item"],
            "before": model.rows[-1] + 1 - SLACK,
            "pipeline": max((need.latest for need in needs), default=FAR),
        }
        if tile := item.get("has_tile"):
            reasons["tile"] = since["tile"] * tile
        if is_pass(item, "SOURCE_SCORES"):
            reasons["table"] = since["table"]
        last = max(reasons, key=lambda name: reasons[name])
        assert cycle > model.rows[-1]
        assert cycle <= reasons[last] + SLACK, (cycle, item, model.before, reasons)
        self.seen[last] += 1

    def check_what_is_kept(self, cycle: int, active: bool) -> None:
        """GELU's constants stay while rows that need them are on their way; what has arrived."""
        dut, model = self.dut, self.model
        last, constants = model.gelu
        if cycle <= last + model.away.result:
            held = struct("gelu_constants_t").unpack(dut.gelu_constants.value)
            assert held == dict.fromkeys(GELU, constants), (cycle, last)
        for target, port in ((Buffer.WORK, dut.work_settled), (Buffer.VALUE, dut.value_settled)):
            settled = model.settled(target, cycle)
            assert settled is None or int(port.value) == settled, (cycle, target)
        # The row's ratio is the last of softmax that it needs.
        since = cycle - model.scores
        if not 0 <= since - model.away.ratio <= 1 and since > 0:
            assert int(dut.table_free.value) == (since > model.away.ratio), since
        states = [model.settled(target, cycle) for target in model.writers]
        if active or False in states:
            assert not int(dut.all_settled.value)


@dataclass
class Ready:
    """A signal that is there until it is taken, and again a while later."""

    there: bool = False
    since: int = 0  # which cycle
    wait: int = 0

    def step(self, cycle: int, possible: bool) -> None:
        if not self.there and possible and self.wait == 0:
            self.there, self.since = True, cycle
        self.wait = max(self.wait - 1, 0)

    def take(self, wait: int) -> None:
        self.there, self.wait = False, wait


@cocotb.test()
async def random_streams(dut: Any) -> None:
    """With tiles, table, items and output queue busy at times; everything is waited for."""
    bench = Bench(dut, 0)
    await bench.begin()
    await bench.run(list(random_items(bench.rng, 600)))
    dut._log.info("waited for %s", dict(bench.seen))
    for reason in ("item", "before", "pipeline", "tile", "table", "queue full"):
        assert bench.seen[reason] >= 10, reason


@cocotb.test()
async def nothing_outside_to_wait_for(dut: Any) -> None:
    bench = Bench(dut, 1)
    await bench.begin()
    await bench.run(list(random_items(bench.rng, 300)), calm=True)
    assert bench.seen["before"] >= 20 and bench.seen["pipeline"] >= 20
    await idle(dut, 2 * bench.model.away.statistics)
    assert int(dut.all_settled.value)


@cocotb.test()
async def a_reset_forgets_what_was_on_its_way(dut: Any) -> None:
    for seed in range(2, 6):
        bench = Bench(dut, seed)
        await bench.begin()
        running = cocotb.start_soon(bench.run(list(random_items(bench.rng, 50))))
        await idle(dut, int(bench.rng.integers(100, 400)))
        running.cancel()
        again = Bench(dut, seed + 10)
        await again.begin()
        await again.run(list(random_items(again.rng, 30)))
