"""Real skills through the database and back, and edited there by plain SQL, each compared byte for byte."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from sot_pipeline.skills.front_matter import read_template, split
from sot_pipeline.skills.model import DOCUMENT
from sot_pipeline.skills.reconcile import Direction
from sot_pipeline_tests.skills.documents import CORPUS, needs_corpus
from sot_pipeline_tests.skills.project import PROJECT, SkillProject, elsewhere, make_project, paths_and_files

pytestmark = needs_corpus


@pytest.fixture
def project(tmp_path: Path, database_url: str) -> SkillProject:
    """All real skills, which files and database agree on."""
    found = make_project(tmp_path / "kiln", database_url)
    found.root.rmdir()
    shutil.copytree(CORPUS, found.root)
    assert len(found.files()) >= 127
    outcome = found.synced()
    assert outcome.database
    assert len(outcome.database.created) == len(found.files())
    return found


def test_every_real_skill_comes_back_as_it_was_and_a_second_sync_writes_nothing(
    project: SkillProject, tmp_path: Path
) -> None:
    before = project.everything()
    assert project.synced().unchanged == len(project.files())
    assert project.everything() == before

    copy = elsewhere(project, tmp_path / "copy", project.workspace.database_url)
    copy.synced(Direction.IMPORT)

    assert paths_and_files(copy.files()) == paths_and_files(project.files())
    assert any(file.executable for skill in copy.files().values() for file in skill.files.values())


def edit_descriptions(project: SkillProject) -> None:
    project.sql("UPDATE skills SET description = 'Short: a \"text\" # of ours'")


def edit_lists(project: SkillProject) -> None:
    """Another member for whoever has keywords, and keywords for the others."""
    project.sql(
        "INSERT INTO skill_keywords (project_id, uid, position, value) "
        f"SELECT project_id, uid, 99, 'added, with a comma' FROM skills WHERE project_id = '{PROJECT}'"
    )


def edit_subkeys(project: SkillProject) -> None:
    """Another subkey of `metadata`, of which JSON functions make one where there is none."""
    if project.workspace.database_url.startswith("sqlite"):
        found = "coalesce(json_extract(extra, '$.metadata'), '{}')"
        project.sql(
            f"UPDATE skills SET extra = json_set(coalesce(extra, '{{}}'), '$.metadata', "
            f"json_set({found}, '$.reviewed', 'by us: 1'))"
        )
    else:
        found = "coalesce(extra::jsonb->'metadata', '{}')"
        project.sql(
            "UPDATE skills SET extra = coalesce(extra::jsonb, '{}') || "
            f"""jsonb_build_object('metadata', {found} || '{{"reviewed": "by us: 1"}}')"""
        )


EDITS: Mapping[str, Callable[[SkillProject], None]] = {
    "description": edit_descriptions,
    "keywords": edit_lists,
    "metadata": edit_subkeys,
}


def test_an_edit_of_one_field_by_sql_changes_its_bytes_only_in_every_real_skill(project: SkillProject) -> None:
    for key, edit in EDITS.items():
        before = project.files()
        edit(project)

        found = project.synced()

        assert found.files
        assert found.files.updated == tuple(sorted(before))
        for path, skill in project.files().items():
            assert is_only_changed_at(key, before[path].document, skill.document), (key, path)
            assert skill.files[DOCUMENT].executable == before[path].files[DOCUMENT].executable
            assert {**skill.files, DOCUMENT: None} == {**before[path].files, DOCUMENT: None}


def is_only_changed_at(key: str, old: bytes, new: bytes) -> bool:
    """True where `new` is `old` but for what stands at a key; one that was not there stands between what was."""
    kept_before = common_length(old, new)
    kept_behind = common_length(old[::-1], new[::-1])
    template = read_template(split(old).template)
    if key not in template.entries:
        return kept_before + kept_behind >= len(old)
    entry = template.entries[key]
    start, end = (len((template.opening + template.text[:at]).encode()) for at in (entry.key.start, entry.value.end))
    return old != new and kept_before >= start and kept_behind >= len(old) - end


def common_length(one: bytes, other: bytes) -> int:
    """How many bytes both begin with."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((place for place, (here, there) in pairs if here != there), min(len(one), len(other)))
