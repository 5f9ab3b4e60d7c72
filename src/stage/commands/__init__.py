"""The command line: one small file a command."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from io import TextIOWrapper
from keyword import iskeyword
from typing import NoReturn

import typer

from stage.errors import InputError
from stage.runtime.allocator import keep_freed_memory

COMMANDS = (
    "ask",
    "demo",
    "sitcom",
    "features",
    "train",
    "export",
    "predict",
    "evaluate",
    "compare",
    "tables",
    "errors",
    "detector",
    "finetune-text",
    "import",
    "data",
    "collect",
    "remake",
)


def program() -> typer.Typer:
    """All commands. Their modules are small: what a command needs it imports when it runs."""
    app = typer.Typer(
        help="ModelOutput video question answering: the answer, the seconds that show it, the boxes it speaks of.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        add_completion=False,
    )
    for name in COMMANDS:
        file = name.replace("-", "_") + "_" * iskeyword(name)
        module = import_module(f"stage.commands.{file}")
        if group := getattr(module, "app", None):
            app.add_typer(group, name=name)
        else:
            app.command(name)(getattr(module, file))
    return app


def main() -> None:
    """Run a command; what the user gave wrongly is one line on standard error and exit code 2."""
    keep_freed_memory()
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")  # transformers tells of every file it loads
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")  # a question can hold what the terminal has no sign for
    try:
        program()()
    except InputError as error:
        _give_up(str(error))
    except OSError as error:
        if error.filename is None:
            raise
        _give_up(f"{error.filename}: can't be used ({error.strerror}); check the path")


def _give_up(reason: str) -> NoReturn:
    print(f"stage: {' '.join(reason.split())}", file=sys.stderr)
    sys.exit(2)
