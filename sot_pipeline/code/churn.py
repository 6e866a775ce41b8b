"""How often files were changed lately, and by how many people: one `git log` for all of them."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

DAYS = 90
# A log of 90 days takes a fraction of this; a repository on a dead network drive takes for ever.
SECONDS = 30
# What a repository's configuration could make `git log` run: a monitor, a signature check.
_OFF = ("-c", "core.fsmonitor=false", "-c", "log.showSignature=false", "-c", "core.quotePath=false")


@dataclass(frozen=True, slots=True)
class Churn:
    """Commits and different authors (by address) of one file; merges do not count."""

    commits: int = 0
    authors: int = 0


def churn_of(root: Path, now: datetime) -> dict[str, Churn] | str:
    """For each file (relative to `root`) that was changed in the 90 days before `now`; or the reason for not knowing.

    `now` is naive and in UTC. A file that is missing here was not changed.
    """
    git = shutil.which("git")
    if git is None:
        return "git is not installed"
    since = f"--since={(now - timedelta(days=DAYS)).isoformat(timespec='seconds')}Z"
    until = f"--until={now.isoformat(timespec='seconds')}Z"
    command = [git, *_OFF, "-C", str(root), "log", since, until, "--no-merges", "--no-renames", "--no-ext-diff"]
    try:
        done = subprocess.run(  # noqa: S603 - no shell, and nothing of a repository's content in the command
            [*command, "--relative", "--name-only", "-z", "--format=%x01%aE", "--", "."],
            capture_output=True,
            timeout=SECONDS,
            stdin=subprocess.DEVNULL,
            env={**os.environ, "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"},
        )
    except subprocess.TimeoutExpired:
        return f"git log took more than {SECONDS} s"
    if done.returncode:
        return _reason(done.stderr)
    return _counted(done.stdout)


def _reason(stderr: bytes) -> str:
    if b"not a git repository" in stderr:
        return "not in a git repository"
    if b"does not have any commits" in stderr:
        return "the git repository has no commits"
    return f"git log failed: {stderr.decode(errors='replace').strip().splitlines()[-1:] or ['no message']}"


def _counted(log: bytes) -> dict[str, Churn]:
    commits: dict[str, int] = defaultdict(int)
    authors: dict[str, set[bytes]] = defaultdict(set)
    for commit in log.split(b"\x01")[1:]:
        author, _, names = commit.partition(b"\0")
        for name in names.split(b"\0"):
            if path := name.removeprefix(b"\n"):
                shown = path.decode(errors="backslashreplace")
                commits[shown] += 1
                authors[shown].add(author)
    return {path: Churn(count, len(authors[path])) for path, count in commits.items()}
