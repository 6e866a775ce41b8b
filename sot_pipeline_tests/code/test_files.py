"""Which files are source files: git's rules, configured patterns, links, and names that are not UTF-8."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest

from sot_pipeline.code.files import is_source, root_state, source_files


def write(root: Path, *paths: str, text: str = "x = 1\n") -> None:
    for path in paths:
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)


def found(root: Path, include: tuple[str, ...] = (), exclude: tuple[str, ...] = ()) -> list[str]:
    """What is listed; and `is_source` says the same of each file that there is."""
    listed = source_files(root, include, exclude)
    state = root_state(root, include, exclude)
    for folder, _, names in os.walk(root):
        for name in names:
            path = os.path.relpath(os.path.join(folder, name), root)  # noqa: PTH118 - names that are not UTF-8 as well
            assert is_source(state, path) == (path in {str(f.relative_to(root)) for f in listed.files.values()}), path
    return list(listed.files)


def test_only_known_languages_in_the_order_of_their_paths(tmp_path: Path) -> None:
    write(tmp_path, "b/c.rs", "a.py", "README", "b/d.txt", ".md", "b.ts")

    assert found(tmp_path) == ["a.py", "b.ts", "b/c.rs"]


def test_a_pattern_matches_ends_of_names_not_parts_of_them(tmp_path: Path) -> None:
    write(tmp_path, "app.login.ts", "catalog.py", "x.log.md", "build/a.py", "rebuild/a.py")
    write(tmp_path, ".gitignore", text="*.log\nbuild/\n")

    assert found(tmp_path) == ["app.login.ts", "catalog.py", "rebuild/a.py", "x.log.md"]


def test_negation_and_nested_rules(tmp_path: Path) -> None:
    write(tmp_path, "a.py", "keep.py", "sub/a.py", "sub/keep.py", "sub/deep/b.py", "gone/keep.py", "c.md")
    write(tmp_path, ".gitignore", text="# no source\n*.py\n!keep.py\n/gone/\n\r\n")
    write(tmp_path, "sub/.gitignore", text="!a.py\r\nkeep.py\r\n/deep/b.py\r\n")

    # Inside of gone/, which is ignored, nothing can be taken back.
    assert found(tmp_path) == ["c.md", "keep.py", "sub/a.py"]


def test_what_is_left_out_is_named_with_its_rule(tmp_path: Path) -> None:
    write(tmp_path, "a.py", "b.py", "node_modules/x.js", "lib/c.py", "docs/d.md", "e.txt")
    write(tmp_path, ".gitignore", text="b.py\n")
    write(tmp_path, "lib/.gitignore", text="c.*\n")

    listed = source_files(tmp_path, ("*.py", "*.js"), ("a.py",))

    assert dict(listed.files) == {}
    assert listed.skipped == {
        "a.py": "exclude: a.py",
        "b.py": ".gitignore: b.py",
        "node_modules/": "exclude: node_modules",
        "lib/c.py": "lib/.gitignore: c.*",
        "docs/d.md": "not included",
    }


def test_include_takes_what_its_patterns_match(tmp_path: Path) -> None:
    write(tmp_path, "src/a.py", "src/deep/b.py", "tests/c.py", "setup.py")

    assert found(tmp_path, ("src/**", "/setup.py"), ("deep/",)) == ["setup.py", "src/a.py"]


def test_rules_from_above_the_root_and_of_git_itself_hold(tmp_path: Path) -> None:
    root = tmp_path / "repo" / "packages" / "one"
    write(root, "a.py", "b.py", "c.py", "d.py")
    write(tmp_path / "repo", ".git/info/exclude", text="b.py\n")
    write(tmp_path / "repo", ".gitignore", text="/packages/one/c.py\n/d.py\n")
    write(tmp_path, ".gitignore", text="a.py\n")  # outside of the repository

    assert found(root) == ["a.py", "d.py"]
    assert source_files(root).skipped == {
        "b.py": ".git/info/exclude: b.py",
        "c.py": "../../.gitignore: /packages/one/c.py",
    }


def test_git_agrees(tmp_path: Path) -> None:
    rules = [
        "*.py",
        "!a*.py",
        "sub/",
        "!/sub2/x",
        "**/deep/*.md",
        "q?.rs",
        "[xyz].go",
        "\\!b.ts",
        "t.js ",
        "/top.nix",
        "a/**/z.sh",
        "!",
        "#h.md",
    ]
    write(tmp_path, ".gitignore", text="\n".join(rules) + "\n")
    write(
        tmp_path, "a.py", "b.py", "sub/c.md", "sub2/x/a.py", "sub2/x/b.py", "deep/a.md", "x/deep/b.md", "x/deep/y/c.md"
    )
    write(
        tmp_path,
        "q1.rs",
        "q12.rs",
        "x.go",
        "w.go",
        "!b.ts",
        "b.ts",
        "t.js",
        "top.nix",
        "x/top.nix",
        "a/z.sh",
        "a/b/c/z.sh",
        "#h.md",
    )
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    listed = subprocess.run(
        ["git", "-C", tmp_path, "ls-files", "--others", "--exclude-standard", "-z"], capture_output=True, check=True
    ).stdout

    expected = sorted(path for path in listed.decode().split("\0") if path and path != ".gitignore")

    assert found(tmp_path) == expected


def test_links_are_not_followed(tmp_path: Path) -> None:
    write(tmp_path, "real/a.py", ".gitignore")
    (tmp_path / "real" / "loop").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "link.py").symlink_to(tmp_path / "real" / "a.py")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / ".gitignore").symlink_to(tmp_path / "rules")
    write(tmp_path, "rules", text="b.py\n")
    write(tmp_path, "other/b.py")
    os.mkfifo(tmp_path / "pipe.py")

    listed = source_files(tmp_path)
    state = root_state(tmp_path)

    assert list(listed.files) == ["other/b.py", "real/a.py"]
    assert listed.skipped == {"link.py": "symbolic link", "pipe.py": "not a regular file"}
    assert not is_source(state, "link.py")
    assert not is_source(state, "real/loop/real/a.py")
    assert not is_source(state, "pipe.py")


def test_a_name_that_is_not_utf_8_is_shown_and_opens(tmp_path: Path) -> None:
    raw = os.fsencode(tmp_path) + b"/caf\xe9.py"
    with open(raw, "wb") as file:  # noqa: PTH123 - pathlib takes no bytes
        file.write(b"x = 1\n")

    listed = source_files(tmp_path)

    assert list(listed.files) == ["caf\\xe9.py"]
    assert listed.files["caf\\xe9.py"].read_bytes() == b"x = 1\n"
    assert is_source(root_state(tmp_path), os.fsdecode(b"caf\xe9.py"))

    write(tmp_path, "caf\\xe9.py", text="y = 2\n")
    listed = source_files(tmp_path)

    assert list(listed.files) == ["caf\\xe9.py"]
    assert listed.files["caf\\xe9.py"].read_bytes() == b"y = 2\n"
    assert listed.skipped == {"caf\\xe9.py": "another file is shown by the same name"}


def test_what_is_gone_may_have_been_a_source_file(tmp_path: Path) -> None:
    write(tmp_path, ".gitignore", text="*.tmp.py\n")
    state = root_state(tmp_path)

    assert is_source(state, "gone/a.py")
    assert not is_source(state, "a.tmp.py")
    assert not is_source(state, "node_modules/a.js")
    assert not is_source(state, "a.txt")


def test_a_folder_that_cannot_be_listed_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, "a.py", "sub/b.py")
    scandir = os.scandir

    def without_sub(folder: Path) -> object:
        if folder.name == "sub":
            raise FileNotFoundError(2, "No such file or directory")
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", without_sub)
    listed = source_files(tmp_path)

    assert list(listed.files) == ["a.py"]
    assert listed.unreadable == {"sub": "No such file or directory"}


def test_a_missing_root_raises(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        source_files(tmp_path / "missing")


def test_listing_takes_little_time_for_each_file(tmp_path: Path) -> None:
    write(tmp_path, *(f"p{number % 20}/f{number}.py" for number in range(1000)))
    write(tmp_path, ".gitignore", text="*.log\nbuild/\n/dist\n!keep\n")

    start = time.process_time()
    count = len(source_files(tmp_path).files)

    assert count == 1000
    assert time.process_time() - start < 0.5  # 20,000 files in a second would be 0.05
