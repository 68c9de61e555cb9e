# SPDX-License-Identifier: Apache-2.0
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from hwgen.design import build
from hwgen.report.html import html
from hwgen.report.schema import CsimResult, Fidelity, Report, Resources, Verification

VOID = {"meta", "br"}
"""Never closed. ``rect`` and ``path`` close themselves."""


class Checker(HTMLParser):
    """Fails where a tag is closed that is not the innermost open one."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_is_well_formed_and_stands_alone(report: Report) -> None:
    page = html(report).decode()
    checker = Checker()
    checker.feed(page)
    assert not checker.open
    assert not re.search(r"https?://|<script|<link|@import|url\(", page)


def test_the_page_of_a_measured_design_is_well_formed_too(measured: Report) -> None:
    page = html(measured).decode()
    checker = Checker()
    checker.feed(page)
    assert not checker.open
    assert not re.search(r"https?://|<script|<link|@import|url\(", page)
    assert html(measured).decode() == page


def test_the_page_of_a_pruned_design_is_well_formed_too() -> None:
    images = np.random.default_rng(5).integers(0, 256, (2, 28, 28, 1), np.uint8)
    page = html(build("preset:fashion-vit@3:0.6,5:0.3", calibration=images).summary).decode()
    checker = Checker()
    checker.feed(page)
    assert not checker.open
    assert not re.search(r"https?://|<script|<link|@import|url\(", page)


def test_a_network_that_keeps_every_token_says_nothing_of_pruning(report: Report) -> None:
    page = html(report).decode()
    for word in ("pruning</h2>", "token selector", 'class="plot"', "base64"):
        assert word not in page


def test_measured_cycles_come_first_and_the_prediction_beside_them(measured: Report) -> None:
    page, rtl = html(measured).decode(), measured.verification.rtl
    assert rtl is not None
    assert "images per second by RTL simulation at 300 MHz; predicted" in page
    assert f"{rtl.cycles:,} cycles measured, {measured.cycles.predicted:,} predicted" in page
    assert "What each unit of the SystemVerilog engine did" in page
    for clock, rate in rtl.fps.items():
        assert f'{clock} MHz</td><td class="n">{rate:,.1f}</td>' in page
    assert "lower bounds" in page
    assert "42 bytes a cycle; 912,345 bytes moved" in page
    assert "The prediction of the run is -" in page
    assert page.count('<tr class="worst">') == 1
    assert page.count('class="n small"') > 1
    assert f"on {rtl.images} images, from image in memory to logits in memory" in page
    assert "has not confirmed" not in page
    assert "Not yet measured" not in page


def test_an_unmeasured_design_claims_nothing(report: Report) -> None:
    page = html(report).decode()
    for word in ('drawing" viewBox', "off by", "measured</th>", "lower bounds"):
        assert word not in page
    assert "RTL simulation has not been run" in page


def test_it_shows_the_figures_and_the_program(report: Report) -> None:
    page = html(report).decode()
    assert "fashion-vit" in page
    assert f"{report.cycles.predicted:,} cycles" in page
    assert page.count('class="op"') == len(report.instructions)
    assert "block 5" in page
    assert "Not measured yet" in page
    assert all(limit.partition(":")[0] in page for limit in report.limits)


def test_no_bar_is_wider_than_the_chart(report: Report) -> None:
    widths = [float(width) for width in re.findall(r"width:([\d.]+)%", html(report).decode())]
    assert widths
    assert max(widths) <= 100.0


def test_what_was_measured_is_shown(report: Report) -> None:
    fidelity = Fidelity(metric="top-1", float=0.913, quantised=0.909, agreement=0.98, images=1000)
    synth = Resources(lut=123_456, ff=1, dsp=2, bram36=3)
    page = html(
        report.model_copy(
            update={
                "fidelity": fidelity,
                "verification": Verification(csim=CsimResult(images=10, instructions=46)),
                "resources": report.resources.model_copy(update={"synth": synth}),
            }
        )
    ).decode()
    assert "float 91.30" in page
    assert "on 10 images, and 46 instructions" in page
    assert "LUT (Vivado)" in page
    assert "123,456" in page


def test_agreement_is_shown_where_there_are_no_labels(report: Report) -> None:
    fidelity = Fidelity(metric="agreement", agreement=0.975, images=40)
    page = html(report.model_copy(update={"fidelity": fidelity})).decode()
    assert "same class on 97.50" in page
    assert "Top-1" not in page


@pytest.mark.parametrize("name", ["<b>bold</b>", 'a"b&c'])
def test_names_are_escaped(report: Report, name: str) -> None:
    page = html(report.model_copy(update={"model": name})).decode()
    assert name not in page
