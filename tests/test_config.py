# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import pytest

from hwgen.config import Config, EngineSettings, load_config, parse_config
from hwgen.errors import ConfigError
from hwgen.program.engine import EngineConfig


def test_no_file_and_an_empty_file_give_the_defaults(tmp_path: Path) -> None:
    empty = tmp_path / "hwgen.yaml"
    empty.write_text("# nothing\n")
    assert load_config(None) == load_config(empty) == Config()


def test_values_and_empty_sections_are_read() -> None:
    text = "board: kv260\nquantisation:\n  power_of_two: true\nengine:\n"
    config = parse_config(text, "hwgen.yaml")
    assert config.board == "kv260"
    assert config.quantisation.power_of_two
    assert config.engine.resolve() == EngineConfig()


def test_engine_settings_replace_single_sizes_of_a_default() -> None:
    config = parse_config("engine: {work_depth: 99}", "hwgen.yaml")
    assert config.engine.resolve(EngineConfig(max_rows=7)) == EngineConfig(
        work_depth=99, max_rows=7
    )


def test_the_written_form_reads_back_and_has_the_same_digest() -> None:
    config = parse_config("clock_mhz: 250\ninput: {mean: [0.5], std: [0.25]}", "hwgen.yaml")
    again = parse_config(config.to_yaml(), "hwgen.yaml")
    assert again == config
    assert again.digest() == config.digest() != Config().digest()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "bord: x",
            "hwgen.yaml: unknown key 'bord' at the top level. Did you mean 'board'?",
        ),
        (
            "quantisation: {percentil: 99}",
            "hwgen.yaml: unknown key 'percentil' in section 'quantisation'. "
            "Did you mean 'percentile'?",
        ),
        (
            "lanes: 64",
            "hwgen.yaml: unknown key 'lanes' at the top level. "
            "Did you mean 'lanes' under 'engine'?",
        ),
        (
            "engine: {board: x}",
            "hwgen.yaml: unknown key 'board' in section 'engine'. "
            "Did you mean 'board', which stands at the top level?",
        ),
        (
            "zebra: 1",
            "hwgen.yaml: unknown key 'zebra' at the top level. Keys known there: board, clock_mhz, "
            "class_token_only, batch, input, quantisation, engine.",
        ),
        ("clock_mhz: fast", "hwgen.yaml: clock_mhz is 'fast', but it should be a number."),
        (
            "quantisation: {percentile: 30}",
            "hwgen.yaml: quantisation.percentile is 30, but it should be greater than 50.",
        ),
        ("batch: 5", "hwgen.yaml: batch is 5, but it should be less than or equal to 4."),
        ("batch: true", "hwgen.yaml: batch is True, but it should be a number."),
        ("clock_mhz: yes", "hwgen.yaml: clock_mhz is True, but it should be a number."),
        (
            "quantisation: {calibration_images: true}",
            "hwgen.yaml: quantisation.calibration_images is True, but it should be a number.",
        ),
        ("clock_mhz: .nan", "hwgen.yaml: clock_mhz is nan, but it should be a finite number."),
        ("engine: 3", "hwgen.yaml: engine is 3, but it is a section and holds keys."),
        (
            "engine: {lanes: 48}",
            "hwgen.yaml: engine.lanes is 48; the array comes in 16, 32 or 64 lanes. Choose one.",
        ),
        (
            "input: {mean: [0.5]}",
            "hwgen.yaml: input: mean and std belong together: give both or neither.",
        ),
        (
            "input: {mean: [0.5], std: [1, 1]}",
            "hwgen.yaml: input: mean has 1 numbers and std 2: one per channel each.",
        ),
        (
            "board: a\nboard: b",
            "hwgen.yaml, line 2: the key 'board' stands here and on line 1. Correct that line.",
        ),
        (
            "board: a\n\tclock_mhz: 1",
            "hwgen.yaml, line 2: found character '\\t' that cannot start any token. "
            "Correct that line.",
        ),
        (
            "- board",
            "hwgen.yaml holds a list, not keys and values. Write lines such as 'board: zcu102'.",
        ),
    ],
)
def test_mistakes_are_named(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_config(text, "hwgen.yaml")
    assert str(caught.value) == message


def test_a_second_mistake_is_announced() -> None:
    with pytest.raises(ConfigError, match=r"\(1 more after this one\.\)$"):
        parse_config("bord: x\nclok: 3", "hwgen.yaml")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.yaml cannot be read: No such file"):
        load_config(tmp_path / "nowhere.yaml")


def test_a_binary_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "hwgen.yaml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="it is not UTF-8 text"):
        load_config(path)


def test_fewer_lanes_keep_the_buffers_bytes() -> None:
    engine = EngineSettings(lanes=32).resolve()
    default = EngineConfig()
    assert engine.work_depth == 2 * default.work_depth
    assert engine.score_depth == 2 * default.score_depth
    assert engine.max_rows == default.max_rows
    assert EngineSettings(lanes=32, work_depth=99).resolve().work_depth == 99


def test_a_batch_replaces_that_of_the_file() -> None:
    config = parse_config("batch: 2\nclock_mhz: 250", "hwgen.yaml")
    assert config.with_batch(4) == parse_config("batch: 4\nclock_mhz: 250", "hwgen.yaml")
    with pytest.raises(ConfigError, match="^build: batch is 0, but it should be greater than or"):
        config.with_batch(0)
