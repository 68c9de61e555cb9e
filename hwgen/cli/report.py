# SPDX-License-Identifier: Apache-2.0
"""``hwgen report``."""

from pathlib import Path

from hwgen.cli.console import out, show_paths
from hwgen.cli.summary import headline, limits, listing, rtl_table
from hwgen.design import PAGE, REPORT, open_design


def run(directory: Path) -> None:
    """Shows the report of a written design."""
    report = open_design(directory).summary
    console = out()
    console.print(headline(report))
    if report.verification.rtl:
        console.print(rtl_table(report, report.verification.rtl))
    console.print(limits(report))
    console.print(listing(report))
    show_paths(page=directory / PAGE, data=directory / REPORT)
