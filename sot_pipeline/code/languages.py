"""Which language a file is written in, and the compiled grammar of a language."""

from __future__ import annotations

from collections.abc import Mapping

from sot_pipeline.code.grammar import Grammar, compiled

_LANGUAGES: Mapping[str, str] = {
    ".ex": "elixir",
    ".exs": "elixir",
    ".rs": "rust",
    ".ts": "typescript",
    ".tsx": "tsx",
    ".js": "javascript",
    ".jsx": "javascript",
    ".py": "python",
    ".go": "go",
    ".nix": "nix",
    ".sh": "bash",
    ".toml": "toml",
    ".json": "json",
    ".yaml": "yaml",
    ".yml": "yaml",
    ".md": "markdown",
}
# Language → module and name of its table.
_TABLES: Mapping[str, tuple[str, str]] = {
    "elixir": ("elixir", "TABLE"),
    "rust": ("rust", "TABLE"),
    "typescript": ("javascript", "TYPESCRIPT"),
    "tsx": ("javascript", "TSX"),
    "javascript": ("javascript", "JAVASCRIPT"),
    "python": ("python", "TABLE"),
    "go": ("go", "TABLE"),
    "nix": ("nix", "TABLE"),
    "bash": ("bash", "TABLE"),
    "toml": ("data", "TOML"),
    "json": ("data", "JSON"),
    "yaml": ("data", "YAML"),
    "markdown": ("data", "MARKDOWN"),
}
LANGUAGES = tuple(_TABLES)


def language_of(path: str) -> str | None:
    """The language of a file by the end of its name, None where it is none of ours.

    Case counts for nothing; `.env.md` is Markdown, a file named `.md` alone is none.
    """
    name = path.rpartition("/")[2]
    stem, dot, suffix = name.rpartition(".")
    return _LANGUAGES.get(dot + suffix.lower()) if stem else None


def grammar_of(language: str) -> Grammar:
    """The compiled grammar of a language `language_of` knows. Raises KeyError for any other."""
    return compiled(*_TABLES[language])
