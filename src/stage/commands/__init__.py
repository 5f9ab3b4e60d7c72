"""The command line: one module per command."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from io import TextIOWrapper
from keyword import iskeyword
from typing import Annotated, Any, NoReturn

import typer

from stage.errors import INTERRUPTION, InputError
from stage.runtime.allocator import keep_freed_memory
from stage.terminal import echo

PANELS = {
    "Ask about films": ("ask", "find", "subtitles", "demo"),
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
SUCCESS, NEGATIVE, UNUSABLE, INTERRUPTED, TERMINATED = 0, 1, 2, 130, 143
EXIT_CODES = {
    SUCCESS: "Done.",
    NEGATIVE: "A negative result: a verification found differences, a check found errors, or one of several runs or "
    "films failed. Also a fault of the program itself, which shows as a traceback.",
    UNUSABLE: "The input can't be used: one line on standard error says what is wrong and what to do.",
    INTERRUPTED: "Interrupted (Ctrl-C, SIGINT). No file is left half written.",
    TERMINATED: "Terminated (SIGTERM, as by `kill`). No file is left half written either.",
}
"""Exit code -> its meaning."""
UsageError: type[Exception] = typer.BadParameter.__mro__[1]  # typer doesn't export it
DISTRIBUTION = "stage-vqa"


def program(asked: str = "") -> typer.Typer:
    """The application with all commands, or with the one that is asked for, so that no other module is imported.

    Their modules are light: a command imports what it needs when it runs. asked: any word; if it is no command, all
    are there.
    """
    app = typer.Typer(
        help="Grounded video question answering: the answer, when it is shown, and where.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        add_completion=False,
    )
    app.callback()(_options)
    wanted = (asked,) if asked in COMMANDS else COMMANDS
    for panel, names in PANELS.items():
        for name in filter(wanted.__contains__, names):
            file = name.replace("-", "_") + "_" * iskeyword(name)
            module = import_module(f"stage.commands.{file}")
            if group := getattr(module, "app", None):
                app.add_typer(group, name=name, rich_help_panel=panel)
            else:
                app.command(name, rich_help_panel=panel)(getattr(module, file))
    return app


def main() -> None:
    """Run the command line and exit with one of EXIT_CODES. An error in the user's input is one line."""
    keep_freed_memory()
    os.environ.setdefault(
        "HF_HUB_DISABLE_PROGRESS_BARS", "1"
    )  # transformers shows one for every file it loads
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")  # for characters that the terminal's encoding lacks
    try:
        # Not as a standalone program, in which typer would print errors in boxes of several lines.
        code = program(*sys.argv[1:2])(prog_name="stage", standalone_mode=False)
    except InputError as error:
        _exit_with(str(error))
    except UsageError as error:
        _exit_with_usage(error)
    except OSError as error:
        if error.strerror is None:
            raise
        place = f"{error.filename}: can't be used ({error.strerror}); check the path"
        _exit_with(
            place if error.filename is not None else f"{error.strerror}: nothing more can be done here"
        )
    except KeyboardInterrupt:
        code = INTERRUPTED
    if code == INTERRUPTED:  # typer's, for an interrupt in a command
        echo(INTERRUPTION, file=sys.stderr)
    sys.exit(code)


def installed_version() -> str:
    """The version of the installed distribution; "0+unknown" if the package is run without being installed."""
    try:
        return version(DISTRIBUTION)
    except PackageNotFoundError:
        return "0+unknown"


def _print_version(wanted: bool) -> None:
    if wanted:
        echo(f"stage {installed_version()}")
        raise typer.Exit


def _options(
    version: Annotated[
        bool,
        typer.Option("--version", help="Show the version and exit.", callback=_print_version, is_eager=True),
    ] = False,
) -> None:
    """The options of `stage` itself."""


def _exit_with(reason: str, command: str = "stage") -> NoReturn:
    echo(f"{command}: {' '.join(reason.split())}", file=sys.stderr)
    sys.exit(UNUSABLE)


def _exit_with_usage(error: Any) -> NoReturn:
    """Report arguments that the command line doesn't have, or that are missing or of the wrong kind."""
    command = error.ctx.command_path if error.ctx else "stage"
    reason = error.format_message().rstrip(".")
    if not reason:  # a group without a command: its help has been printed
        sys.exit(UNUSABLE)
    _exit_with(f"{reason[:1].lower()}{reason[1:]}; see `{command} --help`", command)
