"""Imports to files: which files of the project a file's imports mean.

By names and paths alone; nothing is executed, and only go.mod is read. What leads out of the
project leads nowhere here. The graph that comes of it is `graph`'s.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from posixpath import commonprefix, dirname, join, normpath

from sot_pipeline.code.model import ParseStatus
from sot_pipeline.plan import Json


@dataclass(frozen=True, slots=True)
class FileFacts:
    """What relating needs of a file: all of it is in `code_files` and `codebase_metadata`, but for `tokens`.

    `complexity` is the cyclomatic complexity; `tokens` are `Analysis.tokens` (`encode.packed`
    makes bytes of them for a column).
    """

    path: str
    language: str
    parse_status: ParseStatus
    imports: Sequence[Json]
    classes: Sequence[Json]
    complexity: int | None
    tokens: Sequence[int]


# From one file and the name of one of its imports (with the names taken from it) to paths.
_Resolve = Callable[[FileFacts, str, Sequence[str]], Iterable[str]]

_SCRIPTS = ("javascript", "typescript", "tsx")
RESOLVED = frozenset({"python", "rust", "go", "elixir", *_SCRIPTS})


def dependencies_of(root: Path, files: Sequence[FileFacts]) -> dict[str, tuple[str, ...]]:
    """For each file of a language in RESOLVED the files it imports, sorted; never itself."""
    by_language: dict[str, list[FileFacts]] = defaultdict(list)
    for file in files:
        if file.language in RESOLVED:
            by_language["javascript" if file.language in _SCRIPTS else file.language].append(file)
    found: dict[str, tuple[str, ...]] = {}
    for language, those in by_language.items():
        resolve = _RESOLVERS[language](root, those)
        for file in those:
            found[file.path] = tuple(sorted(_targets(file, resolve) - {file.path}))
    return found


def _targets(file: FileFacts, resolve: _Resolve) -> set[str]:
    targets: set[str] = set()
    for entry in file.imports:
        if isinstance(entry, dict) and isinstance(entry.get("name"), str):
            names = entry.get("names")
            taken = [name for name in names if isinstance(name, str)] if isinstance(names, list) else []
            name = f"mod {entry['name']}" if entry.get("mod") else str(entry["name"])
            targets.update(resolve(file, name, taken))
    return targets


def _python(_: Path, files: Sequence[FileFacts]) -> _Resolve:
    paths = {file.path for file in files}
    modules: dict[str, list[str]] = defaultdict(list)
    for path in sorted(paths):
        for name in _python_names(path, paths):
            modules[name].append(path)

    def find(file: FileFacts, name: str) -> str | None:
        dots = len(name) - len(name.lstrip("."))
        if not dots:
            return _nearest(modules.get(name, ()), file.path)
        folder = dirname(file.path)
        for _ in range(dots - 1):
            folder = dirname(folder)
        base = join(folder, *[part for part in name[dots:].split(".") if part])
        return _first(paths, (f"{base}.py", join(base, "__init__.py")))

    def resolve(file: FileFacts, name: str, taken: Sequence[str]) -> Iterable[str]:
        package = find(file, name)
        parts = [find(file, f"{name}{'' if name.endswith('.') else '.'}{part}") for part in taken]
        found = {part for part in parts if part}
        # `from a import b` runs a's own code as well, but depends on it only where b is not a module.
        return found | {package} if package and (not taken or len(found) < len(taken)) else found

    return resolve


def _python_names(path: str, paths: Iterable[str]) -> set[str]:
    """The dotted names a module goes by: from the root, and from where its outermost package lies."""
    folder, stem = dirname(path), path.rpartition("/")[2].removesuffix(".py")
    parts = [] if stem == "__init__" else [stem]
    inside = folder
    while inside and join(inside, "__init__.py") in paths:
        parts.insert(0, inside.rpartition("/")[2])
        inside = dirname(inside)
    whole = ([*folder.split("/")] if folder else []) + ([] if stem == "__init__" else [stem])
    return {".".join(parts), ".".join(whole)} - {""}


def _javascript(_: Path, files: Sequence[FileFacts]) -> _Resolve:
    paths = {file.path for file in files}
    endings = (".ts", ".tsx", ".js", ".jsx")

    def resolve(file: FileFacts, name: str, _: Sequence[str]) -> Iterable[str]:
        if not name.startswith("."):
            return ()
        base = normpath(join(dirname(file.path), name))
        stem = re.sub(r"\.jsx?$", "", base)  # TypeScript's imports name the file that will be
        candidates = [base, *(base + end for end in endings), *(stem + end for end in endings)]
        found = _first(paths, [*candidates, *(join(base, f"index{end}") for end in endings)])
        return (found,) if found else ()

    return resolve


def _rust(_: Path, files: Sequence[FileFacts]) -> _Resolve:
    paths = {file.path for file in files}
    roots = {dirname(path) for path in paths if path.rpartition("/")[2] in ("lib.rs", "main.rs")}
    crates = {dirname(root).rpartition("/")[2].replace("-", "_"): root for root in roots}

    def resolve(file: FileFacts, name: str, _: Sequence[str]) -> Iterable[str]:
        own = _rust_folder(file.path)
        if name.startswith("mod "):
            found = _first(paths, _rust_files(join(own, name[4:])))
            return (found,) if found else ()
        parts = name.split("::")
        if parts[0] == "crate":
            base, parts = _around(file.path, roots, own), parts[1:]
        elif parts[0] in crates and crates[parts[0]]:
            base, parts = crates[parts[0]], parts[1:]
        else:
            base = own
            while parts and parts[0] in ("self", "super"):
                base = dirname(base) if parts[0] == "super" else base
                parts = parts[1:]
        for end in range(len(parts), 0, -1):
            found = _first(paths, _rust_files(join(base, *parts[:end])))
            if found:
                return (found,)
        return ()

    return resolve


def _around(path: str, folders: set[str], otherwise: str) -> str:
    """The innermost of `folders` that `path` is in."""
    folder = dirname(path)
    while folder and folder not in folders:
        folder = dirname(folder)
    return folder if folder in folders else otherwise


def _rust_folder(path: str) -> str:
    """Where the modules inside of a module lie."""
    folder, stem = dirname(path), path.rpartition("/")[2].removesuffix(".rs")
    return folder if stem in ("lib", "main", "mod") else join(folder, stem)


def _rust_files(base: str) -> tuple[str, ...]:
    return f"{base}.rs", f"{base}/mod.rs"


_GO_MODULE = re.compile(r"^\s*module\s+\"?([^\s\"]+)", re.MULTILINE)


def _go(root: Path, files: Sequence[FileFacts]) -> _Resolve:
    packages: dict[str, list[str]] = defaultdict(list)
    for file in files:
        if not file.path.endswith("_test.go"):
            packages[dirname(file.path)].append(file.path)
    modules = {name: folder for folder in _with_ancestors(packages) if (name := _go_module(root / folder / "go.mod"))}

    def resolve(_: FileFacts, name: str, __: Sequence[str]) -> Iterable[str]:
        for module, folder in modules.items():
            if name == module or name.startswith(f"{module}/"):
                return packages.get(join(folder, name[len(module) + 1 :]).removesuffix("/"), ())
        return ()

    return resolve


def _with_ancestors(folders: Iterable[str]) -> set[str]:
    found: set[str] = {""}
    for folder in folders:
        while folder and folder not in found:
            found.add(folder)
            folder = dirname(folder)
    return found


def _go_module(file: Path) -> str | None:
    try:
        found = _GO_MODULE.search(file.read_text(errors="replace")[:65536])
    except OSError:
        return None
    return found.group(1) if found else None


def _elixir(_: Path, files: Sequence[FileFacts]) -> _Resolve:
    modules: dict[str, list[str]] = defaultdict(list)
    for file in sorted(files, key=lambda file: file.path):
        for entry in file.classes:
            if isinstance(entry, dict) and entry.get("kind") in ("module", "interface"):
                parent = entry.get("parent")
                modules[f"{parent}.{entry['name']}" if parent else str(entry["name"])].append(file.path)

    def resolve(file: FileFacts, name: str, _: Sequence[str]) -> Iterable[str]:
        found = _nearest(modules.get(name, ()), file.path)
        return (found,) if found else ()

    return resolve


def _first(paths: set[str], candidates: Iterable[str]) -> str | None:
    return next((path for path in candidates if path in paths), None)


def _nearest(candidates: Sequence[str], path: str) -> str | None:
    """Of several files of one name (sorted) the first that shares most of its path with the importing file.

    In that order those that share most of a path stand around the place of the path itself.
    """
    place = bisect_left(candidates, path)
    shared = max(
        (commonprefix([each, path]) for each in candidates[max(0, place - 1) : place + 1]), key=len, default=""
    )
    return candidates[bisect_left(candidates, shared)] if candidates else None


_RESOLVERS: Mapping[str, Callable[[Path, Sequence[FileFacts]], _Resolve]] = {
    "python": _python,
    "javascript": _javascript,
    "rust": _rust,
    "go": _go,
    "elixir": _elixir,
}
