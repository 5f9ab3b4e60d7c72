"""What killed, full and hostile writers leave behind: one whole target, and nothing else after the next run."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import stat
import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import count
from pathlib import Path

import pytest
from safetensors.numpy import save_file

from stage import temporary
from stage.errors import InputError
from stage.io import restored, write_bytes, write_text, writing_file, writing_folder, writing_into
from stage.temporary import PARTIAL, temporary_name

STEPS = [(os, "open"), (os, "mkdir"), (os, "rename"), (os, "replace"), (os, "unlink"), (os, "rmdir")]
STEPS += [(shutil, "rmtree"), (temporary, "_exchanged")]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def dies(work: Callable[[], object], step: int = 0) -> bool:
    """Whether a child process is killed in its work, just before or after its n-th change of the file system."""
    if child := os.fork():
        return os.WIFSIGNALED(os.waitpid(child, 0)[1])
    numbers = count(1)

    def die_at(function: Callable[..., object]) -> Callable[..., object]:
        def dying(*args: object, **kwargs: object) -> object:
            for after in (False, True):
                if next(numbers) == step:
                    os.kill(os.getpid(), signal.SIGKILL)
                result = None if after else function(*args, **kwargs)
                if not after:
                    kept = result
            return kept

        return dying

    try:
        for module, name in STEPS:
            setattr(module, name, die_at(getattr(module, name)))
        work()
    finally:
        os._exit(0)


def kills(work: Callable[[], object]) -> Iterator[int]:
    """Does the work in child processes, each killed a step later than the one before, until one survives."""
    for step in count(1):
        if not dies(work, step):
            assert step > 4, "nothing was interrupted"
            return
        yield step


def write_model(folder: Path, content: str) -> None:
    with writing_folder(folder) as made:
        for name in ("config", "weights"):
            (made / name).write_text(content)


@pytest.mark.parametrize("exchange", [True, False])
def test_a_folder_is_whole_after_a_kill_at_any_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, exchange: bool
) -> None:
    if not exchange:
        monkeypatch.setattr(temporary, "_exchanged", lambda one, other: False)
    model = tmp_path / "model"
    write_model(model, "first")
    seen = set()
    for step in kills(lambda: write_model(model, "second")):
        if exchange:
            assert model.is_dir(), "there is no moment without it"
        assert names(restored(model)) == ["config", "weights"]
        content = {(model / name).read_text() for name in names(model)}
        assert content in ({"first"}, {"second"})
        seen |= content
        write_model(model, "first")
        assert names(tmp_path) == ["model"], step
    assert seen == {"first", "second"}


def test_a_file_is_whole_after_a_kill_at_any_step(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    write = partial(write_text, path)
    assert not dies(partial(write, "first"))
    for _ in kills(partial(write, "second")):
        assert path.read_text() in ("first", "second")
        assert not dies(partial(write, "first"))
        assert (path.read_text(), names(tmp_path)) == ("first", ["a.txt"])


def test_files_are_whole_after_a_kill_at_any_step(tmp_path: Path) -> None:
    def write(content: str) -> None:
        with writing_into(tmp_path) as made:
            for name in ("a", "b"):
                (made / name).write_text(content)

    (tmp_path / "other").write_text("kept")
    write("first")
    for _ in kills(lambda: write("second")):
        assert {(tmp_path / name).read_text() for name in ("a", "b")} <= {"first", "second"}
        write("first")
        assert names(tmp_path) == ["a", "b", "other"]


def test_only_what_is_left_of_processes_that_are_gone_is_removed(tmp_path: Path) -> None:
    own = temporary_name(tmp_path / "a", PARTIAL)
    host, pid = own.name.split(".")[2].split("-")[:2]
    ended = os.fork() or os._exit(0)
    os.waitpid(ended, 0)
    kept = [
        own.name,
        f".a.{host}-1-{'0' * 16}.partial",
        f".a.00000000-{ended}-{'0' * 16}.partial",
        f".a.{'0' * 16}.partial",
        f".a.{host}-{ended}-{'0' * 15}.partial",
        f".a.{host}-{ended}-{'0' * 16}.mp4",
        f"a.{host}-{ended}-{'0' * 16}.partial",
    ]
    assert int(pid) == os.getpid()
    gone = [f".b.{host}-{ended}-{'0' * 16}.partial", f".old.{'0' * 16}.partial"]
    for name in (*kept, *gone):
        (tmp_path / name).touch()
    os.utime(tmp_path / gone[1], (time.time() - 2 * 24 * 3600,) * 2)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "kept").touch()
    gone.append(f".link.{host}-{ended}-{'1' * 16}.partial")
    (tmp_path / gone[2]).symlink_to(tmp_path / "other")
    write_text(tmp_path / "a", "")
    assert names(tmp_path) == sorted([*kept, "a", "other"])
    assert names(tmp_path / "other") == ["kept"]


def test_leftovers_of_a_name_are_not_taken_for_those_of_another(tmp_path: Path) -> None:
    """Long names are shortened in temporary ones."""
    one, other = tmp_path / ("model" * 10 + "1"), tmp_path / ("model" * 10 + "2")
    assert dies(lambda: _leave_old(one))
    assert not restored(other).exists()
    assert names(restored(one)) == ["a"]
    assert len(os.fsencode(temporary_name(tmp_path / ("\U0001f600" * 60), PARTIAL).name)) <= 255


def _leave_old(folder: Path) -> None:
    folder.mkdir()
    (folder / "a").touch()
    os.rename(folder, temporary_name(folder, "old"))
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_link_planted_at_a_temporary_name_is_not_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The names can't be guessed; if one is all the same, nothing is written through it."""
    assert temporary_name(tmp_path / "a", PARTIAL) != temporary_name(tmp_path / "a", PARTIAL)
    (tmp_path / "victim").write_text("kept")
    monkeypatch.setattr(temporary, "token_hex", lambda count: "0" * 2 * count)
    for writing, name in ((writing_file, "a"), (writing_folder, "a"), (writing_into, "files")):
        planted = temporary_name(tmp_path / name, PARTIAL)
        planted.symlink_to(tmp_path / "victim")
        target = tmp_path / "a" if name == "a" else tmp_path
        with pytest.raises(InputError, match="File exists"), writing(target) as made:
            made.write_text("overwritten")
        assert (tmp_path / "victim").read_text() == "kept"
        planted.unlink(missing_ok=True)


def test_files_have_the_permissions_of_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_text(tmp_path / "a", "")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o640


def test_a_full_disk_is_one_line_with_the_name_that_was_given(tmp_path: Path) -> None:
    """By a limit on the size of files, which is reported as a full disk is."""
    import numpy as np

    def by_safetensors() -> None:
        with writing_folder(tmp_path / "model") as made:
            save_file({"a": np.zeros(10**5)}, made / "weights")

    def by_inner_writer() -> None:
        with writing_folder(tmp_path / "model") as made:
            write_bytes(made / "weights", b"0" * 10**5)

    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "weights").write_text("old")
    (tmp_path / "a.json").write_text("old")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10**4, limits[1]))
    failed = []
    try:
        for write in (by_safetensors, by_inner_writer, lambda: write_text(tmp_path / "a.json", "0" * 10**5)):
            with pytest.raises(InputError) as error:
                write()
            failed.append(str(error.value))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    for message, name in zip(failed, ("model", "model/weights", "a.json"), strict=True):
        assert message.startswith(f"{tmp_path / name}: can't be written (File too large); make room")
    assert names(tmp_path) == ["a.json", "model"]
    assert (tmp_path / "a.json").read_text() == (tmp_path / "model" / "weights").read_text() == "old"
