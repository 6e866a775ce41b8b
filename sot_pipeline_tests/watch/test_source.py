"""Another kind of file joins by the interface alone, and what may wait does wait."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Collection, Mapping
from pathlib import Path

import pytest

from sot_pipeline.runtime.deadline import Deadline
from sot_pipeline.runtime.pulse import Pulse
from sot_pipeline.runtime.stop import Stop
from sot_pipeline.runtime.tree import ProjectState, Stat, look
from sot_pipeline.watch import watcher
from sot_pipeline.watch.applied import Applied
from sot_pipeline.watch.heart import Heart
from sot_pipeline.watch.source import Change, Result, Scope, Source, folder_identity, nearest_folder
from sot_pipeline.watch.watcher import Settings, Watcher
from sot_pipeline.workspace import Project
from sot_pipeline_tests.watch.watching import wait_until


class Notes:
    """One file a project, `note.txt`; notes what is asked of it, and finishes when it may."""

    name = "notes"
    tables = ("notes",)

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.may_finish = threading.Event()

    def has(self, project: Project) -> bool:
        return project.id != "without"

    def scope(self, project: Project) -> Scope:
        identity = folder_identity(str(project.root))
        assert identity
        return Scope({str(project.root): identity}, {str(project.root / "note.txt")})

    def look(self, project: Project, before: ProjectState | None, hinted: Collection[str]) -> ProjectState:
        def digest(name: str) -> str:
            return hashlib.sha256((project.root / name).read_bytes()).hexdigest()

        status = (project.root / "note.txt").stat()
        return look(before, {"note.txt": Stat(status.st_size, status.st_mtime_ns)}, digest, now_ns=0, distrust=hinted)

    def apply(self, changes: Mapping[str, Change], deadline: Deadline) -> Mapping[str, Result]:
        deadline.check("before notes")
        self.calls.append(f"apply {' '.join(changes)}")
        return {project_id: Result({"rows": 1, "points": None}, unfinished=True) for project_id in changes}

    def finish(self, project_id: str, deadline: Deadline) -> Result:
        self.calls.append(f"finish {project_id}")
        self.may_finish.wait(deadline.timeout(10))
        return Result({"points": 1})


def test_a_change_does_not_wait_for_what_may_wait(tmp_path: Path) -> None:
    projects = tuple(Project(name, tmp_path / name, ()) for name in ("a", "b", "without"))
    for project in projects[:2]:
        project.root.mkdir()
        (project.root / "note.txt").write_text("first")
    notes, told, stop = Notes(), list[Applied](), Stop()
    source: Source = notes
    heart = Heart(tmp_path / ".sot" / "watch", sources=("notes",), projects=("a", "b"), pulse=Pulse())
    thread = threading.Thread(target=Watcher(projects, (source,), heart, told.append, stop, Settings()).run)
    thread.start()
    try:
        wait_until(lambda: notes.calls[-1:] == ["finish a"])
        assert told == [], "told when it is finished"
        (tmp_path / "b" / "note.txt").write_text("second")
        threading.Event().wait(0.2)
        notes.may_finish.set()
        wait_until(lambda: len(told) == 3)
    finally:
        notes.may_finish.set()
        stop.ask()
        thread.join(10)

    assert notes.calls == ["apply a b", "finish a", "apply b", "finish b"]
    assert [(batch.project_id, batch.result.targets["points"]) for batch in told] == [("a", 1), ("b", None), ("b", 1)]


class Slow(Notes):
    """What may wait goes on in the background, until it may finish."""

    name = "slow"

    def finish(self, project_id: str, deadline: Deadline) -> Result:
        deadline.check("before notes")
        self.calls.append(f"finish {project_id}")
        return Result({"points": 1}) if self.may_finish.is_set() else Result({}, unfinished=True)


def test_what_goes_on_in_the_background_is_asked_for_again_and_changes_are_applied_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watcher, "ASK_AGAIN_SECONDS", 0.02)
    monkeypatch.setattr(watcher, "LONGEST_UNFINISHED", 0.5)
    (tmp_path / "note.txt").write_text("first")
    notes, told, stop = Slow(), list[Applied](), Stop()
    heart = Heart(tmp_path / ".sot" / "watch", sources=("slow",), projects=("a",), pulse=Pulse())
    run = Watcher((Project("a", tmp_path, ()),), (notes,), heart, told.append, stop, Settings()).run
    thread = threading.Thread(target=run)
    thread.start()
    try:
        wait_until(lambda: notes.calls.count("finish a") > 2)
        assert told == [], "not before it took long"
        (tmp_path / "note.txt").write_text("second")
        wait_until(lambda: notes.calls.count("apply a") == 2)
        wait_until(lambda: len(told) == 2)
        notes.may_finish.set()
        wait_until(lambda: len(told) == 3)
    finally:
        stop.ask()
        thread.join(10)

    assert [batch.result.targets["points"] for batch in told] == [None, None, 1]


def test_the_nearest_folder_is_one_that_exists(tmp_path: Path) -> None:
    assert nearest_folder(str(tmp_path / "a" / "b" / "c.md")) == str(tmp_path)
    assert folder_identity(str(tmp_path / "a")) is None
