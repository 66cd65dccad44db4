"""Nothing outside ``osprey.tasks`` asks which task it is, and no task knows of another."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from osprey.tasks.registry import _TASKS

SOURCE = Path(__file__).resolve().parents[2] / "src" / "osprey"
TASKS = {"classification", "detection"}  # those of Osprey's that others could ask for
ENDINGS = ("task", "name", "factory")


def names_a_task(node: ast.expr) -> bool:
    """Whether a literal is a task's name, or a tuple, list or set that holds one."""
    if isinstance(node, ast.Tuple | ast.List | ast.Set):
        return any(names_a_task(part) for part in node.elts)
    return isinstance(node, ast.Constant) and node.value in TASKS


def may_be_a_task(node: ast.expr) -> bool:
    """Whether an expression is called like something that says which task it is."""
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
        return str(node.slice.value).lower().endswith(ENDINGS)
    word = getattr(node, "id", None) or getattr(node, "attr", None) or ""
    return str(word).lower().endswith(ENDINGS)


def asks(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and text of every place that asks which task, or which task's network, it is."""
    for node in ast.walk(tree):
        found = False
        if isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
            found = any(map(names_a_task, sides)) and any(map(may_be_a_task, sides))
        elif isinstance(node, ast.Match) and may_be_a_task(node.subject):
            values = [part.value for part in ast.walk(node) if isinstance(part, ast.MatchValue)]
            found = any(map(names_a_task, values))
        elif isinstance(node, ast.Name | ast.Attribute | ast.FunctionDef | ast.keyword):
            words = (getattr(node, key, None) for key in ("id", "attr", "name", "arg"))
            found = "is_detection" in words
        elif isinstance(node, ast.Call) and getattr(node.func, "id", "") == "isinstance":
            kinds = ast.walk(node.args[1])
            found = any("Detector" in (getattr(k, "id", ""), getattr(k, "attr", "")) for k in kinds)
        if found:
            yield node.lineno, ast.unparse(node).partition("\n")[0]


def python_files(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.py"))


def test_nothing_outside_asks_which_task_it_is() -> None:
    found = []
    for path in python_files(SOURCE):
        place = path.relative_to(SOURCE)
        if place.parts[0] == "tasks" or place.parts[:2] == ("models", "detection"):
            continue
        for line, text in asks(ast.parse(path.read_text(encoding="utf-8"))):
            found.append(f"{place}:{line}: {text}")
    assert found == [], "make it a method of TaskPlugin, or of the network's traits"


@pytest.mark.parametrize(
    "code",
    [
        "if config.task.name == 'detection': pass",
        "x = 'classification' != task",
        "x = run.task in ('', 'detection')",
        "x = spec.factory not in {'detection'}",
        "x = summary['task'] == 'detection'",
        "x = metadata.is_detection",
        "def is_detection(): pass",
        "call(is_detection=True)",
        "isinstance(model, Detector)",
        "isinstance(model, (nn.Linear, models.Detector))",
        "match task:\n    case 'detection' | 'x': pass",
    ],
)
def test_such_code_would_be_found(code: str) -> None:
    assert len(list(asks(ast.parse(code)))) == 1


@pytest.mark.parametrize(
    "code",
    [
        "x = metadata.task == wanted.name",
        "run_of_task(word, runs, 'detection')",
        "x == 'detection'",
    ],
)
def test_other_code_may_stand(code: str) -> None:
    assert list(asks(ast.parse(code))) == []


@pytest.mark.parametrize("task", sorted(_TASKS))
def test_a_task_s_files_name_no_other_task(task: str) -> None:
    """Imports are held by import-linter, also indirect ones; this finds names in strings."""
    others = set(_TASKS) - {task}
    packages = tuple(f"osprey.tasks.{other}" for other in others)
    found = []
    for path in python_files(SOURCE / "tasks" / task):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            words = []
            if isinstance(node, ast.ImportFrom):
                words = [node.module or "", *(f"{node.module}.{name.name}" for name in node.names)]
            elif isinstance(node, ast.Import):
                words = [name.name for name in node.names]
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                words = [node.value]
            if any(word in others or word.startswith(packages) for word in words):
                found.append(f"{path.relative_to(SOURCE)}:{node.lineno}: {words[0]}")
    assert found == []
