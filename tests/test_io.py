"""Files and folders are written whole or not at all, whoever else writes them at the same time."""

from __future__ import annotations

import gzip
import json
import multiprocessing
import os
import stat
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stage import temporary
from stage.errors import InputError
from stage.io import (
    OutputKind,
    check_output,
    check_writable,
    check_writable_folder,
    read_json,
    starts_with,
    write_bytes,
    write_json,
    write_text,
    writing_file,
    writing_folder,
    writing_into,
)

WRITERS, TIMES, SIZE = 4, 40, 200_000


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def half_written(path: Path, error: type[BaseException]) -> None:
    path.write_text("half of it")
    raise error("half of it")


def test_a_file_replaces_the_old_one_and_leaves_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "a.txt"
    write_text(path, "first")
    write_text(path, "sécond")
    assert path.read_bytes() == "sécond".encode()
    assert names(path.parent) == ["a.txt"]


def test_json_and_text_are_gzipped_by_their_name(tmp_path: Path) -> None:
    content = {"a": [1, 2.5, None], "é": "x"}
    for name in ("a.json", "a.json.gz"):
        write_json(tmp_path / name, content)
        assert read_json(tmp_path / name) == content
    assert (tmp_path / "a.json").read_text() == json.dumps(content, separators=(",", ":"))
    assert json.loads(gzip.decompress((tmp_path / "a.json.gz").read_bytes())) == content


@pytest.mark.parametrize("name", ["a.txt", "a.srt.gz"])
def test_half_a_character_is_not_written(tmp_path: Path, name: str) -> None:
    write_text(tmp_path / name, "before \U0001f600")
    written = (tmp_path / name).read_bytes()
    with pytest.raises(
        InputError, match=rf"{name}: can't be written, .* half a character \(\\ud83d\) after 'Mia'"
    ):
        write_text(tmp_path / name, "Mia\ud83d")
    assert (tmp_path / name).read_bytes() == written
    assert names(tmp_path) == [name]


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(ANY_JSON, st.booleans(), st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-32"]))
def test_any_json_is_read_as_it_was_written(content: object, ascii_only: bool, encoding: str) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "a.json"
        path.write_bytes(json.dumps(content, ensure_ascii=ascii_only).encode(encoding))
        assert read_json(str(path)) == content
        write_json(path, content)
        assert read_json(path) == content
        write_json(f"{path}.gz", content)
        assert read_json(f"{path}.gz") == content


@given(st.binary(max_size=200), st.sampled_from(["a.json", "a.json.gz"]))
def test_any_bytes_are_read_as_json_or_reported_in_one_line(content: bytes, name: str) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(gzip.compress(content) if content[:1] < b"\x80" and name.endswith("gz") else content)
        try:
            said = f"{path}: {json.dumps(read_json(path))}"
        except InputError as error:
            said = str(error)
        assert said.startswith(f"{path}: ")
        assert "\n" not in said


@given(st.text(max_size=8), st.text(max_size=8), st.booleans())
def test_half_a_character_is_not_read(before: str, after: str, as_key: bool) -> None:
    text = json.dumps(before)[1:-1] + "\\uD83d" + json.dumps(after)[1:-1]
    with TemporaryDirectory() as folder:
        path = Path(folder) / "a.json"
        path.write_text(f'{{"{text}": 1}}' if as_key else f'["\\ud83d\\ude00", "{text}"]', "ascii")
        with pytest.raises(InputError, match=r"has half a character \(\\ud83d\) after"):
            read_json(path)
        path.write_bytes(b'["\xed\xa0\xbd"]')
        with pytest.raises(InputError, match="is not JSON"):
            read_json(path)


def test_a_gzipped_file_is_the_same_from_run_to_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_json(tmp_path / "a.json.gz", [1, 2])
    monkeypatch.setattr(time, "time", lambda: 1e9)
    write_json(tmp_path / "b.json.gz", [1, 2])
    assert (tmp_path / "a.json.gz").read_bytes() == (tmp_path / "b.json.gz").read_bytes()


LIST = OutputKind("a list", lambda path: isinstance(read_json(path), list), (".json", ".json5"))


def test_an_output_may_replace_one_of_its_kind_and_is_checked_without_changing_anything(
    tmp_path: Path,
) -> None:
    write_json(tmp_path / "list.json", [])
    (tmp_path / "empty.json").touch()
    for name in ("list.json", "empty.json", "new.JSON", "new/folder/a.json5"):
        check_output(tmp_path / name, LIST, [tmp_path / "read.json"])
    assert names(tmp_path) == ["empty.json", "list.json"]
    assert read_json(tmp_path / "list.json") == []


def test_an_output_of_another_kind_is_refused_unless_it_may_be_overwritten(tmp_path: Path) -> None:
    write_json(tmp_path / "object.json", {})
    (tmp_path / "binary.json").write_bytes(os.urandom(64))
    (tmp_path / "to-nothing.json").symlink_to(tmp_path / "nothing")
    for name in ("object.json", "binary.json", "to-nothing.json"):
        with pytest.raises(InputError, match=r"exists and is not a list; .* or replace it with --overwrite"):
            check_output(tmp_path / name, LIST)
        check_output(tmp_path / name, LIST, overwrite=True)


def test_an_output_that_is_an_input_is_refused_by_any_of_its_names(tmp_path: Path) -> None:
    read = tmp_path / "list.json"
    write_json(read, [])
    (tmp_path / "symbolic.json").symlink_to(read)
    os.link(read, tmp_path / "hard.json")
    (tmp_path / "folder").mkdir()
    for name in ("list.json", "symbolic.json", "hard.json", "folder/../list.json"):
        with pytest.raises(InputError, match="is read by this command"):
            check_output(tmp_path / name, LIST, [tmp_path / "other", read])
        check_output(tmp_path / name, LIST, [read], overwrite=True)
    with pytest.raises(InputError, match="is read by this command"):
        check_output(tmp_path / "not-yet.json", LIST, [tmp_path / "folder" / ".." / "not-yet.json"])


def test_an_output_needs_the_name_of_a_file_of_its_kind(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is a folder; give the name of a file"):
        check_output(tmp_path, LIST, overwrite=True)
    with pytest.raises(InputError, match=r"a list is written here; .* ends in \.json or \.json5"):
        check_output(tmp_path / "list.pdf", LIST, overwrite=True)
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="choose another place"):
        check_output(tmp_path / "file" / "list.json", LIST)


def test_the_beginning_of_a_file_is_read_gzipped_or_not(tmp_path: Path) -> None:
    for name in ("a.json", "a.json.gz"):
        write_text(tmp_path / name, '{"ts_answer": ' + "1" * 100_000)
        assert starts_with(tmp_path / name, r'\{"ts_')
        assert not starts_with(tmp_path / name, "ts_")


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_file_stays_as_it_was_if_writing_fails(tmp_path: Path, error: type[BaseException]) -> None:
    path = tmp_path / "a.txt"
    write_text(path, "old")
    with pytest.raises(error), writing_file(path) as partial:
        half_written(partial, error)
    assert path.read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


def test_the_temporary_lies_in_the_same_folder_and_a_long_name_fits(tmp_path: Path) -> None:
    path = tmp_path / ("n" * 255)
    with writing_file(path) as partial:
        partial.write_text("x")
        assert partial.parent == tmp_path
        assert partial.suffix == ".partial"
    assert names(tmp_path) == [path.name]


@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_permissions_are_those_that_the_umask_gives(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        write_text(tmp_path / "file", "x")
        with writing_folder(tmp_path / "folder") as partial:
            (partial / "a").write_text("x")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o666 & ~umask
    assert stat.S_IMODE((tmp_path / "folder").stat().st_mode) == 0o777 & ~umask


def in_a_file(place: Path) -> None:
    write_bytes(place / "file" / "a.txt", b"x")


def over_a_folder(place: Path) -> None:
    write_bytes(place / "folder", b"x")


def folder_over_a_file(place: Path) -> None:
    with writing_folder(place / "file") as partial:
        (partial / "a").write_text("x")


def files_into_a_file(place: Path) -> None:
    with writing_into(place / "file") as partial:
        (partial / "a").write_text("x")


@pytest.mark.parametrize("write", [in_a_file, over_a_folder, folder_over_a_file, files_into_a_file])
def test_a_place_that_can_not_be_written_is_named(tmp_path: Path, write: Callable[[Path], None]) -> None:
    (tmp_path / "file").write_text("mine")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "also mine").write_text("")
    with pytest.raises(InputError, match=r"(file|folder).*: can't be written \(.+\); choose another place"):
        write(tmp_path)
    assert names(tmp_path) == ["file", "folder"]
    assert (tmp_path / "file").read_text() == "mine"
    assert names(tmp_path / "folder") == ["also mine"]


def test_the_current_folder_is_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="choose another place"):
        write_text(Path(), "x")
    assert names(tmp_path) == []


def test_errors_of_other_files_are_not_taken_for_errors_of_writing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="elsewhere"), writing_file(tmp_path / "a"):
        (tmp_path / "elsewhere").read_bytes()
    with pytest.raises(FileNotFoundError, match="elsewhere"), writing_folder(tmp_path / "b"):
        (tmp_path / "elsewhere").read_bytes()
    assert names(tmp_path) == []


def test_a_full_disk_is_reported_with_the_file(tmp_path: Path) -> None:
    with (
        pytest.raises(InputError, match=r"a\.txt: can't be written \(No space"),
        writing_file(tmp_path / "a.txt"),
    ):
        raise OSError(28, "No space left on device")


def test_writability_is_checked_without_leaving_anything(tmp_path: Path) -> None:
    check_writable(tmp_path / "new" / "a.txt")
    check_writable_folder(tmp_path / "new" / "a")
    assert names(tmp_path) == []
    with pytest.raises(InputError, match="is a folder"):
        check_writable(tmp_path)
    write_text(tmp_path / "file", "")
    with pytest.raises(InputError, match="is a file"):
        check_writable_folder(tmp_path / "file")
    for check in (check_writable, check_writable_folder):
        with pytest.raises(InputError, match="choose another place"):
            check(tmp_path / "file" / "a.txt")
    assert names(tmp_path) == ["file"]


@pytest.mark.parametrize(
    "name", ["a" * 300, "new/" + "é" * 128, "a\0b", "\ud83d", "loop", "pipe", "/dev/null"]
)
def test_what_can_not_be_written_is_known_before_the_work(tmp_path: Path, name: str) -> None:
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    os.mkfifo(tmp_path / "pipe")
    path = tmp_path / name
    for check in (
        check_writable,
        check_writable_folder,
        lambda path: check_output(path, LIST, overwrite=True),
        lambda path: write_text(path, "content"),
    ):
        with pytest.raises(InputError, match=r"written|name of a file"):
            check(path)
    assert names(tmp_path) == ["loop", "pipe"]
    assert not Path("/dev/null").is_file()


def test_a_mounted_folder_can_not_be_replaced() -> None:
    with pytest.raises(InputError, match="a file system is mounted there"):
        check_writable_folder(Path("/proc"))


def test_folders_that_were_made_go_with_what_failed(tmp_path: Path) -> None:
    for writing in (writing_file, writing_folder, writing_into):
        with pytest.raises(ValueError, match="half"), writing(tmp_path / "new" / "folder" / "a"):
            raise ValueError("half of it")
        assert names(tmp_path) == []


def test_a_folder_is_replaced_as_a_whole(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "folder"
    for name in ("one", "two"):
        with writing_folder(folder) as partial:
            (partial / "sub").mkdir()
            (partial / "sub" / name).write_text(name)
    assert names(folder / "sub") == ["two"]
    assert names(folder.parent) == ["folder"]


def test_an_empty_folder_is_replaced_too(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with writing_folder(tmp_path / "folder") as partial:
        (partial / "a").write_text("")
    assert names(tmp_path / "folder") == ["a"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_folder_stays_as_it_was_if_writing_fails(tmp_path: Path, error: type[BaseException]) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "old").write_text("")
    with pytest.raises(error), writing_folder(tmp_path / "folder") as partial:
        half_written(partial / "new", error)
    assert names(tmp_path) == ["folder"]
    assert names(tmp_path / "folder") == ["old"]


def test_the_old_folder_is_moved_back_if_the_new_one_can_not_take_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "old").write_text("")
    rename, there = os.rename, []

    def refuse(source: Path, target: Path) -> None:
        if Path(source).suffix == ".partial":
            there.extend(names(tmp_path))
            raise PermissionError(13, "Permission denied", str(source))
        rename(source, target)

    monkeypatch.setattr(os, "rename", refuse)
    monkeypatch.setattr(temporary, "_exchanged", lambda one, other: False)
    refused = pytest.raises(InputError, match=r"folder: can't be written \(Permission denied\)")
    with refused, writing_folder(tmp_path / "folder") as partial:
        (partial / "new").write_text("")
    assert "folder" not in there
    assert names(tmp_path) == ["folder"]
    assert names(tmp_path / "folder") == ["old"]


@pytest.mark.parametrize("exists", [True, False])
def test_a_link_is_followed(tmp_path: Path, exists: bool) -> None:
    """As it is by the shell, whether or not it leads to anything yet; and the check before the work says so."""
    (tmp_path / "there").mkdir()
    for name in ("file.json", "folder", "more"):
        (tmp_path / name).symlink_to(tmp_path / "there" / name)
    if exists:
        (tmp_path / "there" / "file.json").write_text("[]")
        (tmp_path / "there" / "folder").mkdir()
        (tmp_path / "there" / "more").mkdir()
    check_output(tmp_path / "file.json", LIST, overwrite=not exists)
    check_writable_folder(tmp_path / "folder")
    write_json(tmp_path / "file.json", [1])
    with writing_folder(tmp_path / "folder") as partial:
        (partial / "a").write_text("")
    with writing_into(tmp_path / "more") as partial:
        (partial / "b").write_text("")
    assert all((tmp_path / name).is_symlink() for name in ("file.json", "folder", "more"))
    assert names(tmp_path / "there") == ["file.json", "folder", "more"]
    assert read_json(tmp_path / "there" / "file.json") == [1]
    assert (names(tmp_path / "there" / "folder"), names(tmp_path / "there" / "more")) == (["a"], ["b"])


def test_files_are_added_to_a_folder_all_or_none(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    (tmp_path / "a").write_text("old")
    with pytest.raises(ValueError, match="half"), writing_into(tmp_path) as partial:
        half_written(partial / "a", ValueError)
    assert (tmp_path / "a").read_text() == "old"
    with writing_into(tmp_path) as partial:
        for name in ("a", "b"):
            (partial / name).write_text("new")
    assert {name: (tmp_path / name).read_text() for name in names(tmp_path)} == {
        "a": "new",
        "b": "new",
        "mine": "mine",
    }


def write_often(folder: Path, writer: int) -> None:
    """The same file and the same folder again and again, with content that tells whose it is."""
    for _ in range(TIMES):
        write_bytes(folder / "file", bytes([writer]) * SIZE)
        with writing_folder(folder / "folder") as partial:
            for name in ("a", "b", "c"):
                (partial / name).write_bytes(bytes([writer]))


def check_whole(folder: Path) -> None:
    content = (folder / "file").read_bytes()
    assert len(content) == SIZE
    assert len(set(content)) == 1
    assert names(folder / "folder") == ["a", "b", "c"]
    assert len({(folder / "folder" / name).read_bytes() for name in "abc"}) == 1
    assert names(folder) == ["file", "folder"]


def test_threads_that_write_the_same_target_do_not_mix(tmp_path: Path) -> None:
    with ThreadPoolExecutor(WRITERS) as pool:
        for done in [pool.submit(write_often, tmp_path, writer) for writer in range(WRITERS)]:
            done.result()
    check_whole(tmp_path)


@pytest.mark.slow
@pytest.mark.slow
def test_processes_that_write_the_same_target_do_not_mix(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=write_often, args=(tmp_path, writer)) for writer in range(WRITERS)]
    for process in writers:
        process.start()
    while any(process.is_alive() for process in writers):
        if (tmp_path / "file").exists():  # a reader never sees a part of it
            content = (tmp_path / "file").read_bytes()
            assert len(content) == SIZE
            assert len(set(content)) == 1
    for process in writers:
        process.join()
        assert process.exitcode == 0
    check_whole(tmp_path)
