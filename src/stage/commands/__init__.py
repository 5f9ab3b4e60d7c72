"""The command line: one module per command."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from io import TextIOWrapper
from keyword import iskeyword
from typing import Annotated, NoReturn

import typer

from stage.errors import InputError
from stage.runtime.allocator import keep_freed_memory

PANELS = {
    "Ask about films": ("ask", "demo"),
    "Data": ("data", "features", "collect", "sitcom"),
    "Train": ("train", "finetune-text", "export", "import"),
    "Predict and evaluate": ("predict", "evaluate", "compare", "errors", "tables"),
    "Packaged models": ("detector", "remake"),
}
"""Heading in `stage --help` -> its commands."""
Overwrite = Annotated[
    bool,
    typer.Option(
        "--overwrite",
        help="Replace the output file even if it is read by the command or is of another kind.",
    ),
]
"""The option of commands that write a file (`stage.io.check_output`)."""
COMMANDS = tuple(name for names in PANELS.values() for name in names)
DISTRIBUTION = "stage-vqa"


def program() -> typer.Typer:
    """The application with all commands. Their modules are light: a command imports what it needs when it runs."""
    app = typer.Typer(
        help="Grounded video question answering: the answer, when it is shown, and where.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        add_completion=False,
    )
    app.callback()(_options)
    for panel, names in PANELS.items():
        for name in names:
            file = name.replace("-", "_") + "_" * iskeyword(name)
            module = import_module(f"stage.commands.{file}")
            if group := getattr(module, "app", None):
                app.add_typer(group, name=name, rich_help_panel=panel)
            else:
                app.command(name, rich_help_panel=panel)(getattr(module, file))
    return app


def main() -> None:
    """Run the command line. An error in the user's input is one line on standard error and exit code 2."""
    keep_freed_memory()
    os.environ.setdefault(
        "HF_HUB_DISABLE_PROGRESS_BARS", "1"
    )  # transformers shows one for every file it loads
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")  # for characters that the terminal's encoding lacks
    try:
        program()()
    except InputError as error:
        _exit_with(str(error))
    except OSError as error:
        if error.filename is None:
            raise
        _exit_with(f"{error.filename}: can't be used ({error.strerror}); check the path")


def installed_version() -> str:
    """The version of the installed distribution; "0+unknown" if the package is run without being installed."""
    try:
        return version(DISTRIBUTION)
    except PackageNotFoundError:
        return "0+unknown"


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"stage {installed_version()}")
        raise typer.Exit


def _options(
    version: Annotated[
        bool,
        typer.Option("--version", help="Show the version and exit.", callback=_print_version, is_eager=True),
    ] = False,
) -> None:
    """The options of `stage` itself."""


def _exit_with(reason: str) -> NoReturn:
    print(f"stage: {' '.join(reason.split())}", file=sys.stderr)
    sys.exit(2)
