"""Skills for tests, and the statements by which other programs change them."""

from __future__ import annotations

import hypothesis.strategies as st

from sot_pipeline.skills.model import DOCUMENT, LIST_KEYS, NUMBER_KEYS, TEXT_KEYS, Fields, File, Skill
from sot_pipeline.targets.database.skill_model import StoredSkill
from sot_pipeline.targets.database.skill_store import SkillStore
from sot_pipeline_tests.targets.database.ledger import SOON

HOSTILE = '\'; DROP TABLE skills; --\t\\N \\. %s ? {} "quoted" 🧨 \u2028 \ufeff é \r\n <script>'


def stored(uid: str, path: str = "", **changes: object) -> StoredSkill:
    """A skill that has something of everything."""
    fields = Fields(
        {"name": uid, "description": f"What {uid} does", "version": "1.0"},
        {"weight": 0.5, "load_priority": 10},
        {"keywords": ("b", "a", "b"), "allowed_tools": ("Bash(git add:*)", "Read")},
        {"metadata": {"z": 1, "author": "Ada"}},
    )
    files = {"scripts/run.sh": File(b"#!/bin/sh\n", executable=True), "assets/logo.png": File(bytes(range(256)))}
    given: dict[str, object] = {"fields": fields, "template": b"---\n---\n", "body": "# Body\n", "files": files}
    return StoredSkill(uid, path or f"tools/{uid}", **{**given, **changes})  # type: ignore[arg-type]


def document(skill: StoredSkill) -> Skill:
    """The folder of a skill whose columns say what its template says."""
    content = File(skill.template + skill.body.encode(), skill.executable)
    return Skill(skill.path, {DOCUMENT: content, **skill.files})


def insert(store: SkillStore, *skills: StoredSkill) -> dict[str, int]:
    """Row versions by uid, after inserting all of them."""
    written = store.apply(skills, (), {}, SOON)
    assert not (written.moved or written.refused)
    return dict(written.versions)


# What both databases hold: every character but NUL and surrogates.
texts = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=20)
numbers = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(10**30), 10**30)
names = texts.filter(bool)
json_values = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
fields = st.builds(
    Fields,
    st.dictionaries(st.sampled_from(TEXT_KEYS), texts),
    st.dictionaries(st.sampled_from(NUMBER_KEYS), numbers),
    st.dictionaries(st.sampled_from(LIST_KEYS), st.lists(texts, min_size=1, max_size=4).map(tuple)),
    st.dictionaries(names.filter(lambda name: name not in NUMBER_KEYS), json_values, max_size=3),
)
skills = st.builds(
    StoredSkill,
    uid=names,
    path=names,
    fields=fields,
    template=st.binary(max_size=30),
    body=texts,
    files=st.dictionaries(
        names.filter(lambda name: name != DOCUMENT), st.builds(File, st.binary(max_size=30), st.booleans()), max_size=3
    ),
    executable=st.booleans(),
)
