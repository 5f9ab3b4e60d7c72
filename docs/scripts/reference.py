"""A hook of MkDocs: writes the reference of the command line and of configurations into their pages at every build.

The command line comes from the program itself, the settings from the models that validate them, so neither page can
fall behind. A page says where with `<!-- reference: NAME -->`; NAME is a key of PARTS.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from textwrap import dedent
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import typer
from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from stage.commands import EXIT_CODES, program
from stage.data.examples import Limits
from stage.model.build import KINDS
from stage.training.config import DataConfig, ModelConfig, RunConfig, TrainingConfig

MARKER = re.compile(r"<!-- reference: ([\w-]+) -->")
OF_THE_MACHINE = {"--workers", "--jobs"}
"""Options whose default depends on the machine's cores."""


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Called by MkDocs for every page."""
    return MARKER.sub(lambda found: PARTS[found[1]](), markdown)


def command_line() -> str:
    """A section for each command, in the order in which `stage --help` lists them."""
    app: Any = typer.main.get_command(program())
    return "\n\n".join(_command(name, command) for name, command in _commands("stage", app))


def exit_codes() -> str:
    """A row for each exit code."""
    rows = (f"| {code} | {_text(meaning)} |" for code, meaning in EXIT_CODES.items())
    return "\n".join(["| Exit code | Meaning |", "| --- | --- |", *rows])


def _commands(name: str, command: Any) -> Iterator[tuple[str, Any]]:
    for inner_name, inner in getattr(command, "commands", {}).items():
        yield f"{name} {inner_name}", inner
        yield from _commands(f"{name} {inner_name}", inner)


def _command(name: str, command: Any) -> str:
    parts = [f"{'#' * len(name.split())} {name}", _text(dedent(command.help or "").strip())]
    if hasattr(command, "commands"):
        return "\n\n".join(parts)
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    options = [p for p in command.params if p.param_type_name == "option" and "--help" not in p.opts]
    usage = " ".join([name, *(["[OPTIONS]"] if options else []), *map(_usage, arguments)])
    parts.append(f"```text\n{usage}\n```")
    for title, of_kind in (("Argument", arguments), ("Option", options)):
        if of_kind:
            rows = "\n".join(map(_parameter, of_kind))
            parts.append(f"| {title} | Type | Meaning |\n| --- | --- | --- |\n{rows}")
    return "\n\n".join(parts)


def _usage(argument: Any) -> str:
    name = _name(argument) + ("..." if argument.nargs == -1 else "")
    return name if argument.required else f"[{name}]"


def _name(parameter: Any) -> str:
    """FOLDER of an argument, --option of an option."""
    if parameter.param_type_name == "option":
        return " / ".join([*parameter.opts, *parameter.secondary_opts])
    named = parameter.metavar or parameter.name.upper()
    return str(named).strip("[].")


def _parameter(parameter: Any) -> str:
    notes = []
    if parameter.required and parameter.param_type_name == "option":
        notes.append("Required.")
    if parameter.multiple:
        notes.append("Can be repeated.")
    default = parameter.default() if callable(parameter.default) else parameter.default
    if OF_THE_MACHINE & set(parameter.opts):
        notes.append("Default: by the machine's cores.")
    elif default not in (None, False, ()) and not parameter.required:
        shown = (parameter.opts if default is True else [str(default)])[0]
        notes.append(f"Default: `{shown}`.")
    meaning = " ".join([_text(parameter.help or ""), *notes]).strip()
    return f"| `{_name(parameter)}` | {_type_of(parameter)} | {meaning} |"


def _type_of(parameter: Any) -> str:
    if getattr(parameter, "is_flag", False):
        return "flag"
    said = _type(parameter.type_descriptor.annotation)
    low, high = parameter.min, parameter.max
    if low is not None and high is not None:
        return f"{said}, {low:,} to {high:,}"
    return said if low is None else f"{said}, at least {low:,}"


def settings() -> str:
    """Every section of a configuration with its settings."""
    parts = [
        ("data", DataConfig, set()),
        ("data.limits", Limits, set()),
        ("training", TrainingConfig, set()),
        ("model", ModelConfig, {"system"}),
    ]
    sections = [
        f"## {name}\n\n{_first_line(model)}\n\n{_fields(model, hidden)}" for name, model, hidden in parts
    ]
    kinds = [
        f"### model, kind {kind}\n\n{_first_line(model)}\n\n{_fields(model, {'text_dim', 'region_dim'})}"
        for kind, model in KINDS.items()
    ]
    top = _fields(RunConfig, {"data", "model", "training"})
    return "\n\n".join([f"## The file itself\n\n{top}", *sections, *kinds])


def _first_line(model: type[BaseModel]) -> str:
    return _text(inspect.cleandoc(model.__doc__ or "").split("\n\n")[0])


def _fields(model: type[BaseModel], hidden: set[str]) -> str:
    said = _docstrings(model)
    rows = [
        f"| `{name}` | {_type(field.annotation, field.metadata)} | {_default(field)} | {_text(said.get(name, ''))} |"
        for name, field in model.model_fields.items()
        if name not in hidden
    ]
    return "\n".join(["| Setting | Type | Default | Meaning |", "| --- | --- | --- | --- |", *rows])


def _docstrings(model: type[BaseModel]) -> dict[str, str]:
    """The string below each field, base classes first."""
    found: dict[str, str] = {}
    for base in reversed(model.__mro__):
        if not issubclass(base, BaseModel) or base in (BaseModel, object):
            continue
        definition = ast.parse(dedent(inspect.getsource(base))).body[0]
        assert isinstance(definition, ast.ClassDef)
        for field, text in zip(definition.body, definition.body[1:], strict=False):
            match field, text:
                case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(said))):
                    found[name] = inspect.cleandoc(said)
    return found


def _default(field: FieldInfo) -> str:
    if field.default is PydanticUndefined:
        return "required"
    if field.default is None:
        return "none"
    if isinstance(field.default, BaseModel):
        return "as below"
    return f"`{field.default}`".lower() if isinstance(field.default, bool) else f"`{field.default}`"


def _type(annotation: Any, metadata: Any = ()) -> str:
    """A type as people write it, with its bounds."""
    origin = get_origin(annotation)
    if origin is Annotated:
        inner, *inner_metadata = get_args(annotation)
        return _type(inner, [*inner_metadata, *metadata])
    if origin is Literal:
        return ", ".join(f"`{choice}`" for choice in get_args(annotation))
    if origin in (Union, UnionType):
        return _type(next(kind for kind in get_args(annotation) if kind is not type(None)), metadata)
    if origin in (list, tuple):
        return _type(get_args(annotation)[0], metadata)
    name = TYPE_NAMES.get(annotation, getattr(annotation, "__name__", str(annotation)))
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "section"
    return ", ".join([name, *_bounds(metadata)])


def _bounds(metadata: Any) -> Iterator[str]:
    for bound in metadata:
        yield from _bounds(getattr(bound, "metadata", ()))
        for kind, words, attribute in BOUNDS:
            if isinstance(bound, kind):
                yield f"{words} {getattr(bound, attribute):,}"


BOUNDS = ((Gt, "above", "gt"), (Ge, "at least", "ge"), (Lt, "below", "lt"), (Le, "at most", "le"))
TYPE_NAMES: Mapping[Any, str] = {
    int: "integer",
    float: "number",
    str: "text",
    bool: "true or false",
    Path: "path",
}


def _text(text: str) -> str:
    """One line, safe in a cell of a table."""
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")


PARTS: dict[str, Callable[[], str]] = {
    "command-line": command_line,
    "exit-codes": exit_codes,
    "settings": settings,
}
