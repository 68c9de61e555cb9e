# SPDX-License-Identifier: Apache-2.0
"""Which patches of an image token selectors keep, from the scores that they gave.

A variant of a model's program sends each selector's scores to the output region, behind the logits
(``hwgen.compile.trace_selections``); ``trace.json`` says where they lie and what decides.
"""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from hwgen.driver.errors import OutputMissingError
from hwgen.golden.select import kept_rows, patches_before, patches_behind
from hwgen.program.instructions import TokenSelect
from hwgen.program.program import OutputLayout

FORMAT, VERSION = "hwgen-selection-trace", 1


@dataclass(frozen=True)
class TracedSelection:
    """One selection among the tokens of one image.

    Attributes:
        selector: its name.
        image: of the run, from 0.
        first: vector of the output region with the scores of the first row; those of others follow.
        rows: that there can be: exactly as many in an image's first selection, in a later one as
            many as the one before it wrote.
        heads, threshold, prefix, packages, limit, package, merge: of the TOKEN_SELECT.
    """

    selector: str
    image: int
    first: int
    rows: int
    heads: int
    threshold: int
    prefix: int
    packages: int
    limit: int
    package: bool
    merge: bool

    def instruction(self, rows: int) -> TokenSelect:
        """The selection among ``rows`` rows; where these lie is left out."""
        return TokenSelect(
            rows=rows,
            rows_register=0,
            source_address=0,
            source_stride=0,
            destination_address=0,
            destination_stride=0,
            slices=0,
            score_address=0,
            heads=self.heads,
            threshold=self.threshold,
            limit=self.limit,
            prefix=self.prefix,
            packages=self.packages,
            package=int(self.package),
            merge=int(self.merge),
            count_register=0,
        )


@dataclass(frozen=True)
class Trace:
    """What a program with scores writes: ``trace.json``.

    Attributes:
        patches: of an image.
        batch: images of a run.
        logits: the first vectors of the output region, as in the model's own program.
        selections: in the program's order.
    """

    patches: int
    batch: int
    logits: OutputLayout
    selections: tuple[TracedSelection, ...]

    @property
    def selectors(self) -> tuple[str, ...]:
        """Their names, in the program's order."""
        return tuple(dict.fromkeys(one.selector for one in self.selections))

    def to_json(self) -> dict[str, Any]:
        """What ``from_json`` reads: objects, lists, strings and numbers."""
        return {"format": FORMAT, "version": VERSION, **asdict(self)}

    @staticmethod
    def from_json(fields: dict[str, Any]) -> "Trace":
        """The content of a ``trace.json``.

        Raises:
            LookupError, TypeError, ValueError: it is none.
        """
        if (fields["format"], fields["version"]) != (FORMAT, VERSION):
            raise ValueError(f"{fields['format']} {fields['version']}, not {FORMAT} {VERSION}")
        return Trace(
            fields["patches"],
            fields["batch"],
            OutputLayout(**fields["logits"]),
            tuple(TracedSelection(**one) for one in fields["selections"]),
        )


def kept_patches(trace: Trace, vectors: np.ndarray, images: int) -> dict[str, np.ndarray]:
    """For each selector by name which patches are still there behind it, bool (images, patches).

    Args:
        vectors: output regions of all runs, int16 (runs, vectors, lanes).
        images: how many there are; what the last run may have beyond them is left out.

    Raises:
        OutputMissingError: scores are no int8 numbers, as where they were not written.
    """
    found = {name: np.zeros((images, trace.patches), bool) for name in trace.selectors}
    for run, output in enumerate(vectors):
        tokens: dict[int, np.ndarray] = {}
        for one in trace.selections:
            image = run * trace.batch + one.image
            if image >= images:
                continue
            before = tokens.get(one.image)
            if before is None:
                before = patches_before(one.rows, one.prefix)
            rows = output[one.first : one.first + len(before)]
            scores = rows.astype(np.int8)
            if not np.array_equal(scores, rows):
                raise OutputMissingError(
                    f"The scores of {one.selector} for image {image} are not all there. Load the "
                    "package again; if that does not help, run self_test()."
                )
            op = one.instruction(len(before))
            behind = tokens[one.image] = patches_behind(op, before, kept_rows(op, scores))
            found[one.selector][image, behind[behind >= 0]] = True
    return found
