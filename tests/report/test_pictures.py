# SPDX-License-Identifier: Apache-2.0
"""The pictures of token pruning: on the page, and as a file."""

import re

import numpy as np
import pytest

from hwgen.design import Design, build
from hwgen.report.figures import percent, saved
from hwgen.report.html import html
from hwgen.report.pictures import LARGEST, MOST_PICTURES, patches, picture, pixels
from hwgen.report.pictures_page import strips
from hwgen.report.pictures_png import pruning_picture
from hwgen.report.schema import Pruning, Report, RtlResult, Verification
from hwgen.report.token_plots import WIDTH, histograms, scatter

IMAGES = np.random.default_rng(5).integers(0, 256, (9, 28, 28, 1), np.uint8)


@pytest.fixture(scope="module")
def design() -> Design:
    """Two selectors that keep at most 60 % and 30 % of the patches."""
    return build("preset:fashion-vit@3:0.6,5:0.3", calibration=IMAGES)


@pytest.fixture(scope="module")
def pruned(design: Design) -> Report:
    return design.summary


@pytest.fixture(scope="module")
def pruning(pruned: Report) -> Pruning:
    assert pruned.pruning is not None
    return pruned.pruning


def test_a_small_grey_image_stays_exact() -> None:
    shown = np.asarray(pixels(picture(IMAGES[0])))
    assert np.array_equal(shown, np.repeat(IMAGES[0], 3, axis=2))
    assert picture(IMAGES[0]) == picture(IMAGES[0].copy()) != picture(IMAGES[1])


def test_a_large_image_is_made_smaller_and_keeps_its_shape() -> None:
    colours = np.zeros((224, 448, 3), np.uint8)
    colours[:, 224:] = (10, 200, 30)
    shown = pixels(picture(colours))
    assert shown.size == (LARGEST, LARGEST // 2)
    assert shown.getpixel((5, 5)) == (0, 0, 0)
    assert shown.getpixel((LARGEST - 5, 5)) == (10, 200, 30)


def test_dropped_patches_are_covered(pruned: Report, pruning: Pruning) -> None:
    found = strips(pruning, pruned.batch)
    assert len(found) == MOST_PICTURES
    for strip, kept, run in zip(found, pruning.kept, pruning.runs, strict=True):
        assert strip.cycles == f"{run.predicted:,} cycles"
        assert strip.panels[0].dropped == ""
        for panel, digits in zip(strip.panels[1:], kept.patches, strict=True):
            covered = np.zeros(pruning.grid, int)
            for rectangle in re.findall(r"M(\d+) (\d+)h(\d+)v1h-(\d+)z", panel.dropped):
                x, y, width, back = map(int, rectangle)
                assert width == back
                covered[y, x : x + width] += 1
            left = patches(digits, pruning.grid)
            assert np.array_equal(covered, ~left)
            assert panel.caption == f"{left.sum()}"


def test_several_images_of_a_run_share_their_cycles(pruning: Pruning) -> None:
    assert {strip.cycles for strip in strips(pruning, 4)} == {""}


def test_the_page_shows_images_and_stands_alone(pruned: Report, pruning: Pruning) -> None:
    page = html(pruned).decode()
    assert page.count('href="data:image/png;base64,') == MOST_PICTURES
    assert page.count("<use ") == MOST_PICTURES * len(pruning.selectors)
    for number in range(MOST_PICTURES):
        assert page.count(f'id="image{number}"') == 1
        assert page.count(f'href="#image{number}"') == 2
    assert f"{percent(saved(pruning))} fewer than" in page
    assert "No pictures" not in page
    assert html(pruned).decode() == page


def test_random_pixels_are_not_shown() -> None:
    report = build("preset:fashion-vit@3:0.5").summary
    page = html(report).decode()
    assert "base64" not in page + report.to_json()
    assert "No pictures: the images were random pixels" in page


def test_bars_count_every_image(pruning: Pruning) -> None:
    plot = histograms(pruning)
    for chart in plot.charts:
        titles = [re.fullmatch(r".* tokens: (\d+) images?", bar.title) for bar in chart.bars]
        assert sum(int(title[1]) for title in titles if title) == pruning.images
        for bar in chart.bars:
            assert plot.left <= bar.x and bar.x + bar.width <= WIDTH
            assert chart.top <= bar.y and bar.y + bar.height == pytest.approx(chart.base)


def test_dots_are_runs_measured_ones_beside_predicted(
    pruned: Report, pruning: Pruning, measured: Report
) -> None:
    alone = scatter(pruned, pruning)
    assert alone is not None
    assert alone.measured == ()
    rtl = measured.verification.rtl
    assert rtl is not None
    runs = tuple(r.model_copy(update={"measured": r.predicted + 500}) for r in pruning.runs)
    result: RtlResult = rtl.model_copy(update={"runs": runs})
    both = scatter(pruned.model_copy(update={"verification": Verification(rtl=result)}), pruning)
    assert both is not None
    assert len(both.measured) == len(both.predicted) == len(set(pruning.runs))
    for slow, fast in zip(both.measured, both.predicted, strict=True):
        assert slow.x == fast.x
        assert slow.y < fast.y
    # 197 tokens in blocks 0 and 1, then those behind each selector in two blocks.
    rows = pruning.runs[0].rows
    tokens = f"{(2 * 197 + 2 * rows[0] + 2 * rows[1]) / 6:.1f} tokens"
    assert any(dot.title.startswith(tokens) for dot in both.predicted)


def test_a_line_needs_runs_that_differ(pruned: Report, pruning: Pruning) -> None:
    runs = tuple(
        pruning.runs[0].model_copy(update={"rows": (n, n), "predicted": 1000 + 80 * n})
        for n in (60, 90, 120)
    )
    found = scatter(pruned, pruning.model_copy(update={"runs": runs}))
    assert found is not None
    # Four of six blocks see n tokens, so a token in every block is 1.5 of them.
    assert found.line and found.slope == pytest.approx(120)
    one = scatter(pruned, pruning.model_copy(update={"runs": runs[:1]}))
    assert one is not None
    assert one.line == ""


def test_the_picture_as_a_file(pruning: Pruning) -> None:
    image = pruning_picture(pruning, "title")
    again = pruning_picture(pruning, "title")
    assert image.tobytes() == again.tobytes()
    fewer = pruning.model_copy(update={"kept": pruning.kept[:2]})
    assert pruning_picture(fewer, "title").height < image.height
    everything = "ff" * 25
    kept = pruning.kept[0].model_copy(update={"patches": (everything, everything)})
    whole = pruning_picture(pruning.model_copy(update={"kept": (kept,)}), "title")
    part = pruning_picture(pruning.model_copy(update={"kept": pruning.kept[:1]}), "title")
    assert whole.size == part.size
    assert whole.tobytes() != part.tobytes()
