# SPDX-License-Identifier: Apache-2.0
from hwgen.program.program import Program
from hwgen.report.parts import PARTS, parts


def test_instructions_of_a_block_are_told_apart(program: Program) -> None:
    found = dict(zip(program.labels, parts(program.instructions), strict=True))
    assert found == {
        "rows": ("embedding", "embedding"),
        "positions": ("embedding", "embedding"),
        "patches": ("embedding", "embedding"),
        "embed": ("embedding", "embedding"),
        "block 0 query": ("block 0", "query, key, value"),
        "block 0 key": ("block 0", "query, key, value"),
        "block 0 value": ("block 0", "query, key, value"),
        "block 0 attention": ("block 0", "attention"),
        "block 0 fc1": ("block 0", "MLP up"),
        "block 0 fc2": ("block 0", "MLP down"),
        "head": ("head", "head"),
        "end": ("control", "control"),
    }
    assert {part for _, part in found.values()} <= set(PARTS)
