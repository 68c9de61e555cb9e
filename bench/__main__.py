# SPDX-License-Identifier: Apache-2.0
"""``python -m bench``: measures what is stale, then writes the page and the drawing."""

from typing import Annotated

import typer

from bench.cases import CASES
from bench.measure import load, measure, save
from bench.page import write
from hwgen.cli.console import out, progress, show_error
from hwgen.errors import HwgenError


def main(
    only: Annotated[
        str, typer.Option("--only", help="Cases whose name holds this text; others stay.")
    ] = "",
) -> None:
    """Measures by RTL simulation; a result is kept until what decides it changes.

    Ctrl-C loses the case at work, no other.
    """
    results = load()
    console = out()
    try:
        for case in (case for case in CASES if only in case.name):
            with progress() as update:
                known = results.get(case.name)
                found = measure(
                    case,
                    known,
                    lambda *step, name=case.name: update(f"{name}: {step[0]}", *step[1:]),
                )
            fresh = known is None or known["digest"] != found["digest"]
            results[case.name] = found
            save(results)
            state = f"{found['seconds']:.0f} s" if fresh else "still holds"
            console.print(f"{case.name}: {found['cycles']:,} cycles ({state})")
    except KeyboardInterrupt:
        console.print("Stopped. Results so far are kept; run it again for the rest.")
        raise typer.Exit(130) from None
    except HwgenError as error:
        show_error(str(error))
        raise typer.Exit(2) from None
    finally:
        write({case.name: results[case.name] for case in CASES if case.name in results})


typer.run(main)
