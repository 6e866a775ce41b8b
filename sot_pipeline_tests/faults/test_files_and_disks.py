"""Disks that fill up, files that may not be written, and a README that somebody edits meanwhile."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from sot_pipeline.errors import VectorStoreUnavailable
from sot_pipeline_tests.faults.conftest import fill
from sot_pipeline_tests.faults.processes import run
from sot_pipeline_tests.faults.states import State, edit, leftovers, points_of, require_agreement, state_of
from sot_pipeline_tests.workspaces import README, Kiln, make_kiln

SmallDisk = Callable[[Path, float], Path]
SYNC = ("sync", "--full", "--execute")
# Root may write anything unless it is started without that privilege (capabilities(7)).
UNPRIVILEGED = ("setpriv", "--bounding-set=-dac_override,-dac_read_search")


def require_convergence(kiln: Kiln, expected: State) -> None:
    assert leftovers(kiln) == []
    kiln.synced()
    assert state_of(kiln) == expected
    require_agreement(kiln)


@pytest.mark.parametrize("left", [0, 48 * 1024], ids=["nothing", "less than the change"])
def test_full_disk_under_sqlite(tmp_path: Path, small_disk: SmallDisk, undisturbed: State, left: int) -> None:
    disk = small_disk(tmp_path / "disk", 2)
    kiln = make_kiln(tmp_path / "kiln", f"sqlite:///{disk / 'sot.db'}")
    kiln.synced()
    before = state_of(kiln)
    edit(kiln)
    filler = fill(disk)
    os.truncate(filler, filler.stat().st_size - left)

    ended = run(kiln, *SYNC)

    assert (ended.code, "space" in ended.json()["remedy"]) == (2, True), ended.out
    filler.unlink()
    assert state_of(kiln) == before
    require_convergence(kiln, undisturbed)


@pytest.mark.parametrize("left", [0, 8 * 1024 * 1024], ids=["nothing", "less than a write needs"])
def test_full_disk_under_the_collection(
    tmp_path: Path, sqlite_url: str, small_disk: SmallDisk, undisturbed: State, left: int
) -> None:
    kiln = make_kiln(tmp_path / "kiln", sqlite_url)
    disk = small_disk(kiln.folder / ".sot" / "qdrant", 128)
    kiln.synced()
    before = state_of(kiln)
    edit(kiln)
    filler = fill(disk)
    os.truncate(filler, filler.stat().st_size - left)

    ended = run(kiln, *SYNC)

    assert ended.code == 4
    assert ended.json()["projects"][0]["database"]["inserted"] == 1
    filler.unlink()
    assert state_of(kiln).points == before.points
    require_convergence(kiln, undisturbed)


def test_collection_on_a_full_disk_is_not_even_loaded(tmp_path: Path, sqlite_url: str, small_disk: SmallDisk) -> None:
    """The engine would map its files into memory, and now and then die of SIGBUS."""
    kiln = make_kiln(tmp_path / "kiln", sqlite_url)
    disk = small_disk(kiln.folder / ".sot" / "qdrant", 128)
    kiln.synced()
    before = points_of(kiln)
    filler = fill(disk)
    os.truncate(filler, filler.stat().st_size - 64 * 1024)

    with pytest.raises(VectorStoreUnavailable, match=r"Only 0\.1 MB are free.*reading points needs"):
        points_of(kiln)

    filler.unlink()
    assert points_of(kiln) == before


def test_full_disk_under_the_readme(tmp_path: Path, sqlite_url: str, small_disk: SmallDisk, undisturbed: State) -> None:
    kiln = make_kiln(tmp_path / "kiln", sqlite_url)
    disk = small_disk(kiln.folder / "disk", 1)
    shutil.move(kiln.readme, disk / "README.md")
    kiln.readme.symlink_to(disk / "README.md")
    kiln.synced()
    before = kiln.readme.read_bytes()
    edit(kiln)
    filler = fill(disk)

    ended = run(kiln, *SYNC)

    assert (ended.code, ended.json()["projects"][0]["readme"]) == (1, {"changed": False})
    assert "No space left" in ended.out
    assert kiln.readme.read_bytes() == before
    assert sorted(disk.iterdir()) == [disk / "README.md", filler]
    filler.unlink()
    require_convergence(kiln, undisturbed)


def test_edit_of_the_readme_during_the_update_survives(
    tmp_path: Path, sqlite_url: str, monkeypatch: pytest.MonkeyPatch, undisturbed: State
) -> None:
    kiln = make_kiln(tmp_path / "kiln", sqlite_url)
    kiln.synced()
    edit(kiln)
    real = os.fsync

    def edited_meanwhile(descriptor: int) -> None:
        real(descriptor)
        if Path(f"/proc/self/fd/{descriptor}").readlink().name.endswith(".sot.tmp"):
            kiln.readme.write_text(kiln.readme.read_text().replace("Fires pots.", "Fires pots and tiles."))

    monkeypatch.setattr("os.fsync", edited_meanwhile)

    report = kiln.sync()

    monkeypatch.undo()
    assert report.exit_code == 1
    assert any("their edit was kept" in problem.message for problem in report.projects[0].problems)
    kiln.synced()
    assert kiln.readme.read_bytes() == undisturbed.readme.replace(b"Fires pots.", b"Fires pots and tiles.")
    require_agreement(kiln)


@pytest.mark.parametrize(
    ("place", "mode", "code"),
    [("sot.db", 0o444, 2), ("data", 0o555, 2), ("kiln/.sot/qdrant", 0o555, 4), ("kiln/.sot/locks", 0o555, 5)],
)
def test_what_may_not_be_written_is_found_before_anything_is_written(
    tmp_path: Path, place: str, mode: int, code: int, undisturbed: State
) -> None:
    (tmp_path / "data").mkdir()
    kiln = make_kiln(tmp_path / "kiln", f"sqlite:///{tmp_path / 'data' / 'sot.db'}")
    kiln.synced()
    before = state_of(kiln)
    edit(kiln)
    protected = tmp_path / "data" / "sot.db" if place == "sot.db" else tmp_path / place
    for path in (protected, *(protected.glob("*.lock") if protected.is_dir() else ())):
        path.chmod(mode & (0o777 if path.is_dir() else 0o444))

    ended = run(kiln, *SYNC, prefix=UNPRIVILEGED)

    assert (ended.code, ended.json()["projects"]) == (code, [])
    protected.chmod(0o755 if protected.is_dir() else 0o644)
    for path in protected.glob("*.lock") if protected.is_dir() else ():
        path.chmod(0o644)
    assert state_of(kiln) == before
    require_convergence(kiln, undisturbed)


def test_readme_that_may_not_be_written_is_left_alone_and_the_rest_is_synced(
    tmp_path: Path, sqlite_url: str, undisturbed: State
) -> None:
    kiln = make_kiln(tmp_path / "kiln", sqlite_url)
    kiln.readme.chmod(0o444)

    ended = run(kiln, *SYNC, prefix=UNPRIVILEGED)

    assert (ended.code, ended.json()["projects"][0]["database"]["inserted"]) == (1, 4)
    assert "read-only" in ended.out
    assert kiln.readme.read_text() == README
    edit(kiln)
    kiln.readme.chmod(0o644)
    require_convergence(kiln, undisturbed)
