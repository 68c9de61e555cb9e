# SPDX-License-Identifier: Apache-2.0
"""The last stage of pruning: the pruned network goes on training in integers."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from hwgen.config import Quantisation
from hwgen.data_files import Data
from hwgen.ir.graph import Graph
from hwgen.program.engine import EngineConfig
from hwgen.progress import Progress, silent
from hwgen.prune.qat import IntegerNetwork, calibrated
from hwgen.prune.training import Training, train


@dataclass(frozen=True)
class IntegerTraining:
    """``epochs`` of training in integers, all weights at one learning rate, at most ``lr``.

    The first ``settings.calibration_images`` of the training data give the scales, which stay.
    The network must fit ``engine``.
    """

    epochs: float
    lr: float = 1e-4
    settings: Quantisation = field(default_factory=Quantisation)
    engine: EngineConfig = field(default_factory=EngineConfig)


def train_in_integers(
    graph: Graph,
    teacher: Graph,
    data: Data,
    training: Training,
    integers: IntegerTraining,
    *,
    checkpoint: Path,
    resume: bool = False,
    test: Data | None = None,
    log: Callable[[str], None] = lambda line: None,
    progress: Progress = silent,
    limit: int | None = None,
) -> IntegerNetwork:
    """Trains ``graph``, as imported or as ``GraphNetwork.to_graph`` gives it, in integers.

    Losses, data, checkpoints, resuming and processes are those of ``training.train``, which see;
    ``training`` says all but epochs and learning rates. The result's ``write_onnx`` writes the
    model.

    Raises:
        DataError, ModelError: as ``training.train``.
        FitError: the network does not fit the engine.
    """
    images = data.first(integers.settings.calibration_images).images
    scales = calibrated(graph, images, integers.settings)
    network = IntegerNetwork(graph, scales, integers.settings, integers.engine)
    training = replace(training, epochs=integers.epochs, lr=integers.lr, backbone_lr=1.0, warm_up=0)
    train(
        network,
        teacher,
        data,
        training,
        checkpoint=checkpoint,
        resume=resume,
        test=test,
        log=log,
        progress=progress,
        limit=limit,
    )
    return network
