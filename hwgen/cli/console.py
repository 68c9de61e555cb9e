# SPDX-License-Identifier: Apache-2.0
"""What the command line looks like: panels for errors and warnings, bars for long work."""

import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.panel import Panel
from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars
from rich.text import Text

from hwgen.progress import Progress

PLAIN_UPDATE_S = 10.0
"""Seconds between two lines of progress where the output is no terminal."""


def out() -> Console:
    """The console of results."""
    return Console(highlight=False)


def err() -> Console:
    """The console of errors, warnings and progress, so that results can be piped."""
    return Console(stderr=True, highlight=False)


def show_error(message: str) -> None:
    """One paragraph in a red frame; plain text where standard error is no terminal."""
    _show(message, "error", "red")


def show_warning(message: str) -> None:
    """One paragraph in a yellow frame; plain text where standard error is no terminal."""
    _show(message, "warning", "yellow")


def _show(message: str, title: str, colour: str) -> None:
    console = err()
    if console.is_terminal:
        panel = Panel(Text(message), title=title, title_align="left", border_style=colour)
        console.print(panel)
    else:
        sys.stderr.write(f"{title}: {message}\n")


def show_paths(**paths: Path) -> None:
    """One line for each path, never broken, such as ``report: out/report.html``."""
    for name, path in paths.items():
        out().print(Text(f"{name}: {path}"), soft_wrap=True)


class _Warnings(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        show_warning(record.getMessage())


@contextmanager
def warnings_shown() -> Iterator[None]:
    """While it lasts, warnings of hwgen's modules are shown as panels."""
    logger = logging.getLogger("hwgen")
    handler = _Warnings(logging.WARNING)
    logger.addHandler(handler)
    propagate, logger.propagate = logger.propagate, False
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.propagate = propagate


@contextmanager
def progress() -> Iterator[Progress]:
    """A Progress that draws a bar, gone at the end; lines where no terminal is."""
    console = err()
    if not console.is_terminal:
        yield _Lines()
        return
    columns = (
        TextColumn("{task.description:16}"),
        BarColumn(bar_width=40),
        TextColumn("{task.fields[amount]}"),
        TimeElapsedColumn(),
    )
    with Bars(*columns, console=console, transient=True) as bars:
        task = bars.add_task("", total=None, amount="")
        current = ""

        def update(stage: str, done: int, total: int) -> None:
            nonlocal current, task
            if stage != current:
                current = stage
                bars.remove_task(task)
                task = bars.add_task(stage, total=None, amount="")
            amount = f"{done:,} of {total:,}" if total else ""
            bars.update(task, completed=done, total=total or None, amount=amount)

        yield update


class _Lines:
    """Progress as lines, for logs: at most one every few seconds."""

    def __init__(self) -> None:
        self._last = time.monotonic()

    def __call__(self, stage: str, done: int, total: int) -> None:
        now = time.monotonic()
        if now - self._last >= PLAIN_UPDATE_S:
            self._last = now
            amount = f" {done} of {total}" if total else ""
            sys.stderr.write(f"{stage}{amount}\n")
            sys.stderr.flush()
