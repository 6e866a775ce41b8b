"""Real skills, where they are at hand beside the checkout, and generated front matters in many styles."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import strategies as st

from sot_pipeline.skills.model import Fields

CORPUS = Path(__file__).parents[3] / "shared" / "corpus" / "skills"
needs_corpus = pytest.mark.skipif(not CORPUS.is_dir(), reason="the corpus of real skills is not there")


def corpus() -> list[tuple[str, bytes]]:
    """Path of the folder and SKILL.md of every real skill."""
    found = sorted(CORPUS.rglob("SKILL.md"))
    assert len(found) >= 127
    return [(path.parent.relative_to(CORPUS).as_posix(), path.read_bytes()) for path in found]


def changed(fields: Fields, **values: object) -> Fields:
    """`fields` with other values by kind: `texts={"name": "x"}`; None takes a key out."""
    kinds = {}
    for kind in ("texts", "numbers", "lists", "extra"):
        edits: dict[str, object] = values.get(kind, {})  # type: ignore[assignment]  # a dict for each kind
        gone = [key for key, value in edits.items() if value is None]
        kinds[kind] = {key: value for key, value in {**getattr(fields, kind), **edits}.items() if key not in gone}
    return Fields(**kinds)


# What may stand as the value of a key, whatever the key.
SOURCES = (
    " plain",
    " plain text # with a comment",
    " '' # empty",
    " 'it''s single'",
    ' "double \\t \\U0001F600"',
    " |\n  literal\n   indented\n\n  text",
    " >-\n   folded\n   text\n",
    " |2+\n  kept\n\n",
    " plain that\n  goes on",
    ' "double that\n  goes on"',
    " 😀 émoji # 😀",
    "",
    " ~",
    " 1.0",
    " 12",
    " true",
    " 2024-01-01",
    " off",
    " .inf",
    " a, b,c",
    " Bash(git add:*, git commit:*) Read",
    " [a, 'b',   \"c\"]",
    " [a,\n  b, # why\n  c]",
    " []",
    " {}",
    " {a: 1, b: {c: [d]}}",
    "\n- a\n- 'b' # why\n# of c\n- c",
    "\n  - a\n\n  - b",
    "\n- k: 1\n  l: 2\n- m: 3",
    "\n- - a\n- b",
    "\n  author: me # the author\n  deep:\n    er: x\n  version: '1.0'",
    " !!str 5",
    " &anchor value",
    " *anchor",
)
KEYS = ("name", "description", "version", "tags", "allowed-tools", "weight", "metadata", "license", '"quoted key"')
BETWEEN = ("", "", "# a comment\n", "\n")
BODIES = ("", "# Title\n\ntext", "text\n", "\ntext\r\n", "--- no fence\n")


@st.composite
def documents(draw: st.DrawFn) -> bytes:
    """A SKILL.md that need not be readable, but mostly is."""
    keys = draw(st.lists(st.sampled_from(KEYS), unique=True, max_size=5))
    lines = [f"{key}:{draw(st.sampled_from(SOURCES))}\n{draw(st.sampled_from(BETWEEN))}" for key in keys]
    text = f"---\n{''.join(lines)}---\n{draw(st.sampled_from(BODIES))}"
    text = text.replace("\n", "\r\n") if draw(st.booleans()) else text
    return (draw(st.sampled_from(("", "\ufeff"))) + text).encode()
