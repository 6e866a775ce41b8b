"""Two people at work on the same skills: one in the files, one with plain SQL through a connection of its own.

Each does what is asked with what is there at the moment, picked by number, and nothing where that is not possible.
"""

# ruff: noqa: ARG002  # every action takes two numbers

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path

import psycopg

from sot_pipeline.skills.files import TEMPORARY
from sot_pipeline.skills.model import DOCUMENT
from sot_pipeline_tests.skills.project import skill_md

# Nested ones and the root, so that files can be in the folders of two.
PATHS = ("a", "a/b", "d", ".", "e/f", "a/b/g")
ATTACHED = ("x.txt", "b/y.bin", "s/run.sh")


class FileUser:
    """Works on the folder `root`; `token` gives a value that was never there."""

    def __init__(self, root: Path, token: Callable[[], str]) -> None:
        self.root = root
        self.token = token

    def content(self) -> bytes:
        """Everything in the folder, temporary files too."""
        found = (Path(folder) / name for folder, _, names in os.walk(self.root) for name in names)
        return b"\n".join(path.read_bytes() for path in found)

    def act(self, action: str, one: int, two: int) -> None:
        getattr(self, action)(one, two)

    def _skills(self) -> list[str]:
        found = []
        for folder, folders, names in os.walk(self.root):
            folders[:] = [name for name in folders if not TEMPORARY.fullmatch(name)]
            if DOCUMENT in names:
                found.append(Path(folder).relative_to(self.root).as_posix())
        return sorted(found)

    def _picked(self, number: int) -> Path | None:
        found = self._skills()
        return self.root / found[number % len(found)] / DOCUMENT if found else None

    def _free(self, number: int) -> Path | None:
        free = [path for path in PATHS if not (self.root / path).exists()]
        return self.root / free[number % len(free)] if free else None

    def create(self, one: int, two: int) -> None:
        document = self.root / PATHS[one % len(PATHS)] / DOCUMENT
        if not document.exists():
            document.parent.mkdir(parents=True, exist_ok=True)
            keys = {"keywords": f"[{self.token()}, {self.token()}]", "metadata": f"\n  author: {self.token()}"}
            body = "".join(f"{self.token()}\n" for _ in range(two % 4))
            document.write_text(skill_md(f"n{two % 3}", self.token(), body, **(keys if two % 2 else {})))

    def field(self, one: int, two: int) -> None:
        """Give a description, a member of a list or a subkey another value."""
        keys = ("description: ", "keywords: ", "  author: ")
        self._change_line(
            one, keys[two % 3], lambda key: f"{key}[{self.token()}]" if key[0] == "k" else key + self.token()
        )

    def rename_within(self, one: int, two: int) -> None:
        self._change_line(one, "name: ", lambda key: f"{key}n{two % 3}")

    def _change_line(self, one: int, key: str, changed: Callable[[str], str]) -> None:
        document = self._picked(one)
        if document:
            lines = _text(document).split("\n")
            _write(document, "\n".join(changed(key) if line.startswith(key) else line for line in lines))

    def body(self, one: int, two: int) -> None:
        """Change, add or remove a line below the front matter."""
        document = self._picked(one)
        if not document:
            return
        front, fence, text = _text(document).rpartition("---\n")
        lines = text.splitlines(keepends=True)
        place = two % (len(lines) + 1)
        new = [f"{self.token()}\n"] if two % 5 else []
        lines[place : place + two % 2] = new
        _write(document, front + fence + "".join(lines))

    def attach(self, one: int, two: int) -> None:
        document = self._picked(one)
        if document:
            file = document.parent / ATTACHED[two % len(ATTACHED)]
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(self.token().encode() + (b"\xff\xfe\0" if file.suffix == ".bin" else b"\n"))

    def _attached(self, one: int, two: int) -> Path | None:
        document = self._picked(one)
        found = [document.parent / name for name in ATTACHED if (document.parent / name).exists()] if document else []
        return found[two % len(found)] if found else None

    def detach(self, one: int, two: int) -> None:
        if file := self._attached(one, two):
            file.unlink()

    def chmod(self, one: int, two: int) -> None:
        if file := self._attached(one, two) if two % 3 else self._picked(one):
            file.chmod(file.stat().st_mode ^ 0o111)

    def touch(self, one: int, two: int) -> None:
        if document := self._picked(one):
            os.utime(document, ns=(two, two))

    def delete(self, one: int, two: int) -> None:
        """A skill with all below it, or its SKILL.md only."""
        document = self._picked(one)
        if document and (two % 3 == 0 or document.parent == self.root):
            document.unlink()
        elif document:
            shutil.rmtree(document.parent)

    def rename(self, one: int, two: int) -> None:
        document, target = self._picked(one), self._free(two)
        if document and target and document.parent != self.root and document.parent not in target.parents:
            target.parent.mkdir(parents=True, exist_ok=True)
            document.parent.rename(target)

    def swap(self, one: int, two: int) -> None:
        here, there = self._picked(one), self._picked(two)
        if here and there and here.parent not in (there.parent, *there.parents) and there.parent not in here.parents:
            between = self.root / "between"
            here.parent.rename(between)
            there.parent.rename(here.parent)
            between.rename(there.parent)

    def copy(self, one: int, two: int) -> None:
        document, target = self._picked(one), self._free(two)
        if document and target and document.parent != self.root and document.parent not in target.parents:
            shutil.copytree(document.parent, target)

    def spoil(self, one: int, two: int) -> None:
        """Make a SKILL.md unreadable, in one of the ways that people have."""
        if document := self._picked(one):
            text = document.read_bytes()
            ways = (text.replace(b"\n---\n", b"\n"), text + b"\xff", text.replace(b"---\n", b"---\nname: x\n", 1))
            document.write_bytes(ways[two % 3])

    def mend(self, one: int, two: int) -> None:
        if document := self._picked(one):
            document.write_text(skill_md(f"n{two % 3}", self.token()))


def _text(document: Path) -> str:
    return document.read_bytes().decode(errors="surrogateescape")  # it may have been spoiled


def _write(document: Path, text: str) -> None:
    document.write_bytes(text.encode(errors="surrogateescape"))


class DatabaseUser:
    """Works on the tables of `project`; every statement is committed by itself."""

    def __init__(self, url: str, project: str, token: Callable[[], str]) -> None:
        self.connection: sqlite3.Connection | psycopg.Connection[tuple[object, ...]]
        self.sqlite = url.startswith("sqlite")
        if self.sqlite:
            self.connection = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None, timeout=30)
        else:
            self.connection = psycopg.connect(url.replace("+psycopg", ""), autocommit=True)
        self.project = project
        self.token = token

    def close(self) -> None:
        self.connection.close()

    def run(self, sql: str, *values: object) -> list[tuple[object, ...]]:
        if not self.sqlite:
            sql = sql.replace("?", "%s")
        cursor = self.connection.execute(sql, values)  # type: ignore[arg-type]  # either driver takes these
        return list(cursor.fetchall()) if cursor.description else []

    def content(self) -> bytes:
        """What a skill's rows say; a front matter is but the form of the document that is made of the columns."""
        return self.dump("skills", columns="name, description, body, extra") + self.dump(
            "skill_keywords", "skill_files"
        )

    def dump(self, *tables: str, columns: str = "*") -> bytes:
        """Columns of the project's rows of these tables."""
        found = (self.run(f"SELECT {columns} FROM {table} WHERE project_id = ?", self.project) for table in tables)
        values = (value for rows in found for row in rows for value in row)
        return b"\n".join(
            bytes(each) if isinstance(each, bytes | memoryview) else str(each).encode() for each in values
        )

    def act(self, action: str, one: int, two: int) -> None:
        getattr(self, action)(one, two)

    def _skills(self) -> list[tuple[str, str]]:
        rows = self.run("SELECT uid, skill_path FROM skills WHERE project_id = ? ORDER BY skill_path", self.project)
        return [(str(uid), str(path)) for uid, path in rows]

    def _picked(self, number: int) -> str | None:
        found = self._skills()
        return found[number % len(found)][0] if found else None

    def _free(self, number: int) -> str | None:
        taken = {path for _, path in self._skills()}
        free = [path for path in PATHS if path not in taken]
        return free[number % len(free)] if free else None

    def _update(self, uid: str, column: str, value: object) -> None:
        self.run(f"UPDATE skills SET {column} = ? WHERE project_id = ? AND uid = ?", value, self.project, uid)

    def create(self, one: int, two: int) -> None:
        """With few columns, as somebody would by hand."""
        path = PATHS[one % len(PATHS)]
        if path not in {taken for _, taken in self._skills()}:
            body = "".join(f"{self.token()}\n" for _ in range(two % 4))
            self.run(
                "INSERT INTO skills (project_id, skill_path, name, description, body) VALUES (?, ?, ?, ?, ?)",
                *(self.project, path, f"n{two % 3}", self.token(), body),
            )

    def field(self, one: int, two: int) -> None:
        if uid := self._picked(one):
            if two % 3 == 0:
                self._update(uid, "description", self.token())
            elif two % 3 == 1:
                self.run(
                    "INSERT INTO skill_keywords (project_id, uid, position, value) VALUES (?, ?, 9, ?)",
                    *(self.project, uid, self.token()),
                )
            else:
                self._update(uid, "extra", f'{{"metadata": {{"author": "{self.token()}"}}}}')

    def rename_within(self, one: int, two: int) -> None:
        if uid := self._picked(one):
            self._update(uid, "name", f"n{two % 3}")

    def body(self, one: int, two: int) -> None:
        if uid := self._picked(one):
            ((text,),) = self.run("SELECT body FROM skills WHERE project_id = ? AND uid = ?", self.project, uid)
            lines = str(text or "").splitlines(keepends=True)
            place = two % (len(lines) + 1)
            lines[place : place + two % 2] = [f"{self.token()}\n"] if two % 5 else []
            self._update(uid, "body", "".join(lines))

    def attach(self, one: int, two: int) -> None:
        if uid := self._picked(one):
            name, content = ATTACHED[two % len(ATTACHED)], self.token().encode() + b"\xfe\0"
            key = (self.project, uid, name)
            where = "WHERE project_id = ? AND uid = ? AND path = ?"
            if self.run(f"SELECT 1 FROM skill_files {where}", *key):
                self.run(f"UPDATE skill_files SET content = ? {where}", content, *key)
            else:
                self.run("INSERT INTO skill_files (project_id, uid, path, content) VALUES (?, ?, ?, ?)", *key, content)

    def _attached(self, one: int, two: int) -> tuple[str, str] | None:
        rows = self.run("SELECT uid, path FROM skill_files WHERE project_id = ? ORDER BY uid, path", self.project)
        return (str(rows[one % len(rows)][0]), str(rows[one % len(rows)][1])) if rows else None

    def detach(self, one: int, two: int) -> None:
        if found := self._attached(one, two):
            self.run("DELETE FROM skill_files WHERE project_id = ? AND uid = ? AND path = ?", self.project, *found)

    def chmod(self, one: int, two: int) -> None:
        if found := self._attached(one, two):
            mode = "CASE mode WHEN 420 THEN 493 ELSE 420 END"
            self.run(
                f"UPDATE skill_files SET mode = {mode} WHERE project_id = ? AND uid = ? AND path = ?",
                *(self.project, *found),
            )

    def touch(self, one: int, two: int) -> None:
        if uid := self._picked(one):
            self.run("UPDATE skills SET name = name WHERE project_id = ? AND uid = ?", self.project, uid)

    def delete(self, one: int, two: int) -> None:
        if uid := self._picked(one):
            self.run("DELETE FROM skills WHERE project_id = ? AND uid = ?", self.project, uid)

    def rename(self, one: int, two: int) -> None:
        uid, path = self._picked(one), self._free(two)
        if uid and path:
            self._update(uid, "skill_path", path)

    def swap(self, one: int, two: int) -> None:
        found = self._skills()
        if len(found) > 1:
            (here, path), (there, other) = found[one % len(found)], found[two % len(found)]
            self._update(here, "skill_path", "between")
            self._update(there, "skill_path", path)
            self._update(here, "skill_path", other if here != there else path)

    def copy(self, one: int, two: int) -> None:
        uid, path = self._picked(one), self._free(two)
        if uid and path:
            columns = "name, description, body, front_matter, extra"
            self.run(
                f"INSERT INTO skills (project_id, skill_path, {columns}) "
                f"SELECT project_id, ?, {columns} FROM skills WHERE project_id = ? AND uid = ?",
                *(path, self.project, uid),
            )

    def spoil(self, one: int, two: int) -> None:
        """Write what no file can be made of."""
        if uid := self._picked(one):
            ways = (("skill_path", f"../{uid}"), ("extra", '{"description": "twice"}'), ("body", "---\nname: x\n"))
            column, value = ways[two % 3]
            self._update(uid, column, value)

    def mend(self, one: int, two: int) -> None:
        for uid, path in self._skills():
            if path.startswith("../") and (free := self._free(two)):
                self._update(uid, "skill_path", free)


ACTIONS: Sequence[str] = (
    *("create", "field", "rename_within", "body", "attach", "detach", "chmod", "touch", "delete", "rename", "swap"),
    *("copy", "spoil", "mend"),
)
