# SPDX-License-Identifier: Apache-2.0
"""The page of latency tables."""

from pathlib import Path

import pytest

from bench import latency
from hwgen.prune.latency import LatencyTable

TABLE = LatencyTable(
    model="deit-tiny",
    board="zcu102",
    clock_mhz=300,
    batch=1,
    keep_ratios=latency.KEEP,
    outside_cycles=1000,
    block_cycles=((30_000, 27_000, 24_000, 21_000, 18_000, 15_000),) * 2,
    selector_cycles=((3_000, 2_900, 2_800, 2_700, 2_600, 2_500),) * 2,
)


def test_a_block_and_a_selector_that_sees_all_tokens() -> None:
    tiny = latency.NETWORKS[0]
    row = latency.rows(tiny, TABLE)
    assert row["blocks"] == ["30,000", "27,000", "24,000", "21,000", "18,000", "15,000"]
    # The dense block has no selector.
    assert row["total"] == ["30,000", "30,000", "27,000", "24,000", "21,000", "18,000"]
    assert row["ms"] == ["0.100", "0.100", "0.090", "0.080", "0.070", "0.060"]
    assert row["slow"] == ["0.200", "0.200", "0.180", "0.160", "0.140", "0.120"]
    assert row["relative"][-1] == "60.0%"
    assert row["published"] == ["1.034", "0.945", "0.881", "0.764", "0.702", "0.636"]
    assert row["published_relative"][-1] == "61.5%"


def test_the_page_is_that_of_its_tables() -> None:
    assert latency.PAGE.read_text() == latency.text(), "run python -m bench.latency --page"


def test_a_page_without_published_figures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(latency, "TABLES", tmp_path)
    base = latency.NETWORKS[2]
    assert base.published is None
    TABLE.save(base.path)
    text = latency.text()
    assert "## DeiT-Base" in text
    assert "DeiT-Tiny" not in text
    assert "HeatViT, ms (16 bits" not in text
