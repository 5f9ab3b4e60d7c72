"""Exit codes, and errors in one line whatever is mistaken for what."""

from __future__ import annotations

import errno
import runpy
import shutil
from pathlib import Path
from typing import Any

import pytest

from samples.command_line import Run
from samples.places import ROOT
from stage.commands import EXIT_CODES, INTERRUPTED, NEGATIVE, SUCCESS, TERMINATED, UNUSABLE, sitcom
from stage.errors import INTERRUPTION, InputError
from stage.sitcom.benchmark import verification


def test_the_reference_has_a_row_for_each_exit_code() -> None:
    reference = runpy.run_path(str(ROOT / "docs" / "scripts" / "reference.py"))
    rows = reference["exit_codes"]().splitlines()[2:]
    assert [row.split(" | ")[0] for row in rows] == [f"| {code}" for code in (0, 1, 2, 130, 143)]
    assert list(EXIT_CODES) == [SUCCESS, NEGATIVE, UNUSABLE, INTERRUPTED, TERMINATED]


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (InputError("a.json:\n  is wrong"), UNUSABLE, "stage: a.json: is wrong\n"),
        (
            PermissionError(13, "Permission denied", "a.json"),
            UNUSABLE,
            "stage: a.json: can't be used (Permission denied)",
        ),
        (OSError(errno.ENOSPC, "No space left on device"), UNUSABLE, "stage: No space left on device"),
        (KeyboardInterrupt(), INTERRUPTED, f"{INTERRUPTION}\n"),
    ],
)
def test_an_error_has_its_exit_code_and_one_line(
    run: Run, monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int, message: str
) -> None:
    def fail(*_: Any) -> None:
        raise error

    monkeypatch.setattr(sitcom, "_verify", fail)
    done = run("sitcom", "x", "--verify")
    assert (done.code, done.out) == (code, "")
    assert done.err.startswith(message)
    assert done.err.count("\n") == 1


def test_a_fault_of_the_program_is_not_hidden(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(sitcom, "_verify", fail)
    with pytest.raises(ZeroDivisionError):
        run("sitcom", "x", "--verify")


def test_success_and_a_negative_result(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("--version").code == SUCCESS
    monkeypatch.setattr(verification, "differences", lambda *_: iter(["a difference"]))
    done = run("sitcom", tmp_path, "--verify", "--split", "val")
    assert (done.code, done.err) == (NEGATIVE, "")
    assert done.out.startswith("a difference\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("nope", "stage: no such command 'nope'; see `stage --help`"),
        ("data nope", "stage data: no such command 'nope'; see `stage data --help`"),
        ("train", "stage train: missing argument 'CONFIG'; see `stage train --help`"),
        ("train a.yaml --frob", "stage train: no such option: --frob; see `stage train --help`"),
        ("train a.yaml b.yaml", "stage train: got unexpected extra argument(s) (b.yaml); see"),
        ("sitcom x --episodes 0", "stage sitcom: invalid value for '--episodes': "),
        ("sitcom x --episodes five", "stage sitcom: invalid value for '--episodes': "),
        ("sitcom x --split dev", "stage sitcom: invalid value for '--split': "),
        ("ask f.mp4 --question a --answer", "stage: option '--answer' requires an argument"),
    ],
)
def test_errors_of_usage_are_one_line_that_names_the_command(run: Run, arguments: str, message: str) -> None:
    done = run(*arguments.split())
    assert done.refused(message), done
    assert done.err.startswith(message)


@pytest.mark.parametrize("arguments", [(), ("data",)])
def test_without_a_command_the_help_is_printed(run: Run, arguments: tuple[str, ...]) -> None:
    done = run(*arguments)
    assert done.code == UNUSABLE
    assert "Usage: stage" in done.out
    assert "COMMAND [ARGS]..." in done.out
    assert done.err == ""


@pytest.fixture
def wrong_paths(random_data: Path, short_film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The current folder, whose name has a space and an umlaut, with files that commands may be given by mistake."""
    folder = tmp_path / "my för der"
    shutil.copytree(random_data, folder / "data ü")
    monkeypatch.chdir(folder)
    monkeypatch.setenv("STAGE_CACHE", str(tmp_path / "cache"))
    shutil.copy(short_film, "film ö.mp4")
    shutil.copy(folder / "data ü" / "questions.json", "q ü.json")
    Path("empty").mkdir()
    for name, content in {
        "empty.json": b"",
        "bytes.json": bytes(range(256)) * 8,
        "text.txt": b"hello\n" * 30,
        "list.json": b"[1, 2, 3]",
        "half.json": b'[{"qid": 1, "vid',
        "torn.json.gz": b"\x1f\x8b\x08" + b"x" * 50,
        "table.csv": b"noun;count;visual\nmug;3;yes\n",
    }.items():
        Path(name).write_bytes(content)


WRONG = (
    "nowhere.json", "nowhere/x", "empty", "empty.json", "bytes.json", "text.txt", "list.json", "half.json",
    "torn.json.gz", "film ö.mp4", "text.txt/x",
)  # fmt: skip
ASKED = ("--question", "Who ?", "--answer", "Mia", "--answer", "Leo")
GIVEN: tuple[tuple[str, ...], ...] = (
    ("ask", "{}", *ASKED),
    ("ask", "film ö.mp4", *ASKED, "--subtitles", "{}"),
    ("ask", "film ö.mp4", *ASKED, "--model", "{}"),
    ("demo", "demo", "--model", "{}"),
    ("data", "stats", "{}"),
    ("data", "pack", "{}"),
    ("features", "all", "{}"),
    ("features", "text", "{}"),
    ("features", "regions", "{}", "regions"),
    ("features", "all", "data ü", "--text", "./{}"),
    ("features", "all", "data ü", "--detector", "./{}"),
    ("collect", "nouns", "{}", "nouns.csv"),
    ("collect", "nouns", "q ü.json", "nouns.csv", "--tagger", "./{}"),
    ("collect", "task", "{}", "film ö.mp4", "pages"),
    ("collect", "merge", "q ü.json", "{}", "merged.json"),
    ("sitcom", "{}", "--verify"),
    ("train", "{}"),
    ("finetune-text", "{}", "tuned"),
    ("finetune-text", "data ü", "tuned", "--text", "./{}"),
    ("export", "{}", "exported"),
    ("import", "{}", "imported"),
    ("predict", "{}", "predicted.json", "--model", "longest"),
    ("predict", "data ü", "predicted.json", "--model", "{}"),
    ("evaluate", "{}", "q ü.json"),
    ("errors", "{}", "q ü.json"),
    ("compare", "{}", "longest"),
    ("compare", "data ü", "{}"),
    ("tables", "3", "--config", "{}", "--test", "data ü"),
    ("tables", "3", "--config", "data ü/run.yaml", "--test", "{}", "--rows", "longest"),
    ("detector", "text.txt/{}"),
)


@pytest.mark.slow
@pytest.mark.usefixtures("wrong_paths")
@pytest.mark.parametrize("given", GIVEN, ids=" ".join)
def test_a_wrong_path_is_named_in_one_line(run: Run, given: tuple[str, ...]) -> None:
    for wrong in WRONG:
        if given[:2] == ("ask", "{}") and wrong == "film ö.mp4":  # which is right
            continue
        done = run(*(argument.replace("{}", wrong) for argument in given))
        assert done.code == UNUSABLE, (wrong, done)
        assert done.err.count("\n") == 1, (wrong, done)
        assert "Traceback" not in done.err
        assert Path(wrong).name in done.err, (wrong, done)


@pytest.mark.usefixtures("wrong_paths")
@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (
            ("collect", "task", "q ü.json", "film ö.mp4", "p.html", "--nouns", "table.csv"),
            "commas instead of semicolons",
        ),
        (("predict", "data ü", "text.txt/p.json", "--model", "longest"), "text.txt is a file, not a folder"),
        (("evaluate", "empty", "q ü.json"), "Is a directory"),
        (("evaluate", "nowhere.json", "q ü.json"), "no such file"),
        (("evaluate", "bytes.json", "q ü.json"), "is not JSON (nor any text)"),
        (("predict", "q ü.json", "p.json", "--model", "longest"), "is a file; give a data folder"),
        (("train", "bytes.json"), "nor any text in UTF-8"),
        (("import", "text.txt", "model"), "is no checkpoint of PyTorch"),
    ],
)
def test_what_is_wrong_with_a_path_is_said(run: Run, arguments: tuple[str, ...], reason: str) -> None:
    done = run(*arguments)
    assert done.refused(reason), done
