"""A real workspace in a temporary folder: small ledgers, SQLite, the embedded Qdrant engine."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path

import pytest

from sot_pipeline.workspace import Workspace, load_workspace

MakeWorkspace = Callable[..., Workspace]

PROJECT = """
[[project]]
id = "{id}"
root = "{id}"
{readme}
"""

BUILDS = "docs/BUILD_HISTORY.md"
LEDGERS = {BUILDS: "BUILD", "docs/ARCHITECTURE_DECISIONS.md": "DEC", "docs/DEBUG_LOG.md": "DBG"}
README = "# Alpha\n\n<!-- SOT_SUMMARY_START -->\n<!-- SOT_SUMMARY_END -->\n"


def ledger_text(prefix: str, numbers: range = range(1, 11), title: str = "Title") -> str:
    """A ledger that no check complains about: an index and a section for each number."""
    rows = [f"| 2025-01-{n:02} | {prefix}-{n} | {title} {n} |" for n in numbers]
    sections = [f"### {prefix}-{n} | 2025-01-{n:02} | {title} {n}\n\nText of {prefix}-{n}.\n" for n in numbers]
    head = ["# Ledger", "", "## INDEX", "", f"| Timestamp | {prefix}-ID | Summary |", "|---|---|---|"]
    return "\n".join([*head, *rows, "", "## BUILDS", "", *sections])


def write_project(root: Path) -> None:
    """Three ledgers of ten entries each, and a README with empty markers."""
    for path, prefix in LEDGERS.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(ledger_text(prefix))
    (root / "README.md").write_text(README)


@pytest.fixture
def make_workspace(tmp_path: Path) -> MakeWorkspace:
    """Builds a workspace with three ledgers a project; `code`, `embed`, `skills` name those that have such."""

    def make(
        *ids: str,
        qdrant: bool = True,
        readme: bool = True,
        settings: str = "",
        code: Collection[str] = (),
        embed: Collection[str] = (),
        skills: Collection[str] = (),
    ) -> Workspace:
        text = "[workspace]\n" + ('qdrant = ".sot/qdrant"\n' if qdrant else "") + 'embedding = "local"\n' + settings
        for project_id in ids or ("alpha",):
            write_project(tmp_path / project_id)
            text += PROJECT.format(id=project_id, readme='readme = "README.md"' if readme else "")
            if project_id in code:
                text += '[project.code]\ninclude = ["src/**"]\n' + "embed = true\n" * (project_id in embed)
            if project_id in skills:
                text += "[project.skills]\n"
        config = tmp_path / "sot.toml"
        config.write_text(text)
        return load_workspace(config, env={})

    return make
