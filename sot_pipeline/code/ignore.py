"""Which paths .gitignore files and configured patterns leave out, and by which rule.

Git's rules: a file's patterns hold for its folder and below, deeper files beat higher ones, a
later line beats an earlier one, and nothing inside of an ignored folder can be taken back in.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from pathspec import GitIgnoreSpec
from pathspec.patterns.gitignore import GitIgnorePatternError

GITIGNORE = ".gitignore"
# No source, whether a .gitignore says so or not.
NEVER = (".git", ".hg", ".svn", ".venv", "node_modules", "__pycache__", ".tox", ".mypy_cache", ".ruff_cache")
# What git reads of a .gitignore at most is larger; rules by hand are smaller.
_MAX_RULES_BYTES = 1024 * 1024


class Verdict(NamedTuple):
    """Whether a rule leaves a path out, and which rule of which file it was."""

    ignores: bool
    rule: str


@dataclass(frozen=True, slots=True)
class Rules:
    """The patterns of one file, for paths relative to the root that begin with `below`.

    `above` is the path from the rules' own folder to the root, for rules from above the root.
    """

    source: str
    spec: GitIgnoreSpec
    lines: tuple[str, ...]
    below: str = ""
    above: str = ""

    def verdict(self, path: str) -> Verdict | None:
        """What the last rule that matches says, None where none does; a folder's path ends in a slash."""
        found = self.spec.check_file(self.above + path[len(self.below) :])
        if found.include is None or found.index is None:
            return None
        return Verdict(found.include, f"{self.source}: {self.lines[found.index]}")


def rules_of(lines: Iterable[str], source: str, below: str = "", above: str = "") -> Rules | None:
    """The rules of some lines; a line that is no pattern is left out, as git does. None where no line is one."""
    good = tuple(line for line in lines if line.strip() and not line.startswith("#") and _is_pattern(line))
    return Rules(source, GitIgnoreSpec.from_lines(good), good, below, above) if good else None


def _is_pattern(line: str) -> bool:
    try:
        GitIgnoreSpec.from_lines([line])
    except (GitIgnorePatternError, ValueError):
        return False
    return True


def read_rules(file: Path, source: str, below: str = "", above: str = "") -> Rules | None:
    """The rules of a .gitignore; None where there is none or it cannot be read.

    As git does, a symbolic link is not followed.
    """
    try:
        if file.is_symlink():
            return None
        with file.open("rb") as stream:
            data = stream.read(_MAX_RULES_BYTES)
    except OSError:
        return None
    text = data.removeprefix(b"\xef\xbb\xbf").decode(errors="surrogateescape")
    return rules_of((line.removesuffix("\r") for line in text.split("\n")), source, below, above)


def rules_above(root: Path) -> tuple[Rules, ...]:
    """The rules that hold at `root` from outside of its folder: of the repository it lies in, weakest first."""
    above = [root, *root.parents]
    top = next((number for number, folder in enumerate(above) if (folder / ".git").exists()), None)
    if top is None:
        return ()
    exclude = read_rules(
        above[top] / ".git" / "info" / "exclude", ".git/info/exclude", above=_between(above[top], root)
    )
    found = [exclude]
    found += (
        read_rules(folder / GITIGNORE, f"{_up(root, folder)}{GITIGNORE}", above=_between(folder, root))
        for folder in reversed(above[1 : top + 1])
    )
    return tuple(rules for rules in found if rules is not None)


def _between(folder: Path, root: Path) -> str:
    inner = root.relative_to(folder).as_posix()
    return "" if inner == "." else f"{inner}/"


def _up(root: Path, folder: Path) -> str:
    return "../" * len(root.relative_to(folder).parts)


def verdict_of(rules: Sequence[Rules], path: str) -> Verdict | None:
    """What the strongest of `rules` (weakest first) that knows the path says; None where none does."""
    for each in reversed(rules):
        found = each.verdict(path)
        if found is not None:
            return found
    return None
