"""``osprey new``: write a small package of the user's own, with config and test."""

from __future__ import annotations

import importlib.util
import keyword
import re
from pathlib import Path
from string import Template

from osprey.commands.command_line import Parser
from osprey.errors import ConfigError, UserError, nearest
from osprey.system.console import say
from osprey.tasks.registry import task_names

_TEMPLATES = Path(__file__).with_name("new_package")  # one folder a kind
KINDS = sorted(path.name for path in _TEMPLATES.iterdir() if path.is_dir())


def main(argv: list[str]) -> int:
    """Write the package ``NAME`` into the current folder."""
    parser = Parser(
        prog="osprey new",
        description="Write a small package with a network (model) or a task of your own, its "
        "config and a test. The package trains as it is; change it from there.",
    )
    parser.add_argument("kind", help=" or ".join(KINDS), metavar="KIND")
    parser.add_argument("name", help="of the package, such as reef_net", metavar="NAME")
    arguments = parser.parse_args(argv)
    if arguments.kind not in KINDS:
        hint = nearest(arguments.kind, KINDS) or f" (one of {', '.join(KINDS)})"
        raise ConfigError(f"there is no '{arguments.kind}' to write{hint}")
    check_name(arguments.name)
    if arguments.kind == "task" and arguments.name in task_names():
        raise ConfigError(f"there is a task '{arguments.name}' already: choose another name")
    for path in write_package(arguments.kind, arguments.name, Path.cwd()):
        say(f"wrote   {path.relative_to(Path.cwd())}")
    say()
    say("next:")
    say(f"  pytest {arguments.name}")
    say(f"  osprey train plugins=[{arguments.name}] {arguments.kind}={arguments.name}")
    return 0


def check_name(name: str) -> None:
    """Refuse what cannot be a package's name here.

    Raises:
        ConfigError: It is no name for a package, or belongs to one that is installed.
    """
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or keyword.iskeyword(name):
        plain = re.sub(r"[^a-z0-9_]+", "_", name.lower()).strip("_")
        usable = re.fullmatch(r"[a-z][a-z0-9_]*", plain) and not keyword.iskeyword(plain)
        such = plain if usable else "reef_net"
        raise ConfigError(
            f"'{name}' cannot be a package's name: use lower-case letters, digits and underscores, "
            f"such as '{such}'"
        )
    if (Path.cwd() / name).exists():
        raise UserError(f"'{name}' is there already and is not written over: choose another name")
    if importlib.util.find_spec(name) is not None:
        raise ConfigError(f"'{name}' is the name of an installed package: choose another name")


def write_package(kind: str, name: str, folder: Path) -> list[Path]:
    """Write the package into ``folder``.

    Args:
        kind: ``model`` or ``task``.
        name: A package's name that `check_name` lets pass.
        folder: Where the new folder ``name`` comes to lie.

    Returns:
        The files written.

    Raises:
        UserError: The folder cannot be written into.
    """
    words = {"name": name, "Class": "".join(part.capitalize() for part in name.split("_"))}
    source = _TEMPLATES / kind
    files = []
    try:
        for template in sorted(path for path in source.rglob("*.txt")):
            place = str(template.relative_to(source).with_suffix(""))
            path = folder / name / place.replace("NAME", name)
            path.parent.mkdir(parents=True, exist_ok=True)
            content = Template(template.read_text(encoding="utf-8")).substitute(words)
            path.write_text(content, encoding="utf-8")
            files.append(path)
    except OSError as error:
        raise UserError(f"'{folder / name}' cannot be written: {error.strerror}") from None
    return files
