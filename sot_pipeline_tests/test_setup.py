"""The files that set a machine up: the lock is complete and tied to no place, Dagster's files load."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

from sot_pipeline.workspace import load_workspace

REPOSITORY = Path(__file__).parents[1]
LOCK = (REPOSITORY / "requirements.lock").read_text(encoding="utf-8")


def canonical(requirement: str) -> str:
    """The normalised name of a requirement such as `Foo_Bar[extra]>=1`."""
    name = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert name
    return re.sub(r"[-_.]+", "-", name[0]).lower()


def locked_blocks() -> dict[str, str]:
    return {canonical(block): block for block in re.split(r"\n(?=[a-z0-9])", LOCK)}


def test_every_declared_dependency_is_locked() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
    declared = [
        *project["project"]["dependencies"],
        *project["dependency-groups"]["dev"],
        *project["build-system"]["requires"],
    ]

    missing = {canonical(requirement) for requirement in declared} - locked_blocks().keys()

    assert missing == set()


def test_every_locked_package_is_pinned_with_hashes() -> None:
    loose = [name for name, block in locked_blocks().items() if "==" not in block or "--hash=sha256:" not in block]

    assert loose == []


def test_the_lock_names_no_place_to_fetch_from() -> None:
    assert not re.search(r"://|--(extra-)?index-url|--find-links", LOCK)


def test_the_example_workspace_loads() -> None:
    workspace = load_workspace(REPOSITORY / "sot.toml", env={})

    assert [project.id for project in workspace.projects] == ["demo"]
    assert all((workspace.projects[0].root / ledger.path).is_file() for ledger in workspace.projects[0].ledgers)


def test_dagster_takes_the_instance_settings(tmp_path: Path) -> None:
    shutil.copy(REPOSITORY / "dagster.yaml", tmp_path)

    result = subprocess.run(
        [Path(sys.executable).with_name("dagster"), "instance", "info"],
        env={**os.environ, "DAGSTER_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert result.returncode == 0, result.stderr
    assert "default_limit: 1" in result.stdout
