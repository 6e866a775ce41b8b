"""What importing costs and what no module may import; who may import whom is import-linter's."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import sot_pipeline

PACKAGE = Path(sot_pipeline.__file__).parent
# Each costs from 0.1 s to over a second, and no command needs all of them.
HEAVY = ("dagster", "qdrant_client", "qdrant_edge", "openai", "sqlalchemy", "wordllama", "numpy", "matplotlib")


def test_importing_the_command_line_loads_nothing_heavy() -> None:
    program = f"import sys, sot_pipeline.cli.main\nprint(*(name for name in {HEAVY!r} if name in sys.modules))"

    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()

    assert loaded == []


def test_no_module_imports_a_private_part_of_dagster() -> None:
    private = [
        f"{module.relative_to(PACKAGE)}: {name}"
        for module in PACKAGE.rglob("*.py")
        for name in imported_names(module)
        if name.startswith("dagster._")
    ]

    assert private == []


def imported_names(module: Path) -> list[str]:
    names: list[str] = []
    for node in ast.walk(ast.parse(module.read_bytes())):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    return names
