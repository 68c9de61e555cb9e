# SPDX-License-Identifier: Apache-2.0
"""What is measured."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import hwgen
from hwgen.config import Config
from hwgen.design import Design
from hwgen.emit.rtl import rtl_project
from hwgen.estimate.timing import timing_for
from hwgen.progress import Progress

_DATA = Path(hwgen.__file__).parent / "data"


@dataclass(frozen=True)
class Case:
    """One row of the results.

    Attributes:
        model: a preset, or the shipped model.
        batch: images of one run.
        class_token_only: the last block computes the class token's row only.
        twin: the multipliers of the array are their C++ twin, for long runs.
        dense: the case of the same network without token pruning.
        limit: cycles an image that a pruned network may take; None: there is no such limit.
        follows: whether its cycles have to follow its tokens (see ``page.FOLLOWS``): memory, not
            tokens, limits single images of the larger networks.
    """

    name: str
    model: str
    batch: int = 1
    class_token_only: bool = False
    twin: bool = False
    dense: str | None = None
    limit: int | None = None
    follows: bool = True

    def build(self, progress: Progress) -> Design:
        """The design, in memory."""
        config = Config(batch=self.batch, class_token_only=self.class_token_only)
        if self.model.startswith("preset:"):
            return hwgen.build(self.model, config=config, progress=progress)
        calibration = _DATA / "fashion_calibration.npz"
        return hwgen.build(_DATA / self.model, None, config, calibration, progress)

    def digest(self, design: Design) -> str:
        """Of everything that decides the measured cycles and whether outputs are equal."""
        program = design.program
        timing = timing_for(design.board, design.summary.clock_mhz)
        total = hashlib.sha256(repr((self.twin, timing.ddr_bytes, timing.ddr_latency)).encode())
        for name, data in sorted(rtl_project(program.engine).items()):
            if not name.endswith(".md"):
                total.update(name.encode() + data)
        total.update(program.image.tobytes())
        total.update(program.weights.tobytes())
        return total.hexdigest()


TINY, FEW = "4:0.70,7:0.39,10:0.21", "4:0.42,7:0.21,10:0.13"
"""Selectors before these blocks and shares of the patches that stay: HeatViT's, Table VII."""

CASES = (
    Case("Fashion-MNIST ViT", "fashion_vit.onnx"),
    Case("DeiT-Tiny", "preset:deit-tiny"),
    Case("DeiT-Tiny, last block for the class token", "preset:deit-tiny", class_token_only=True),
    Case("DeiT-Tiny, batch 4", "preset:deit-tiny", batch=4),
    Case("DeiT-Small", "preset:deit-small"),
    Case("DeiT-Small, batch 4", "preset:deit-small", batch=4, twin=True),
    Case("DeiT-Base", "preset:deit-base", twin=True),
    Case("DeiT-Base, batch 4", "preset:deit-base", batch=4, twin=True),
    Case(
        "DeiT-Tiny, pruned", f"preset:deit-tiny@{TINY}", twin=True,
        dense="DeiT-Tiny", limit=205_000,
    ),
    Case(
        "DeiT-Tiny, pruned, batch 4", f"preset:deit-tiny@{TINY}", batch=4, twin=True,
        dense="DeiT-Tiny, batch 4",
    ),
    Case(
        "DeiT-Small, pruned", f"preset:deit-small@{FEW}", twin=True,
        dense="DeiT-Small", limit=690_000, follows=False,
    ),
    Case(
        "DeiT-Small, pruned, batch 4", f"preset:deit-small@{FEW}", batch=4, twin=True,
        dense="DeiT-Small, batch 4", limit=540_000,
    ),
    Case(
        "DeiT-Base, pruned", f"preset:deit-base@{FEW}", twin=True,
        dense="DeiT-Base", limit=2_750_000, follows=False,
    ),
    Case(
        "DeiT-Base, pruned, batch 4", f"preset:deit-base@{FEW}", batch=4, twin=True,
        dense="DeiT-Base, batch 4", limit=2_050_000,
    ),
)  # fmt: skip
