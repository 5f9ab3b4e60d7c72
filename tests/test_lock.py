"""One process per folder: a lock that says who holds it, and that ends with its holder."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from stage.errors import InputError
from stage.lock import LOCK, locked

HOLD = (
    "import sys, time; from pathlib import Path; from stage.lock import locked\n"
    "with locked(Path(sys.argv[1]), 'stage train'): print('held', flush=True); {}"
)


@contextmanager
def holder(folder: Path, does: str = "time.sleep(60)") -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", HOLD.format(does), str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


def test_the_lock_is_removed_and_so_are_folders_made_for_what_failed(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "out"

    def failing(work: Callable[[], object]) -> None:
        with suppress(ZeroDivisionError), locked(folder, "stage train"):
            work()
            raise ZeroDivisionError

    failing(lambda: os.stat(folder / LOCK))
    assert os.listdir(tmp_path) == []
    with (
        pytest.raises(InputError, match="can't be locked"),
        locked(tmp_path / "new" / ("a" * 300), "stage train"),
    ):
        pass
    assert os.listdir(tmp_path) == []
    failing((folder / "result").touch)
    assert os.listdir(folder) == ["result"]
    with locked(folder, "stage train"):
        pass
    assert os.listdir(folder) == ["result"]


def test_a_second_one_is_told_who_holds_the_folder(tmp_path: Path) -> None:
    with holder(tmp_path) as process:
        by = rf"in use by stage train, process {process.pid} on .* since 20"
        with pytest.raises(InputError, match=by), locked(tmp_path, "stage train"):
            pass
        assert (tmp_path / LOCK).is_file()
    ours = pytest.raises(InputError, match=f"process {os.getpid()} ")
    with locked(tmp_path, "stage train"), ours, locked(tmp_path, "stage train"):
        pass


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_the_lock_of_a_killed_process_is_taken_over(tmp_path: Path, how: int) -> None:
    with holder(tmp_path) as process:
        process.send_signal(how)
        process.wait()
    assert (tmp_path / LOCK).exists()
    with locked(tmp_path, "stage train"):
        assert json.loads((tmp_path / LOCK).read_text())["pid"] == os.getpid()
    assert not (tmp_path / LOCK).exists()


@pytest.mark.slow
def test_forked_children_that_outlive_the_holder_hold_nothing(tmp_path: Path) -> None:
    with holder(tmp_path, "import os; child = os.fork(); time.sleep(60 if child else 3)") as process:
        time.sleep(0.3)
        process.kill()
        process.wait()
        with locked(tmp_path, "stage train"):
            pass


def test_what_is_planted_at_its_name_is_not_followed_and_not_waited_for(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("kept")
    lock = tmp_path / "out" / LOCK
    lock.parent.mkdir()
    lock.symlink_to(victim)
    with pytest.raises(InputError, match="symbolic link"), locked(lock.parent, "stage train"):
        pass
    assert victim.read_text() == "kept"
    lock.unlink()
    os.mkfifo(lock)
    with pytest.raises(InputError, match="not a regular file"), locked(lock.parent, "stage train"):
        pass


@pytest.mark.parametrize(
    "content", [b"", b"\xff\x00", b"[" * 5000, b"[1]", b'{"pid": "x"}', b'{"pid": 1e999}']
)
def test_any_record_can_be_read(tmp_path: Path, content: bytes) -> None:
    with locked(tmp_path, "stage train"):
        (tmp_path / LOCK).write_bytes(content)
        with pytest.raises(InputError, match="is in use by"), locked(tmp_path, "stage train"):
            pass
    (tmp_path / LOCK).write_bytes(content)
    with locked(tmp_path, "stage train"):
        pass


def test_without_locks_of_the_file_system_the_holder_is_looked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def unsupported(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", unsupported)
    with locked(tmp_path, "stage train"):
        assert "has no locks" in capsys.readouterr().err
        record = json.loads((tmp_path / LOCK).read_text())
        with pytest.raises(InputError, match=f"process {os.getpid()}"), locked(tmp_path, "stage train"):
            pass
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    (tmp_path / LOCK).write_text(json.dumps({**record, "pid": ended.pid}))
    with locked(tmp_path, "stage train"):
        pass
    (tmp_path / LOCK).write_text(json.dumps({**record, "host": "elsewhere"}))
    with pytest.raises(InputError, match="on elsewhere"), locked(tmp_path, "stage train"):
        pass


@pytest.mark.parametrize("name", ["file/out", "a" * 300, "a\0b", "loop"])
def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with pytest.raises(InputError, match="can't be locked"), locked(tmp_path / name, "stage train"):
        pass


def test_a_link_to_a_folder_that_is_not_there_yet_is_followed(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "there" / "folder")
    with locked(tmp_path / "link", "stage train"):
        assert (tmp_path / "there" / "folder" / LOCK).is_file()
    assert os.listdir(tmp_path / "there" / "folder") == []
