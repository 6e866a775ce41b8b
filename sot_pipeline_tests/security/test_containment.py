"""No file outside a project is read or written through it, however the path or the links are laid."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path

import pytest

from sot_pipeline.errors import ConfigError, FileUnusable
from sot_pipeline.ledgers.project import ParsedProject, read_project
from sot_pipeline.outcome import Mode
from sot_pipeline.refresh import add_markers, refresh_ledgers, refresh_readmes
from sot_pipeline.runtime.contained import open_unlinked, read_inside, real_path
from sot_pipeline.workspace import Project, load_workspace
from sot_pipeline_tests.workspaces import BUILDS, README, Kiln, make_kiln

SECRET = BUILDS.replace("Ramp", "canary")


@pytest.fixture
def kiln(tmp_path: Path, sqlite_url: str) -> Kiln:
    return make_kiln(tmp_path / "kiln", sqlite_url)


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A ledger and a README that are none of the project's business."""
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "BUILD_HISTORY.md").write_text(SECRET)
    (folder / "README.md").write_text(README)
    return folder


def link_to(path: Path, target: Path | str) -> None:
    path.unlink()
    path.symlink_to(target)


# At the time the configuration is read


@pytest.mark.parametrize(
    "lines",
    [
        'readme = "{}"',
        '[[project.ledger]]\nfile_type = "build_history"\npath = "{}"',
        '[project.skills]\npath = "{}"',
        '[project.links]\ndocs_root = "{}"',
        '[project.links]\nnav = ["README.md", "{}"]',
        '[project.links]\ninclude = ["{}"]',
        '[project.links]\nexclude = ["{}"]',
        '[project.code]\ninclude = ["{}"]',
        '[project.code]\nexclude = ["{}"]',
    ],
)
@pytest.mark.parametrize("path", ["/etc/passwd", "../outside/x.md", "docs/../../outside/x.md", "//etc/passwd", ".."])
def test_path_out_of_the_project_is_a_config_error(kiln: Kiln, lines: str, path: str) -> None:
    text = kiln.config.read_text().replace('readme = "README.md"\n', "")
    kiln.config.write_text(text + lines.format(path) + "\n")

    with pytest.raises(ConfigError, match="leads out of its root"):
        kiln.workspace()


@pytest.mark.parametrize("target", ["../outside/README.md", "/etc/hostname", "docs/../../outside/README.md"])
def test_link_out_of_the_project_is_a_config_error(kiln: Kiln, outside: Path, target: str) -> None:
    link_to(kiln.readme, target)

    with pytest.raises(ConfigError, match="leads out of its root"):
        kiln.workspace()


def test_folder_that_links_out_is_a_config_error(kiln: Kiln, outside: Path) -> None:
    (kiln.folder / "docs").rename(kiln.folder / "old")
    (kiln.folder / "docs").symlink_to(outside)

    with pytest.raises(ConfigError, match="leads out of its root"):
        kiln.workspace()


def test_loop_of_links_is_a_config_error(kiln: Kiln) -> None:
    link_to(kiln.readme, "other.md")
    (kiln.folder / "other.md").symlink_to("README.md")

    with pytest.raises(ConfigError, match="cannot be followed"):
        kiln.workspace()


def test_refused_configuration_writes_nothing(kiln: Kiln) -> None:
    kiln.config.write_text(kiln.config.read_text() + '[project.skills]\npath = "../x"\n')
    before = sorted(kiln.folder.rglob("*"))

    with pytest.raises(ConfigError):
        kiln.sync()

    assert sorted(kiln.folder.rglob("*")) == before


def test_links_inside_the_project_are_followed(kiln: Kiln) -> None:
    kiln.readme.rename(kiln.folder / "docs" / "README.md")
    kiln.readme.symlink_to("docs/README.md")

    assert kiln.synced().readme

    assert "**Builds**: 3" in (kiln.folder / "docs" / "README.md").read_text()
    assert kiln.readme.is_symlink()


def test_qdrant_folder_and_database_may_be_anywhere(kiln: Kiln, tmp_path: Path) -> None:
    env = {"DATABASE_URL": f"sqlite:///{tmp_path}/a/b.db", "QDRANT_HOST": str(tmp_path / "q")}

    workspace = load_workspace(kiln.config, env=env)

    assert workspace.qdrant
    assert workspace.qdrant.path == tmp_path / "q"


# Links put in place after the configuration was read


def test_ledger_swapped_for_a_link_is_not_read_and_its_rows_stay(
    kiln: Kiln, outside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kiln.synced(Mode.DB_ONLY)
    rows = kiln.rows()
    workspace = kiln.workspace()
    link_to(kiln.builds, outside / "BUILD_HISTORY.md")
    monkeypatch.setattr(Kiln, "workspace", lambda _: workspace)

    parsed = read_project(workspace.projects[0])
    kiln.synced(Mode.DB_ONLY)

    assert parsed.protected == {"build_history"}
    assert "leads out of the project" in parsed.problems[0].message
    assert "canary" not in str(parsed.records)
    assert kiln.rows() == rows


def test_folder_swapped_for_a_link_is_not_entered(kiln: Kiln, outside: Path) -> None:
    project = kiln.workspace().projects[0]
    (kiln.folder / "docs").rename(kiln.folder / "old")
    (kiln.folder / "docs").symlink_to(outside)

    assert "canary" not in str(read_project(project).records)


def test_readme_swapped_for_a_link_is_neither_read_nor_written(kiln: Kiln, outside: Path) -> None:
    workspace = kiln.workspace()
    link_to(kiln.readme, outside / "README.md")

    rewrites = [change(workspace, workspace.projects, execute=True) for change in (refresh_readmes, add_markers)]

    assert [rewrite.changed for rewrite in rewrites] == [(), ()]
    assert all("leads out of the project" in rewrite.problems[0].message for rewrite in rewrites)
    assert (outside / "README.md").read_text() == README


def test_readme_swapped_for_a_link_during_a_sync_is_a_problem(
    kiln: Kiln, outside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = kiln.workspace()
    link_to(kiln.readme, outside / "README.md")
    monkeypatch.setattr(Kiln, "workspace", lambda _: workspace)

    readme = kiln.synced().readme

    assert readme
    assert "leads out of the project" in readme.problems[0].message
    assert kiln.verify().readme_stale
    assert (outside / "README.md").read_text() == README


def test_ledger_swapped_for_a_link_after_it_was_read_is_not_refreshed(
    kiln: Kiln, outside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = "<!-- META\nTotal_Builds: 99\n-->\n" + SECRET
    (outside / "BUILD_HISTORY.md").write_text(wrong)
    workspace = kiln.workspace()

    def read_then_swap(project: Project) -> ParsedProject:
        parsed = read_project(project)
        link_to(kiln.builds, outside / "BUILD_HISTORY.md")
        return parsed

    monkeypatch.setattr("sot_pipeline.refresh.read_project", read_then_swap)

    rewrites = refresh_ledgers(workspace, workspace.projects, execute=True)

    assert rewrites.changed == ()
    assert "leads out of the project" in rewrites.problems[0].message
    assert (outside / "BUILD_HISTORY.md").read_text() == wrong


@contextmanager
def swapping(path: Path, *forms: Path) -> Iterator[None]:
    """While the block runs, `path` is replaced by links to each of `forms` in turn, as fast as can be."""
    done = threading.Event()

    def swap() -> None:
        for number, form in enumerate(cycle(forms)):
            if done.is_set():
                return
            spare = path.with_name(f".spare{number % 2}")
            spare.symlink_to(form)
            spare.rename(path)

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


@pytest.mark.parametrize("swapped", ["file", "folder"])
def test_link_swapped_while_it_is_read_never_leads_out(tmp_path: Path, outside: Path, swapped: str) -> None:
    """The check and the opening are two steps; what is opened must be what was checked."""
    root = tmp_path / "root"
    inside = root / "inside"
    inside.mkdir(parents=True)
    (inside / "BUILD_HISTORY.md").write_text(BUILDS)
    (root / "docs").symlink_to("inside")
    path = root / "docs" if swapped == "folder" else inside / "link.md"
    forms = (inside, outside) if swapped == "folder" else (inside / "BUILD_HISTORY.md", outside / "BUILD_HISTORY.md")
    name = "docs/BUILD_HISTORY.md" if swapped == "folder" else "docs/link.md"
    path.unlink(missing_ok=True)
    path.symlink_to(forms[0])
    seen = {"inside": 0, "refused": 0}

    with swapping(path, *forms):
        for _ in range(3_000):
            try:
                assert b"canary" not in read_inside(root, name, 1_000_000)
                seen["inside"] += 1
            except (FileUnusable, OSError):
                seen["refused"] += 1

    assert all(seen.values()), seen


def test_folder_replaced_by_a_link_between_check_and_opening_is_refused(
    tmp_path: Path, outside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "root" / "docs").mkdir(parents=True)
    (tmp_path / "root" / "docs" / "BUILD_HISTORY.md").write_text(BUILDS)
    resolve = os.path.realpath

    def resolve_then_swap(path: str, *, strict: bool = False) -> str:
        resolved = resolve(path, strict=strict)
        if strict and (tmp_path / "root" / "docs").is_dir() and not (tmp_path / "root" / "docs").is_symlink():
            (tmp_path / "root" / "docs").rename(tmp_path / "root" / "old")
            (tmp_path / "root" / "docs").symlink_to(outside)
        return resolved

    monkeypatch.setattr(os.path, "realpath", resolve_then_swap)

    with pytest.raises(OSError, match="Not a directory"):
        read_inside(tmp_path / "root", "docs/BUILD_HISTORY.md", 1_000_000)


def test_root_itself_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "README.md").write_text(README)
    (tmp_path / "root").symlink_to("real")

    assert real_path(tmp_path / "root", "README.md") == tmp_path / "real" / "README.md"
    assert read_inside(tmp_path / "root", "README.md", 1_000_000) == README.encode()


@pytest.mark.parametrize(
    ("path", "refused"),
    [
        ("docs/file.py", None),
        ("docs/link.py", OSError),
        ("linked/file.py", OSError),
        ("docs/pipe.py", FileUnusable),
        ("docs/../docs/file.py", FileUnusable),
        ("../outside.py", FileUnusable),
        ("/docs/file.py", FileUnusable),
        ("docs", FileUnusable),
        ("docs/gone.py", FileNotFoundError),
    ],
)
def test_where_links_are_not_followed_only_files_below_the_root_are_opened(
    tmp_path: Path, path: str, refused: type[Exception] | None
) -> None:
    root = tmp_path / "root"
    (root / "docs").mkdir(parents=True)
    (root / "docs" / "file.py").write_text("x = 1\n")
    (root / "docs" / "link.py").symlink_to("file.py")
    (root / "linked").symlink_to("docs")
    os.mkfifo(root / "docs" / "pipe.py")
    (tmp_path / "outside.py").write_text("canary")
    (tmp_path / "here").symlink_to(root)

    if refused is None:
        with open_unlinked(tmp_path / "here", path) as file:
            assert file.read() == b"x = 1\n"
        return
    with pytest.raises(refused), open_unlinked(tmp_path / "here", path):
        pass
