"""The resolved workspace: `sot.toml`, environment and flags made into frozen values.

A flag beats the environment, the environment beats the file, the file beats the default. Nothing
is opened or connected here; the shape of the file itself is `config.py`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import SecretStr

from sot_pipeline.config import (
    CodeSection,
    LedgerSection,
    LinksSection,
    ProjectSection,
    SchedulesSection,
    SkillsSection,
    read_config,
)
from sot_pipeline.errors import ConfigError, UsageError
from sot_pipeline.plan import SKILL
from sot_pipeline.redact import redact

CONFIG_NAME = "sot.toml"
DEFAULT_DATABASE_URL = "sqlite:///sot.db"
DEFAULT_OPENAI_MODEL = "text-embedding-3-small"

# file_type → (path below the project root, id prefix)
DEFAULT_LEDGERS: Mapping[str, tuple[str, str]] = {
    "build_history": ("docs/BUILD_HISTORY.md", "BUILD"),
    "architecture_decisions": ("docs/ARCHITECTURE_DECISIONS.md", "DEC"),
    "debug_log": ("docs/DEBUG_LOG.md", "DBG"),
}


@dataclass(frozen=True, slots=True)
class LedgerSpec:
    """Which file is a ledger and what its ids look like.

    `path` is relative to the project root, with forward slashes. A `declared` ledger stands in
    `sot.toml` and must exist; a default one is simply not kept where its file never was.
    """

    file_type: str
    path: str
    prefix: str
    declared: bool = False


@dataclass(frozen=True, slots=True)
class Project:
    """One project: its folder and where its canonical texts are."""

    id: str
    root: Path
    ledgers: tuple[LedgerSpec, ...]
    readme: str | None = None
    max_ledger_bytes: int = 64 * 1024 * 1024
    skills: SkillsSection | None = None
    code: CodeSection | None = None
    links: LinksSection | None = None

    @property
    def embeds_code(self) -> bool:
        """Whether what stands in its source files is embedded."""
        return self.code is not None and self.code.embed

    @property
    def beside_ledgers(self) -> frozenset[str]:
        """The file_types of what shares the full text with the ledgers."""
        return frozenset({SKILL} if self.skills else ())


@dataclass(frozen=True, slots=True)
class QdrantTarget:
    """Where points go: a folder (embedded engine) or the URL of a server. Exactly one is set."""

    path: Path | None = None
    url: str | None = field(default=None, repr=False)  # may hold a password
    api_key: SecretStr | None = None

    def __str__(self) -> str:
        return f"embedded at {self.path}" if self.path else redact(self.url or "")


@dataclass(frozen=True, slots=True)
class EmbeddingChoice:
    """Which embedder makes vectors. `provider` is "local" or "openai" (or compatible)."""

    provider: str
    model: str
    base_url: str | None = field(default=None, repr=False)  # may hold a password
    api_key: SecretStr | None = None
    dimension: int | None = None
    note: str = ""

    def __str__(self) -> str:
        where = f" at {redact(self.base_url)}" if self.base_url else ""
        note = f" ({self.note})" if self.note else ""
        return f"{self.provider}:{self.model}{where}{note}"


@dataclass(frozen=True, slots=True)
class Workspace:
    """Everything a run needs to know, resolved. `folder` is where `sot.toml` stands."""

    folder: Path
    config_path: Path
    database_url: str = field(repr=False)  # may hold a password
    qdrant: QdrantTarget | None
    embedding: EmbeddingChoice
    projects: tuple[Project, ...]
    schedules: SchedulesSection = field(default_factory=SchedulesSection)
    semantic_weight: float | None = None
    webhook_url: SecretStr | None = None

    def select(self, ids: tuple[str, ...] = ()) -> tuple[Project, ...]:
        """The projects named, in the order of `sot.toml`; all without names.

        Raises UsageError for an id that `sot.toml` does not define.
        """
        known = [project.id for project in self.projects]
        for wanted in ids:
            if wanted not in known:
                raise UsageError(
                    f"Unknown project '{wanted}'.", remedy=f"{self.config_path} defines: {', '.join(known)}."
                )
        return tuple(project for project in self.projects if not ids or project.id in ids)

    def project(self, project_id: str) -> Project:
        """The project with this id. Raises UsageError where there is none."""
        return self.select((project_id,))[0]

    @property
    def targets(self) -> dict[str, str | None]:
        """The resolved targets as every run prints them; no password, no key."""
        return {
            "database": redact(self.database_url),
            "qdrant": str(self.qdrant) if self.qdrant else None,
            "embedding": str(self.embedding),
        }


@dataclass(frozen=True, slots=True)
class Overrides:
    """What flags say; None where a flag was not given."""

    database_url: str | None = None
    qdrant: str | None = None
    embedding: str | None = None


def find_config(start: Path | None = None) -> Path:
    """`sot.toml` in `start` (default: the current folder) or the nearest parent.

    Raises ConfigError where there is none.
    """
    here = (start or Path.cwd()).resolve()
    for folder in (here, *here.parents):
        if (folder / CONFIG_NAME).is_file():
            return folder / CONFIG_NAME
    raise ConfigError(
        f"No {CONFIG_NAME} in {here} or any folder above it.",
        remedy="Run 'sot init' in the folder of your project, or pass --config PATH.",
    )


def load_workspace(
    config: Path | None = None,
    *,
    env: Mapping[str, str] | None = None,
    overrides: Overrides | None = None,
    require_roots: bool = True,
) -> Workspace:
    """Read and resolve the workspace. Raises ConfigError; touches nothing but `sot.toml`.

    Without `require_roots` a project's folder may be missing, for whoever waits until it comes.
    """
    env = os.environ if env is None else env
    flags = overrides or Overrides()
    named = config or (Path(env["SOT_CONFIG"]) if env.get("SOT_CONFIG") else find_config())
    path = _resolved(named, "Configuration file")
    file = read_config(path)
    folder = path.parent
    section = file.workspace
    max_bytes = section.max_ledger_mib * 1024 * 1024
    return Workspace(
        folder=folder,
        config_path=path,
        database_url=resolve_database_url(
            flags.database_url or env.get("DATABASE_URL") or section.database_url or DEFAULT_DATABASE_URL,
            folder,
        ),
        qdrant=resolve_qdrant(flags.qdrant or env.get("QDRANT_HOST") or section.qdrant, folder, env),
        embedding=replace(
            resolve_embedding(flags.embedding, env, section.embedding), dimension=section.embedding_dimension
        ),
        projects=_projects(path, file.project, max_bytes, require_roots),
        schedules=file.schedules,
        semantic_weight=file.search.semantic_weight,
        webhook_url=SecretStr(file.notify.webhook_url) if file.notify.webhook_url else None,
    )


def resolve_database_url(url: str, folder: Path) -> str:
    """A SQLAlchemy URL: `postgres://` and `postgresql://` become psycopg 3, SQLite paths absolute.

    Raises ConfigError for any other scheme.
    """
    scheme, found, rest = url.partition("://")
    if found and scheme in {"postgres", "postgresql", "postgresql+psycopg", "postgresql+psycopg2"}:
        if not re.search(r"[^/?]", rest):
            raise ConfigError(
                f"Database URL '{redact(url)}' names no host or database.",
                remedy="Write postgresql://user:password@host:5432/name.",
            )
        return f"postgresql+psycopg://{rest}"
    if found and scheme in {"sqlite", "sqlite+pysqlite"}:
        name = rest.removeprefix("/")
        if not rest.startswith("/") or not name or name == ":memory:":
            raise ConfigError(
                f"Database URL '{redact(url)}' names no file; SQLite in memory would forget everything.",
                remedy="Write sqlite:///sot.db (relative to sot.toml) or sqlite:////absolute/path/sot.db.",
            )
        return f"sqlite:///{_resolved(folder / name, 'Database file')}"
    raise ConfigError(
        f"Database URL '{redact(url)}' is neither SQLite nor PostgreSQL.",
        remedy="Write sqlite:///sot.db or postgresql://user:password@host:5432/name.",
    )


def resolve_qdrant(value: str | None, folder: Path, env: Mapping[str, str]) -> QdrantTarget | None:
    """Where points go: None disabled, `http(s)://` a server, else a folder beside `sot.toml`."""
    if not value or value.lower() in {"disabled", "none", "off"}:
        return None
    if "://" not in value and not _HOST_AND_PORT.fullmatch(value):
        return QdrantTarget(path=_resolved(folder / value, "Qdrant folder"))
    if not _is_http_url(value):
        raise ConfigError(
            f"Qdrant address '{redact(value)}' is no http(s) URL.",
            remedy="Write http://localhost:6333 for a server or a path such as .sot/qdrant for the embedded engine.",
        )
    key = env.get("QDRANT_API_KEY", "").strip()
    return QdrantTarget(url=value, api_key=SecretStr(key) if key else None)


# A server without its scheme; taken as a path it would become a folder of that name.
_HOST_AND_PORT = re.compile(r"[^/\s]+:\d+/?")


def _is_http_url(value: str) -> bool:
    try:
        parts = urlsplit(value)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        return False


def resolve_embedding(flag: str | None, env: Mapping[str, str], file: str | None) -> EmbeddingChoice:
    """Which embedder: `local`, or an OpenAI model by name (`openai:` in front is optional).

    Named nowhere, it is OpenAI's default model with a key or a base URL, the local one without.
    A missing key is no error yet: only a mode that embeds needs one.
    """
    key = env.get("OPENAI_API_KEY", "").strip()  # read from a file, it has a line end
    base_url = env.get("OPENAI_BASE_URL") or None
    named = flag or env.get("EMBEDDING_MODEL") or file
    if named == "local":
        return EmbeddingChoice("local", "wordllama-256")
    if not named and not key and not base_url:
        note = "no OPENAI_API_KEY, so the local embedder is used"
        return EmbeddingChoice("local", "wordllama-256", note=note)
    named = named or DEFAULT_OPENAI_MODEL
    provider, _, model = named.partition(":") if ":" in named else ("openai", ":", named)
    if provider != "openai" or not model:
        raise ConfigError(
            f"Embedding '{named}' is not known.",
            remedy=f"Write 'local' or 'openai:{DEFAULT_OPENAI_MODEL}' (any model's name behind 'openai:').",
        )
    if base_url and not _is_http_url(base_url):
        raise ConfigError(
            f"OPENAI_BASE_URL '{redact(base_url)}' is no http(s) URL.", remedy="Write http://localhost:8000/v1."
        )
    return EmbeddingChoice("openai", model, base_url=base_url, api_key=SecretStr(key) if key else None)


def _projects(
    path: Path, sections: tuple[ProjectSection, ...], max_bytes: int, require_roots: bool
) -> tuple[Project, ...]:
    seen: set[str] = set()
    for section in sections:
        if section.id in seen:
            raise ConfigError(f"{path}: project '{section.id}' is defined twice.", remedy="Give each its own id.")
        seen.add(section.id)
    return tuple(_project(path, section, max_bytes, require_roots) for section in sections)


def _project(path: Path, section: ProjectSection, max_bytes: int, require_root: bool) -> Project:
    root = _resolved(path.parent / section.root, f"{path}: root of project '{section.id}'")
    if require_root and not os.path.isdir(root):  # noqa: PTH112  # Path.is_dir raises where a name is too long
        raise ConfigError(
            f"{path}: root of project '{section.id}' is no folder: {root}.",
            remedy="Mend 'root'; it is relative to sot.toml.",
        )
    ledgers = {file_type: LedgerSpec(file_type, *default) for file_type, default in DEFAULT_LEDGERS.items()}
    declared: set[str] = set()
    for ledger in section.ledger:
        if ledger.file_type in declared:
            raise ConfigError(
                f"{path}: project '{section.id}' declares the ledger '{ledger.file_type}' twice.",
                remedy="A file_type names one file; give the second its own file_type.",
            )
        if ledger.file_type == SKILL and section.skills:
            raise ConfigError(
                f"{path}: project '{section.id}' has [project.skills] and a ledger '{SKILL}'.",
                remedy="Skills are searched by that name; give the ledger another file_type.",
            )
        declared.add(ledger.file_type)
        ledgers[ledger.file_type] = _ledger(path, section.id, ledger)
    for relative in (*(spec.path for spec in ledgers.values()), *_named_files(section)):
        _contained(path, section.id, root, relative)
    for pattern in _patterns(section):
        # What a pattern finds is looked at when it is found; here it is only text.
        if pattern.startswith("/") or ".." in pattern.split("/"):
            raise _leads_out(path, section.id, root, pattern)
    return Project(
        id=section.id,
        root=root,
        ledgers=tuple(ledgers.values()),
        readme=section.readme,
        max_ledger_bytes=max_bytes,
        skills=section.skills,
        code=section.code,
        links=section.links,
    )


def _named_files(section: ProjectSection) -> tuple[str, ...]:
    """The files and folders that a project names beside its ledgers."""
    links = (section.links.docs_root, *section.links.nav) if section.links else ()
    named = (section.readme, section.skills.path if section.skills else None, *links)
    return tuple(path for path in named if path)


def _patterns(section: ProjectSection) -> tuple[str, ...]:
    """The globs of a project, which are relative to its root."""
    globs = (section.code, section.links)
    return tuple(pattern for part in globs if part for pattern in (*part.include, *part.exclude))


def _ledger(path: Path, project_id: str, section: LedgerSection) -> LedgerSpec:
    default_path, default_prefix = DEFAULT_LEDGERS.get(section.file_type, (None, None))
    where = section.path or default_path
    prefix = section.prefix or default_prefix
    if where is None or prefix is None:
        missing = "path" if where is None else "prefix"
        raise ConfigError(
            f"{path}: ledger '{section.file_type}' of project '{project_id}' has no {missing}.",
            remedy=f"Only {', '.join(DEFAULT_LEDGERS)} have defaults; add '{missing} = …'.",
        )
    return LedgerSpec(section.file_type, Path(where).as_posix(), prefix, declared=True)


def _contained(path: Path, project_id: str, root: Path, relative: str) -> None:
    """A file that configuration names must stay inside the project, symbolic links followed."""
    target = _resolved(root / relative, f"{path}: a file of project '{project_id}'")
    if not target.is_relative_to(root):
        raise _leads_out(path, project_id, root, relative)


def _leads_out(path: Path, project_id: str, root: Path, named: str) -> ConfigError:
    return ConfigError(
        f"{path}: '{named}' of project '{project_id}' leads out of its root {root}.",
        remedy="Name a file inside the project, or widen 'root'.",
    )


def _resolved(path: Path, what: str) -> Path:
    """`path` made absolute, symbolic links followed. Raises ConfigError, calling it `what`."""
    try:
        return path.resolve()
    except (OSError, RuntimeError, ValueError) as error:  # a loop of links, a NUL character
        raise ConfigError(
            f"{what} cannot be followed: {str(path)!r} ({error}).",
            remedy="Mend the path, or remove the loop of symbolic links.",
        ) from None
