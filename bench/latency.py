# SPDX-License-Identifier: Apache-2.0
"""``python -m bench.latency``: latency tables of DeiT by RTL simulation, beside HeatViT's, in
``docs/latency-tables.md``. What was measured is in the cache; tables are kept in
``bench/latency_tables/``.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from hwgen.cli.console import out, progress, show_error
from hwgen.errors import HwgenError
from hwgen.latency_table.make import KEEP, latency_table
from hwgen.prune.latency import LatencyTable
from hwgen.report.figures import percent

FOLDER = Path(__file__).parent
TABLES = FOLDER / "latency_tables"
PAGE = FOLDER.parent / "docs" / "latency-tables.md"
HEATVIT_MHZ = 150


@dataclass(frozen=True)
class Network:
    """A network, and what HeatViT's Table IV gives for a block of it at ``KEEP``, in ms."""

    name: str
    preset: str
    published: tuple[float, ...] | None = None

    @property
    def path(self) -> Path:
        """Its table."""
        return TABLES / f"{self.preset}.json"


NETWORKS = (
    Network("DeiT-Tiny", "deit-tiny", (1.034, 0.945, 0.881, 0.764, 0.702, 0.636)),
    Network("DeiT-Small", "deit-small", (3.161, 2.837, 2.565, 2.255, 1.973, 1.682)),
    Network("DeiT-Base", "deit-base"),
)


def main(
    only: Annotated[
        str, typer.Option("--only", help="Networks whose name holds this text; others stay.")
    ] = "",
    page: Annotated[
        bool, typer.Option("--page", help="Write the page from the tables there are.")
    ] = False,
) -> None:
    """Measures the networks and writes the page."""
    try:
        for network in (network for network in NETWORKS if only in network.name and not page):
            with progress() as update:
                table = latency_table(f"preset:{network.preset}", KEEP, progress=update)
            TABLES.mkdir(exist_ok=True)
            table.save(network.path)
            out().print(f"{network.name}: {network.path.name} written")
    except HwgenError as error:
        show_error(str(error))
        raise typer.Exit(2) from None
    PAGE.write_text(text())


def text() -> str:
    """The page from the tables there are; the same tables give the same text."""
    environment = Environment(
        loader=FileSystemLoader(FOLDER, encoding="utf-8"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )
    known = [network for network in NETWORKS if network.path.is_file()]
    return environment.get_template("latency.md.j2").render(
        networks=[rows(network, LatencyTable.load(network.path)) for network in known],
        keep=KEEP,
        heatvit_mhz=HEATVIT_MHZ,
    )


def rows(network: Network, table: LatencyTable) -> dict[str, object]:
    """What the page says of a network.

    The block is the mean over all blocks of the network; its selector sees all tokens. The dense
    block has no selector, as in Table IV, whose first column times twelve is the dense network.
    """
    blocks = [sum(column) / table.blocks for column in zip(*table.block_cycles, strict=True)]
    selector = table.selector_cycles[0][0]
    total = [blocks[0], *(cycles + selector for cycles in blocks[1:])]
    published = network.published
    return {
        "name": network.name,
        "preset": network.preset,
        "clock": f"{table.clock_mhz:g}",
        "ratios": table.keep_ratios,
        "blocks": [f"{cycles:,.0f}" for cycles in blocks],
        "selector": f"{selector:,.0f}",
        "share": percent(selector / total[-1]),
        "total": [f"{cycles:,.0f}" for cycles in total],
        "ms": [f"{table.milliseconds(cycles):.3f}" for cycles in total],
        "slow": [f"{cycles / HEATVIT_MHZ / 1e3:.3f}" for cycles in total],
        "relative": [percent(cycles / total[0]) for cycles in total],
        "published": None if published is None else [f"{ms:.3f}" for ms in published],
        "published_relative": None
        if published is None
        else [percent(ms / published[0]) for ms in published],
    }


if __name__ == "__main__":
    typer.run(main)
