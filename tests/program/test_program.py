# SPDX-License-Identifier: Apache-2.0
from dataclasses import replace

import numpy as np
import pytest

from hwgen.errors import ConfigError, DataError, ProgramError
from hwgen.program.engine import EngineConfig
from hwgen.program.instructions import End, SetTokens
from hwgen.program.program import InputLayout, OutputLayout, Program, decode_image

LAYOUT = InputLayout(height=4, width=6, channels=3, patch=2)


def program() -> Program:
    return Program(
        "p", EngineConfig(), (SetTokens(1, 7), End()), ("tokens", "end"),
        np.zeros((3, 64), np.uint8), LAYOUT, OutputLayout(1, 10, 0.5),
    )  # fmt: skip


def test_image_round_trip() -> None:
    assert decode_image(program().image, EngineConfig()) == program().instructions
    assert program().image[0].tobytes()[:4] == b"HWGN"
    assert program().image[0][4] == 3


def test_damaged_images_are_refused() -> None:
    image = program().image
    with pytest.raises(ProgramError, match="it starts with 0x00000000"):
        decode_image(np.zeros_like(image), EngineConfig())
    with pytest.raises(ProgramError, match="was made for engine 0x"):
        decode_image(image, EngineConfig(work_depth=99))
    with pytest.raises(ProgramError, match="announces 2 instructions and holds 1: it is damaged"):
        decode_image(image[:-1], EngineConfig())


def test_digest_ignores_what_programs_do_not_depend_on() -> None:
    assert EngineConfig(prefetch_depth=64).digest == EngineConfig().digest
    assert EngineConfig(lanes=32).digest != EngineConfig().digest


def test_impossible_engines_are_refused() -> None:
    with pytest.raises(ConfigError, match="engine.lanes is 48; the array comes in 16, 32 or 64"):
        EngineConfig(lanes=48)
    with pytest.raises(ConfigError, match="engine.work_depth is 70000"):
        EngineConfig(work_depth=70000)


def test_pack_puts_patches_in_rows_and_pads_with_the_middle() -> None:
    images = np.random.default_rng(0).integers(0, 256, (2, 4, 6, 3), dtype=np.uint8)
    beats = LAYOUT.pack(images, 16)
    assert beats.shape == (2, 6, 16)
    assert (beats[1, 4, :12] == images[1, 2:4, 2:4].ravel()).all()
    assert (beats[:, :, 12:] == 128).all()


def test_pack_cuts_long_patches_into_slices() -> None:
    layout = InputLayout(8, 8, 3, 4)
    images = np.random.default_rng(0).integers(0, 256, (1, 8, 8, 3), dtype=np.uint8)
    beats = layout.pack(images, 16)
    assert beats.shape == (1, 3 * 4, 16)
    assert (beats[0, 4 + 1] == images[0, 0:4, 4:8].ravel()[16:32]).all()


def test_pack_puts_the_images_of_a_run_one_after_the_other() -> None:
    images = np.random.default_rng(0).integers(0, 256, (5, 4, 6, 3), dtype=np.uint8)
    one = LAYOUT.pack(images, 16)
    for batch, runs in ((2, 3), (3, 2), (4, 2)):
        beats = replace(LAYOUT, batch=batch).pack(images, 16)
        assert beats.shape == (runs, batch * 6, 16)
        apart = beats.reshape(runs * batch, 6, 16)
        assert (apart[:5] == one).all()
        assert (apart[5:] == one[4]).all()  # the last run is filled up with the last image
    assert replace(LAYOUT, batch=4).pack(images[:0], 16).shape == (0, 24, 16)


def test_runs_are_called_by_their_images() -> None:
    assert LAYOUT.run_name(5) == "image 5"
    assert replace(LAYOUT, batch=4).run_name(1) == "run 1 (images 4 to 7)"


def test_pack_refuses_other_images() -> None:
    with pytest.raises(DataError, match=r"shape \(2, 5, 6, 3\) and type uint8.*\(N, 4, 6, 3\)"):
        LAYOUT.pack(np.zeros((2, 5, 6, 3), np.uint8), 16)
    with pytest.raises(DataError, match="type float32"):
        LAYOUT.pack(np.zeros((2, 4, 6, 3), np.float32), 16)


def test_output_unpack_puts_slices_side_by_side() -> None:
    vectors = np.arange(4 * 16, dtype=np.int16).reshape(1, 4, 16)
    matrix = OutputLayout(rows=2, columns=20, scale=1.0).unpack(vectors)
    assert matrix.shape == (1, 2, 20)
    assert (matrix[0, 1] == [*range(16, 32), *range(48, 52)]).all()


def test_pack_of_no_images_is_no_beats() -> None:
    assert LAYOUT.pack(np.zeros((0, 4, 6, 3), np.uint8), 16).shape == (0, 6, 16)
