"""What a file is about, as far as names tell: domains by its imports, patterns by its class names, language features.

Lists of words, sorted; an empty list says that nothing was recognised. No judgement, no model.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from sot_pipeline.code.definitions import Definition
from sot_pipeline.code.grammar import TYPES, Grammar, JsonObject, Role

# First part of an imported module's name → what it is for.
_DOMAINS: Mapping[str, str] = {
    module: domain
    for domain, modules in {
        "command line": "argparse click typer clap commander cobra optionparser",
        "concurrency": "asyncio threading multiprocessing concurrent tokio sync genserver",
        "cryptography": "hashlib hmac secrets ssl cryptography crypto ring rustls",
        "database": "sqlalchemy sqlite3 psycopg alembic ecto sqlx diesel pg database",
        "file system": "os pathlib shutil fs path tempfile",
        "http": "http httpx requests aiohttp urllib net axios reqwest hyper",
        "logging": "logging structlog logger tracing log slog",
        "machine learning": "torch tensorflow sklearn transformers openai qdrant_client",
        "numerics": "numpy pandas scipy polars ndarray",
        "orchestration": "dagster airflow prefect celery oban",
        "processes": "subprocess child_process signal",
        "serialization": "json yaml toml tomllib csv xml serde serde_json jason encoding",
        "testing": "pytest unittest hypothesis exunit jest vitest testing",
        "web": "flask django fastapi phoenix express react vue axum actix_web",
    }.items()
    for module in modules.split()
}
_PATTERN = re.compile(
    "(adapter|builder|cache|client|command|controller|decorator|factory|iterator|mixin|observer|parser|pool|proxy"
    "|repository|server|service|singleton|strategy|supervisor|visitor|worker)s?$",
    re.IGNORECASE,
)
_FIRST_PART = re.compile(r"[a-z_][a-z0-9_]*")


def domains_of(imports: Iterable[JsonObject]) -> list[str]:
    """What the imported modules are for, by the first part of their names."""
    names = (str(entry["name"]).lower().removeprefix("node:").removeprefix("std::") for entry in imports)
    parts = [_FIRST_PART.match(name) for name in names]
    return sorted({_DOMAINS[part.group()] for part in parts if part and part.group() in _DOMAINS})


def patterns_of(definitions: Sequence[Definition]) -> list[str]:
    """Patterns that class-like definitions are named for (`TokenFactory` is a factory)."""
    found = [_PATTERN.search(d.name) for d in definitions if d.role in TYPES or d.role == Role.MODULE]
    return sorted({match.group(1).lower() for match in found if match})


def features_of(operators: Iterable[int], grammar: Grammar) -> list[str]:
    """Features of the language that the file uses, by the keywords and operators in it."""
    features = grammar.table.features
    names = (grammar.names[kind].decode() for kind in set(operators))
    return sorted({features[name] for name in names if name in features})
