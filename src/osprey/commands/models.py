"""``osprey models``: what can be trained, and what it costs."""

from __future__ import annotations

from osprey.commands.command_line import Parser
from osprey.errors import ConfigError, nearest
from osprey.system.console import counted, say

_MEASURED = 60  # beyond this many names, building each to count its MACs takes minutes


def main(argv: list[str]) -> int:
    """List models whose name matches a pattern."""
    parser = Parser(
        prog="osprey models",
        description="List models with parameters, MACs and input size. Any of them trains with "
        "'osprey train model=timm model.name=NAME', a detector with 'task=detection model=NAME'.",
    )
    parser.add_argument("pattern", nargs="?", default="", help="such as 'mobilenet*'")
    pattern = parser.parse_args(argv).pattern

    from osprey.models.listing import list_models, measure

    names = list_models(pattern)
    if not names:
        hint = nearest(pattern.strip("*"), list_models("*"))
        raise ConfigError(f"no model matches '{pattern}'{hint}")
    if len(names) > _MEASURED:
        say("\n".join(names))
        found = counted(len(names), "model")
        say(f"{found}; a narrower pattern also shows parameters, MACs and input size")
        return 0
    width = max(len(name) for name in names)
    say(f"{'model':<{width}}  parameters      MACs  input")
    for name in names:
        row = measure(name)
        say(
            f"{name:<{width}}  {row.parameters / 1e6:>8.2f} M  {row.macs / 1e9:>6.3f} G"
            f"  {row.size:>3} px"
        )
    return 0
