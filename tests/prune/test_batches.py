# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
import torch

from hwgen.data_files import Data
from hwgen.errors import DataError
from hwgen.prune.batches import Batches, changed

CPU = torch.device("cpu")


def test_an_epoch_has_every_image_once(data: Data) -> None:
    numbered = Data(
        np.broadcast_to(np.arange(64, dtype=np.uint8)[:, None, None, None], (64, 8, 8, 1)),
        data.labels,
    )
    batches = Batches(numbered, 16, seed=0)
    epochs = [
        [
            int(i)
            for step in range(4 * e, 4 * e + 4)
            for i in batches.batch(step, CPU)[0][:, 0, 0, 0]
        ]
        for e in range(2)
    ]
    assert sorted(epochs[0]) == sorted(epochs[1]) == list(range(64))
    assert epochs[0] != epochs[1]


def test_a_step_does_not_depend_on_the_ones_before(data: Data) -> None:
    steady = Batches(data, 16, seed=2, mirror=True, shift=2)
    for step in range(5):
        images, labels = steady.batch(step, CPU)
        noise = torch.rand(3)
    again_images, again_labels = Batches(data, 16, seed=2, mirror=True, shift=2).batch(4, CPU)
    assert torch.equal(images, again_images)
    assert torch.equal(labels, again_labels)
    assert torch.equal(noise, torch.rand(3))


def test_processes_share_a_batch(data: Data) -> None:
    whole = Batches(data, 16, seed=0).batch(1, CPU)[0]
    parts = [Batches(data, 16, seed=0, share=i, shares=2).batch(1, CPU)[0] for i in range(2)]
    assert [len(part) for part in parts] == [8, 8]
    assert torch.equal(torch.stack(parts, 1).flatten(0, 1), whole)


def test_images_are_mirrored_and_moved() -> None:
    torch.manual_seed(0)
    image = torch.arange(16, dtype=torch.uint8).reshape(1, 4, 4, 1).expand(40, -1, -1, -1)
    found = {tuple(x.flatten().tolist()) for x in changed(image, True, 0)}
    assert found == {tuple(image[0].flatten().tolist()), tuple(image[0].flip(1).flatten().tolist())}
    moved = changed(image, False, 1)
    assert len({tuple(x.flatten().tolist()) for x in moved}) == 9
    # Pixels inside keep their neighbours: one step right is +1, one step down is +4.
    inner = moved[:, 1:3, 1:3, 0].int()
    assert bool((inner[:, :, 1] - inner[:, :, 0] == 1).all())
    assert torch.equal(changed(image, False, 0), image)


def test_missing_labels_and_few_images_are_refused(data: Data) -> None:
    with pytest.raises(DataError, match="no array 'labels'"):
        Batches(Data(data.images), 16, seed=0)
    with pytest.raises(DataError, match="64 training images, fewer than the 65"):
        Batches(data, 65, seed=0)
