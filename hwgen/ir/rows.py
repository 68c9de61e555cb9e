# SPDX-License-Identifier: Apache-2.0
"""Which rows of an image are where, behind token selectors."""

from hwgen.errors import ModelError
from hwgen.ir.graph import Graph, SelectTokens, TakeToken, TokenMean, TokenSelector, inputs_of


def check_rows(graph: Graph) -> None:
    """Raises ModelError unless operations behind token selectors take rows of which it is known
    where they are, and combine rows of the same tokens. ``graph`` is float or canonical.
    """
    _check_taken_rows(graph)
    _check_one_stream(graph)


def _check_taken_rows(graph: Graph) -> None:
    """Behind a token selector, only the class tokens are still where they were."""
    fixed: dict[str, int] = {}
    for op in graph.ops:
        known = [fixed[name] for name in inputs_of(op) if name in fixed]
        if isinstance(op, TokenSelector | SelectTokens):
            known.append(op.prefix)
        if not known:
            continue
        if isinstance(op, TakeToken):
            if op.index >= min(known):
                raise ModelError(
                    f"{graph.name}: '{op.name}' takes row {op.index}, but the token selectors "
                    f"before it keep only the first {min(known)} rows in their place. Classify by "
                    "the class token, or give the selectors a larger prefix."
                )
        elif not isinstance(op, TokenMean):
            fixed[op.output] = min(known)


def _check_one_stream(graph: Graph) -> None:
    """Selectors follow one another, and no operation has rows from before one and behind it."""
    # Of each value with a row a token, the last selector it went through; "" for none.
    behind = {graph.input.name: ""}
    last = ""
    for op in graph.ops:
        seen = {behind[name]: name for name in inputs_of(op) if name in behind}
        if len(seen) > 1:
            (one, first), (other, second), *_ = seen.items()
            raise ModelError(
                f"{graph.name}: '{op.name}' has rows of different tokens: '{first}' comes "
                f"{_from(one)}, '{second}' {_from(other)}. Let both come from behind the same one."
            )
        for selector in seen:
            if isinstance(op, TokenSelector | SelectTokens):
                if selector != last:
                    raise ModelError(
                        f"{graph.name}: token selector '{op.name}' does not read tokens that "
                        f"'{last}' before it left. Selectors follow one another; take one of them "
                        "out."
                    )
                last = op.name
                behind[op.output] = op.name
            elif not isinstance(op, TakeToken | TokenMean):
                behind[op.output] = selector


def _from(selector: str) -> str:
    return f"from behind token selector '{selector}'" if selector else "from before any selector"
