from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sot_pipeline.errors import FileChangedMeanwhile, FileUnusable
from sot_pipeline.runtime.files import read_file, replace_file


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "README.md"
    path.write_bytes(b"old")
    return path


def test_file_holds_the_new_bytes_and_nothing_is_left_beside_it(path: Path) -> None:
    replace_file(path, b"new\r\n\x00\xff", expected=b"old")

    assert path.read_bytes() == b"new\r\n\x00\xff"
    assert list(path.parent.iterdir()) == [path]


def test_edit_made_meanwhile_survives(path: Path) -> None:
    with pytest.raises(FileChangedMeanwhile, match=r"README\.md: somebody edited it"):
        replace_file(path, b"new", expected=b"what was read before")

    assert path.read_bytes() == b"old"
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("mode", [0o600, 0o644, 0o755])
def test_mode_is_kept(path: Path, mode: int) -> None:
    path.chmod(mode)

    replace_file(path, b"new", expected=b"old")

    assert path.stat().st_mode & 0o7777 == mode


@pytest.mark.skipif(os.getuid() != 0, reason="only root may give files away")
def test_owner_is_kept(path: Path) -> None:
    os.chown(path, 1234, 4321)

    replace_file(path, b"new", expected=b"old")

    assert (path.stat().st_uid, path.stat().st_gid) == (1234, 4321)


def test_modification_time_is_the_time_of_the_write(path: Path) -> None:
    os.utime(path, (1, 1))

    replace_file(path, b"new", expected=b"old")

    assert path.stat().st_mtime > 1_000_000


def test_link_stays_a_link_and_its_file_is_replaced(path: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    link = tmp_path / "elsewhere" / "link.md"
    link.symlink_to(path)

    replace_file(link, b"new", expected=b"old")

    assert link.is_symlink()
    assert path.read_bytes() == b"new"
    assert list(link.parent.iterdir()) == [link]


def test_loop_of_links_is_named(tmp_path: Path) -> None:
    loop = tmp_path / "loop.md"
    loop.symlink_to(loop)

    with pytest.raises(FileUnusable, match=r"loop\.md: cannot be written"):
        replace_file(loop, b"new", expected=b"old")


def test_missing_file_is_not_created(tmp_path: Path) -> None:
    with pytest.raises(FileUnusable, match=r"gone\.md: cannot be written \(No such file or directory\)"):
        replace_file(tmp_path / "gone.md", b"new", expected=b"")

    assert list(tmp_path.iterdir()) == []


def test_unreadable_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileUnusable, match=r"gone\.md: cannot be read \(No such file or directory\)"):
        read_file(tmp_path / "gone.md")


def test_full_disk_leaves_the_original_and_no_temporary_file(path: Path) -> None:
    # A limit on the size of files: the write fails half way, as it does on a full disk.
    script = (
        "import resource, signal, sys; from pathlib import Path\n"
        "from sot_pipeline.runtime.files import replace_file\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "replace_file(Path(sys.argv[1]), b'x' * 100_000, expected=b'old')\n"
    )

    done = subprocess.run([sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=False)

    assert "FileUnusable" in done.stderr
    assert "File too large" in done.stderr
    assert path.read_bytes() == b"old"
    assert list(path.parent.iterdir()) == [path]


def test_temporary_file_of_a_killed_writer_is_removed_and_that_of_a_living_one_stays(path: Path) -> None:
    abandoned, living = (path.with_name(f".README.md.{name}.sot.tmp") for name in ("abandoned", "living"))
    abandoned.write_bytes(b"half")
    foreign = path.with_name(".README.md.swp.tmp")
    foreign.write_bytes(b"an editor's")

    with living.open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        replace_file(path, b"new", expected=b"old")

    assert sorted(path.parent.iterdir()) == sorted([living, foreign, path])


def test_interruption_leaves_the_original_and_no_temporary_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("os.fsync", interrupted)

    with pytest.raises(KeyboardInterrupt):
        replace_file(path, b"new", expected=b"old")

    assert path.read_bytes() == b"old"
    assert list(path.parent.iterdir()) == [path]


def test_bytes_are_on_the_disk_before_the_rename_and_the_rename_after_it(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[tuple[bool, bytes]] = []
    real = os.fsync

    def watched(descriptor: int) -> None:
        real(descriptor)
        synced.append((os.path.isdir(f"/proc/self/fd/{descriptor}"), path.read_bytes()))  # noqa: PTH112

    monkeypatch.setattr("os.fsync", watched)

    replace_file(path, b"new", expected=b"old")

    assert synced == [(False, b"old"), (True, b"new")]
