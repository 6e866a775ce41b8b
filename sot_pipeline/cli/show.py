"""`sot show`: one entry as its file has it now, with its place, fields and links."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from sot_pipeline.cli.options import ConfigOption, JsonOption, ProjectsOption, projects_of, workspace_of
from sot_pipeline.cli.output import say, say_json, style

if TYPE_CHECKING:
    from sot_pipeline.plan import Json
    from sot_pipeline.search.entry import ShownEntry

EntryArgument = Annotated[str, typer.Argument(metavar="ENTRY_ID", help="An id such as BUILD-163, in any case.")]
TypeOption = Annotated[
    str | None, typer.Option("--type", metavar="FILE_TYPE", help="The kind of ledger, where several have the id.")
]


def show(
    entry_id: EntryArgument,
    project: ProjectsOption = None,
    file_type: TypeOption = None,
    json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Show one entry: where it stands, its metadata, fields, links and text. Reads the file alone."""
    from sot_pipeline.search.entry import find_entry

    entry = find_entry(projects_of(workspace_of(config), project), entry_id, file_type)
    if json:
        say_json(_document(entry))
    else:
        _say_entry(entry)


def _document(entry: ShownEntry) -> dict[str, Json]:
    record = entry.record
    return {
        **record.key._asdict(),
        "title": record.title,
        "path": entry.path,
        "line": entry.line,
        "created_at": record.created_at.isoformat() if record.created_at else None,
        "content_hash": record.content_hash,
        "metadata": dict(record.metadata),
        "fields": [{"name": field.name, "value": field.value} for field in entry.fields],
        "links": [{"text": link.text, "target": link.target} for link in entry.links],
        "content": record.content,
    }


def _say_entry(entry: ShownEntry) -> None:
    record = entry.record
    say(f"{style(record.key.entry_id, bold=True)}  {style(record.title, bold=True)}")
    say(style(f"{entry.path}:{entry.line}  {record.key.project_id}, {record.key.file_type}", dim=True))
    facts = {name: value for name, value in record.metadata.items() if isinstance(value, str | bool)}
    for name, value in facts.items():
        say(f"  {style(f'{name:<10}', dim=True)} {value}")
    if entry.links:
        say()
        for link in entry.links:
            say(f"  {style('link', dim=True)}  {link.text}  {link.target}")
    say()
    say(record.content)
