"""How the exporter's modules import each other."""

from __future__ import annotations

import ast
from graphlib import TopologicalSorter
from pathlib import Path

SCRIPTS = Path(__file__).parents[1]


def imports(path: Path) -> set[str]:
    """The modules that a file imports, including those imported for a type checker only."""
    package = path.relative_to(SCRIPTS).parts[:-1]
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            base = [*package[: len(package) - node.level + 1]] if node.level else []
            start = ".".join([*base, *([node.module] if node.module else [])])
            found |= {start, *(f"{start}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return found


def test_there_is_no_import_cycle():
    modules = {
        ".".join(path.relative_to(SCRIPTS).with_suffix("").parts): path
        for path in (SCRIPTS / "tftl_export").rglob("*.py")
        if path.stem != "__init__"
    }
    graph = {name: imports(path) & modules.keys() for name, path in modules.items()}
    assert graph["tftl_export.commands.export"] >= {"tftl_export.contract", "tftl_export.errors"}
    TopologicalSorter(graph).prepare()  # raises CycleError, which lists the modules
