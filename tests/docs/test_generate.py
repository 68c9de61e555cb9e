# SPDX-License-Identifier: Apache-2.0
import importlib.util
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"


def test_generated_tables_of_the_documentation_are_current() -> None:
    spec = importlib.util.spec_from_file_location("generate", DOCS / "generate.py")
    assert spec is not None and spec.loader is not None
    generate = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generate)
    tables = generate.blocks()
    names = set()
    for path in DOCS.glob("*.md"):
        text = path.read_text()
        names |= {match[2] for match in generate.BLOCK.finditer(text)}
        assert generate.refresh(text, tables) == text, f"run python docs/generate.py ({path.name})"
    assert names == set(tables) - {"fields-end"}
