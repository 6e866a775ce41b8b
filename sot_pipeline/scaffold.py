"""The files of a new workspace: `sot.toml`, `workspace.yaml`, `dagster.yaml`, and the demo's sources.

Nothing here overwrites a file that is there.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from sot_pipeline.errors import UsageError
from sot_pipeline.workspace import CONFIG_NAME

TEMPLATES = resources.files("sot_pipeline") / "templates"
DEMO = resources.files("sot_pipeline") / "examples" / "demo"
DEMO_PROJECT = "demo"


@dataclass(frozen=True, slots=True)
class Scaffolded:
    """Which files were written and which were left as they were, relative to `folder`."""

    folder: Path
    written: tuple[str, ...]
    kept: tuple[str, ...]


def init_workspace(folder: Path, *, project_id: str | None = None, root: str = ".") -> Scaffolded:
    """Write a commented workspace that runs as it is into `folder`.

    The project's id defaults to the folder's name, made fit. Raises UsageError for a `root` that
    is no folder.
    """
    project_root = (folder / root).resolve()
    if not project_root.is_dir():
        raise UsageError(f"--root {root} is no folder.", remedy="Name the folder that holds README.md and docs/.")
    readme = next((name for name in ("README.md", "readme.md") if (project_root / name).is_file()), None)
    values = {
        "project_id": project_id or _fit_id(project_root.name),
        "root": root,
        "readme": f'readme = "{readme}"' if readme else '# readme = "README.md"',
        "skills": _SKILLS if _has_skills(project_root / "skills") else _commented(_SKILLS),
    }
    written: list[str] = []
    kept: list[str] = []
    for name in (CONFIG_NAME, "workspace.yaml", "dagster.yaml"):
        text = (TEMPLATES / name).read_text(encoding="utf-8")
        for key, value in values.items():
            text = text.replace(f"{{{key}}}", value)
        _write_new(folder / name, text.encode(), name, written, kept)
    return Scaffolded(folder, tuple(written), tuple(kept))


_SKILLS = '[project.skills]\npath = "skills"                      # every folder below it with a SKILL.md is one'


def _has_skills(folder: Path) -> bool:
    """Whether there is a skill in `folder`, at the top or two folders below."""
    return any(next(folder.glob(pattern), None) for pattern in ("SKILL.md", "*/SKILL.md", "*/*/SKILL.md"))


def _commented(text: str) -> str:
    return "".join(f"# {line}" for line in text.splitlines(keepends=True))


def make_demo(folder: Path) -> Scaffolded:
    """The example project and a workspace around it, in `folder`; what is there already stays.

    Raises UsageError where `folder` holds something that is no demo.
    """
    if folder.exists() and (not folder.is_dir() or (any(folder.iterdir()) and not (folder / CONFIG_NAME).is_file())):
        raise UsageError(f"{folder} holds other files.", remedy="Name a new or an empty folder: sot demo DIR")
    written: list[str] = []
    kept: list[str] = []
    for source in _files_below(DEMO):
        name = source.relative_to(Path(str(DEMO))).as_posix()
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        _write_new(folder / name, source.read_bytes(), name, written, kept)
    workspace = init_workspace(folder, project_id=DEMO_PROJECT)
    return Scaffolded(folder, (*written, *workspace.written), (*kept, *workspace.kept))


def _files_below(folder: object) -> list[Path]:
    return sorted(path for path in Path(str(folder)).rglob("*") if path.is_file() and path.suffix != ".pyc")


def _write_new(path: Path, data: bytes, name: str, written: list[str], kept: list[str]) -> None:
    try:
        with path.open("xb") as file:
            file.write(data)
    except FileExistsError:
        kept.append(name)
    else:
        written.append(name)


def _fit_id(name: str) -> str:
    """`name` as a project id: `[a-z0-9][a-z0-9_-]*`."""
    return re.sub(r"[^a-z0-9_-]+", "-", name.lower()).strip("-_") or "project"
