"""The command line: one small file a command."""

from __future__ import annotations

import sys
from importlib import import_module
from keyword import iskeyword

import typer

from stage.errors import InputError

app = typer.Typer(
    help="Grounded video question answering: the answer, the seconds that show it, the boxes it speaks of.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)

COMMANDS = (
    "ask",
    "demo",
    "sitcom",
    "features",
    "train",
    "predict",
    "evaluate",
    "compare",
    "detector",
    "finetune-text",
    "import",
    "data",
    "remake",
)


def main() -> None:
    """Run a command; what the user gave wrongly is one line on standard error and exit code 2."""
    for name in COMMANDS:
        file = name.replace("-", "_") + "_" * iskeyword(name)
        module = import_module(f"stage.commands.{file}")
        if group := getattr(module, "app", None):
            app.add_typer(group, name=name)
        else:
            app.command(name)(getattr(module, file))
    try:
        app()
    except InputError as error:
        print(f"stage: {' '.join(str(error).split())}", file=sys.stderr)
        sys.exit(2)
