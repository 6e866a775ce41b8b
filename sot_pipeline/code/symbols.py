"""Definitions, imports and exports as the JSON of a row, and what is counted of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sot_pipeline.code.complexity import Complexity
from sot_pipeline.code.definitions import Definition
from sot_pipeline.code.grammar import TYPES, JsonObject, Mark, Role, Table

if TYPE_CHECKING:
    from tree_sitter import Node

_IMPORTING = frozenset({Role.IMPORT, Role.MODULE, Role.EXPORT})
_CLASSES = TYPES | {Role.MODULE}
_COUNTED: Mapping[str, int] = {
    "function_count": Role.FUNCTION,
    "class_count": Role.CLASS,
    "struct_count": Role.STRUCT,
    "enum_count": Role.ENUM,
    "trait_count": Role.TRAIT,
    "interface_count": Role.INTERFACE,
}


@dataclass(frozen=True, slots=True)
class Symbols:
    """The five lists of a row, in file order."""

    functions: tuple[JsonObject, ...] = ()
    classes: tuple[JsonObject, ...] = ()
    imports: tuple[JsonObject, ...] = ()
    exports: tuple[JsonObject, ...] = ()
    symbols: tuple[JsonObject, ...] = ()


def symbols_of(
    definitions: Sequence[Definition], marks: Sequence[Mark], table: Table, complexities: Mapping[int, Complexity]
) -> Symbols:
    """The JSON of a file's definitions; functions carry their complexity where `complexities` has it.

    The function of the largest cyclomatic complexity has `"largest": true`.
    """
    largest = max(complexities, key=lambda mark: (complexities[mark].cyclomatic, -mark), default=None)
    return Symbols(
        functions=tuple(
            _function(definition, complexities.get(definition.mark), is_largest=definition.mark == largest)
            for definition in definitions
            if definition.role == Role.FUNCTION
        ),
        classes=tuple(_symbol(definition) for definition in definitions if definition.role in _CLASSES),
        imports=tuple(_imports(marks, table)),
        exports=tuple(_exports(definitions, marks, table)),
        symbols=tuple(_symbol(definition) for definition in definitions if not definition.is_local),
    )


def counts_of(definitions: Sequence[Definition]) -> dict[str, int]:
    """How many functions, classes, structs, enums, traits and interfaces there are."""
    return {column: sum(definition.role == role for definition in definitions) for column, role in _COUNTED.items()}


def documentation_coverage(definitions: Sequence[Definition]) -> float | None:
    """Documented public definitions over public definitions; None where there is none (constants do not count)."""
    public = [d for d in definitions if d.is_public and (d.role == Role.FUNCTION or d.role in _CLASSES)]
    return sum(d.is_documented for d in public) / len(public) if public else None


def _symbol(definition: Definition) -> JsonObject:
    found: JsonObject = {
        "name": definition.name,
        "kind": definition.kind,
        "line": definition.line,
        "end_line": definition.end_line,
    }
    if definition.parent is not None:
        found["parent"] = definition.parent
    return found


def _function(definition: Definition, complexity: Complexity | None, *, is_largest: bool) -> JsonObject:
    found = _symbol(definition)
    found["public"] = definition.is_public
    found["documented"] = definition.is_documented
    if definition.parameters is not None:
        found["parameters"] = definition.parameters
    if complexity is not None:
        found["cyclomatic"] = complexity.cyclomatic
        found["cognitive"] = complexity.cognitive
        found["nesting"] = complexity.nesting
    if is_largest:
        found["largest"] = True
    return found


def _imports(marks: Sequence[Mark], table: Table) -> Iterator[JsonObject]:
    """A re-export imports as well, and so does a module that is declared here and written elsewhere."""
    if table.imports_of is None:
        return
    for role, _, node in marks:
        if role in _IMPORTING and not node.has_error:
            yield from _at_line(table.imports_of(node), node)


def _at_line(entries: list[JsonObject], node: Node) -> Iterator[JsonObject]:
    line = node.start_point[0] + 1
    return ({**entry, "line": line} for entry in entries)


def _exports(definitions: Sequence[Definition], marks: Sequence[Mark], table: Table) -> list[JsonObject]:
    """What the language marks as exported; where it has no such mark, the public definitions of the top level."""
    if table.exports_of is not None:
        exported = (node for role, _, node in marks if role == Role.EXPORT and not node.has_error)
        return [entry for node in exported for entry in _at_line(table.exports_of(node), node)]
    return [
        {"name": d.name, "line": d.line}
        for d in definitions
        if d.is_public and (d.parent is None or table.exports_nested)
    ]
