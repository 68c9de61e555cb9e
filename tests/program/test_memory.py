# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from hwgen.program.memory import stripe, unstripe


@pytest.mark.parametrize("lanes", [16, 32, 64])
@pytest.mark.parametrize("count", [1, 63, 64, 65, 200])
def test_unstripe_inverts_stripe(lanes: int, count: int) -> None:
    beats = np.random.default_rng(0).integers(0, 256, (count, lanes), dtype=np.uint8)
    region = stripe(beats)
    assert len(region) % (64 * lanes) == 0
    assert (unstripe(region, lanes)[:count] == beats).all()


def test_each_port_owns_contiguous_bytes_of_a_page() -> None:
    beats = np.zeros((128, 64), np.uint8)
    beats[70, 32:48] = 9  # beat 6 of page 1, port 2
    assert (np.flatnonzero(stripe(beats)) == 4096 + 2 * 1024 + 6 * 16 + np.arange(16)).all()
