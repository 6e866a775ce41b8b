"""A workspace with skills for tests of the command line, and the plain SQL of another program."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sot_pipeline_tests.targets.database.ledger import tamper

GLAZE = """---
name: glaze
description: Glazes a pot
tags: [pots]
---
# Glaze

Dip it once.
Let it dry.
"""
FIRE = "---\nname: fire\ndescription: Fires a kiln\nstatus: draft\n---\n# Fire\n"
RUN = b"#!/bin/sh\nexec fire\n"


@dataclass(frozen=True)
class Workshop:
    """One project, `shop`, with the skills `glaze` and `kiln/fire` below `skills/`."""

    folder: Path
    url: str

    @property
    def config(self) -> Path:
        return self.folder / "sot.toml"

    @property
    def root(self) -> Path:
        return self.folder / "skills"

    def document(self, path: str) -> Path:
        return self.root / path / "SKILL.md"

    def configure(self, project_id: str) -> None:
        """Write the `sot.toml`."""
        self.config.write_text(
            f'[workspace]\ndatabase_url = "{self.url}"\nembedding = "local"\n\n'
            f'[[project]]\nid = "{project_id}"\n\n[project.skills]\npath = "skills"\n'
        )

    def edit(self, path: str, before: str, after: str) -> None:
        """Replace a text of a SKILL.md."""
        text = self.document(path).read_text()
        assert before in text
        self.document(path).write_text(text.replace(before, after))

    def sql(self, *statements: str) -> list[tuple[object, ...]]:
        """What another program does to the database."""
        return tamper(self.url, *statements)

    def read(self) -> dict[str, bytes]:
        """Every file below the root, by path."""
        return {
            file.relative_to(self.root).as_posix(): file.read_bytes() for file in self.root.rglob("*") if file.is_file()
        }

    def write(self, files: Mapping[str, str | bytes]) -> None:
        for path, content in files.items():
            file = self.root / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content if isinstance(content, bytes) else content.encode())


def make_workshop(folder: Path, url: str) -> Workshop:
    """Write the workspace into `folder`."""
    folder.mkdir(parents=True)
    shop = Workshop(folder, url)
    shop.configure("shop")
    shop.write({"glaze/SKILL.md": GLAZE, "kiln/fire/SKILL.md": FIRE, "kiln/fire/scripts/run.sh": RUN})
    return shop
