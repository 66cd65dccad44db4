"""``osprey <command>``: each command is one file, imported only when it is called."""

from __future__ import annotations

import importlib
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Any

from osprey.errors import Terminated, UserError, exit_code_of, nearest
from osprey.system.console import say, warn
from osprey.system.disk import system_failure
from osprey.system.launcher import is_first
from osprey.system.plugins import command_scope

COMMANDS = {
    "demo": "train on embedded photos of fish, and name what is on one of them",
    "check": "is this machine ready: Python, torch, GPU, codecs, disk, memory, W&B",
    "train": "train a model on your photos, test it, keep it",
    "eval": "test a run's checkpoint on a split or another data set",
    "doctor": "what is wrong with a data set: files, copies, leaks, labels, boxes, outliers",
    "split": "cut a data set into train, val and test, and write the manifest",
    "labels": "which labels are probably wrong, and a table with what you decide of them",
    "label-next": "which unlabelled photos to label next",
    "learning-curve": "how much better would more photos make it, in all and by class",
    "find": "try out a learning rate (lr) or a batch size (batch_size) for what you would train",
    "classify": "name what is on a photo, from a bundle: no PyTorch, a quarter of a second",
    "serve": "answer about photos over HTTP, from bundles",
    "camio": "tell Camio of a service that runs, so that its events are sent there",
    "predict": "name or find what is on a photo, or on every photo of a folder",
    "crop": "cut every subject that a detector finds out of its photo",
    "augment": "write augmented copies of photos, balanced over classes, with a new label file",
    "preview": "a sheet of training photos, each as it is and as augmentation makes it",
    "leaderboard": "the trials of a sweep, or all runs, best first",
    "compare": "two runs: settings, figures, answers that differ",
    "retrain": "train a run again, with changes",
    "reproduce": "what a run needs to come out again; --check tries it",
    "export": "write a run as a bundle that answers without PyTorch, checked against it",
    "registry": "named versions of bundles: add, list, show, promote",
    "sync": "send what Weights & Biases kept offline",
    "drift": "how a bundle's answers differ from those on validation",
    "report": "write a run's report.html again, from its folder alone",
    "convert": "write boxes on photos in another form: coco, voc, yolo, megadetector, csv",
    "explain": "show what may be set of a chosen option: type, value, help",
    "models": "list models with parameters, MACs and input size",
    "new": "write a small package of your own, with config and test: a model or a task",
}


def _usage() -> str:
    lines = [f"  osprey {name:<14} {what}" for name, what in COMMANDS.items()]
    first = "Osprey: from a folder of photos to a tested recogniser."
    return "\n".join([first, "", *lines, "", "'osprey COMMAND --help' says more."])


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``osprey``'s command line and return the exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    if not words or words[0] in ("-h", "--help", "help"):
        say(_usage())
        return 0
    if words[0] == "--version":
        from osprey import __version__

        say(f"osprey {__version__}")
        return 0
    if words[0] not in COMMANDS:
        hint = nearest(words[0], (*COMMANDS, "--help", "--version"))
        unknown = UserError(f"there is no command '{words[0]}'{hint}")
        warn(f"osprey: {_one_line(unknown)}")
        return 2
    return run_command(words[0], words[1:])


def run_command(name: str, argv: Sequence[str] | None = None) -> int:
    """Run one command; a mistake of the user's becomes one line and exit code 2."""
    words = list(sys.argv[1:] if argv is None else argv)
    before = _stop_on_signals()
    try:
        command: Callable[[list[str]], int] = importlib.import_module(
            f"osprey.commands.{name.replace('-', '_')}"
        ).main
        with command_scope():
            return command(words)
    except UserError as error:
        if is_first():  # of a launcher's processes one line is enough
            warn(f"osprey {name}: {_one_line(error)}")
            for detail in error.details:
                warn(f"  {_one_line(UserError(detail))}")
        return 2
    except (OSError, RuntimeError) as error:
        line = system_failure(error)
        if line is None:
            raise
        warn(f"osprey {name}: {line}")
        return 2
    except KeyboardInterrupt as stop:
        warn(f"osprey {name}: stopped")
        return exit_code_of(stop)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _stop_on_signals() -> dict[int, Any]:
    """Let SIGTERM, and a terminal that is closed, end a command as Ctrl-C does, tidily.

    Returns:
        The handlers before; none where signals are another's to handle, as in a thread.
    """
    if threading.current_thread() is not threading.main_thread():
        return {}
    numbers = [signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])]
    default = [number for number in numbers if signal.getsignal(number) is signal.SIG_DFL]
    return {number: signal.signal(number, _terminate) for number in default}


def _terminate(number: int, frame: FrameType | None) -> None:
    raise Terminated(number)


def _one_line(error: UserError) -> str:
    """The message; one raised in a loader process comes wrapped in that process's traceback."""
    lines = [line for line in str(error).splitlines() if line.strip()]
    if not lines:
        return "failed"
    wrapped = lines[-1].partition("UnreadableImage: ")[2]
    return wrapped or r"\n".join(lines)  # what was typed may hold a line break
