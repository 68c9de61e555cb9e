# SPDX-License-Identifier: Apache-2.0
"""What the report says of a network that selects tokens."""

import numpy as np
import pytest

from hwgen.data_files import Data
from hwgen.design import Design, build
from hwgen.estimate.cycles import estimate_cycles
from hwgen.estimate.timing import Timing
from hwgen.golden.selections import rows_written, selections
from hwgen.report.limits import limits
from hwgen.report.pruning import MOST_IMAGES, pruning, run_cycles, with_shares
from hwgen.report.schema import Pruning

IMAGES = np.random.default_rng(5).integers(0, 256, (20, 28, 28, 1), np.uint8)


@pytest.fixture(scope="module")
def design() -> Design:
    """Two selectors that keep at most 60 % and 30 % of the patches."""
    return build("preset:fashion-vit@3:0.6,5:0.3", calibration=IMAGES)


@pytest.fixture(scope="module")
def found(design: Design) -> Pruning:
    pruning = design.summary.pruning
    assert pruning is not None
    return pruning


def test_selectors_and_their_share(design: Design, found: Pruning) -> None:
    report = design.summary
    first, second = found.selectors
    assert [(s.name, s.block) for s in found.selectors] == [
        ("selector3", "block 2"),
        ("selector5", "block 4"),
    ]
    assert (first.rows_in.least, first.rows_in.most) == (197, 197)
    assert first.rows_out.least <= first.rows_out.mean <= first.rows_out.most <= 120
    assert second.rows_in == first.rows_out
    assert sum(count.images for count in first.counts) == found.images == 8
    assert found.real
    assert found.grid == (14, 14)
    parts = {item.index: item.cycles for item in report.instructions if item.part == "selector"}
    assert sum(parts.values()) == first.cycles + second.cycles
    assert first.share == first.cycles / report.cycles.predicted


def test_predictions_are_those_of_the_rows_of_a_run(design: Design, found: Pruning) -> None:
    program = design.program
    runs = selections(program, program.input.pack(IMAGES[:8], program.engine.lanes))
    assert [run.rows for run in found.runs] == [rows_written(run) for run in runs]
    for run, shown in zip(runs, found.runs, strict=True):
        assert shown.predicted == estimate_cycles(program, Timing(), rows_written(run)).total
        assert shown.measured is None
    assert design.summary.cycles.predicted == found.runs[0].predicted
    assert sum(i.cycles for i in design.summary.instructions) == found.runs[0].predicted
    assert found.cycles_mean == np.mean([run.predicted for run in found.runs])
    assert found.cycles_most == estimate_cycles(program).total >= found.cycles_mean
    # A network with fewer tokens has less to do.
    dense = build("preset:fashion-vit", calibration=IMAGES[:1]).summary
    assert found.macs_mean < 0.7 * dense.macs
    assert found.macs_dense == dense.macs
    assert design.summary.cycles.predicted < 0.8 * dense.cycles.predicted
    assert dense.pruning is None


def test_patches_that_stay_are_bits(design: Design, found: Pruning) -> None:
    assert [kept.image for kept in found.kept] == list(range(8))
    for image, kept in enumerate(found.kept):
        before = np.ones(196, bool)
        for digits, rows in zip(kept.patches, found.runs[image].rows, strict=True):
            patches = np.unpackbits(np.frombuffer(bytes.fromhex(digits), np.uint8))
            assert not patches[196:].any()
            # Class token and package token are no patches.
            assert patches.sum() == rows - 2
            assert not (patches[:196].astype(bool) & ~before).any()
            before = patches[:196].astype(bool)


def test_few_runs_and_images_are_listed(design: Design, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hwgen.report.pruning.MOST_RUNS", 3)
    program = design.program
    runs = selections(program, program.input.pack(IMAGES, program.engine.lanes))
    seen = pruning(program, Timing(), runs, IMAGES, design.summary.instructions, sum, 1, real=False)
    assert seen is not None
    assert (len(seen.runs), len(seen.kept), seen.images) == (3, MOST_IMAGES, 20)
    assert sum(count.images for count in seen.selectors[0].counts) == 20


def test_measured_cycles_stand_beside_predicted_ones(design: Design) -> None:
    program = design.program
    runs = selections(program, program.input.pack(IMAGES[:2], program.engine.lanes))
    first, second = run_cycles(program, Timing(), runs, [11, 12])
    assert (first.measured, second.measured) == (11, 12)


def test_shares_follow_the_instructions(design: Design, found: Pruning) -> None:
    report = design.summary
    doubled = tuple(
        item.model_copy(update={"cycles": 2 * item.cycles}) if item.part == "selector" else item
        for item in report.instructions
    )
    changed = with_shares(report.model_copy(update={"instructions": doubled})).pruning
    assert changed is not None
    for before, after in zip(found.selectors, changed.selectors, strict=True):
        assert after.cycles == 2 * before.cycles
        assert before.share < after.share < 2 * before.share


def test_the_limits_say_whose_cycles_they_are(design: Design, found: Pruning) -> None:
    text = " ".join(limits(design.summary))
    assert "How many tokens stay depends on the image" in text
    assert f"{found.cycles_most:,} cycles at most are predicted" in text


def test_a_verification_of_more_images_replaces_fewer() -> None:
    design = build("preset:fashion-vit@3:0.6,5:0.3", calibration=IMAGES[:2])
    design.verify("golden", Data(IMAGES))
    pruning = design.summary.pruning
    assert pruning is not None
    assert pruning.images == 20
    design.verify("golden", images=2)  # random pixels say less than images that were given
    assert design.summary.pruning == pruning
