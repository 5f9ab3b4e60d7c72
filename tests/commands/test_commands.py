"""What all commands promise about faulty input."""

from __future__ import annotations

from pathlib import Path

import pytest

from samples.command_line import Run


@pytest.mark.parametrize(
    "content", [b"3", b"[", b"", b"[" * 2000, b"[" + b"9" * 5000 + b"]", b"\xff\xfe\xff"]
)
def test_malformed_files_are_reported_in_one_line(run: Run, tmp_path: Path, content: bytes) -> None:
    odd = tmp_path / "odd.json"
    odd.write_bytes(content)
    for arguments in (
        ("evaluate", odd, odd, "--vocabulary", odd),
        ("data", "stats", odd),
        ("predict", odd, tmp_path / "out.json"),
        ("train", odd),
    ):
        done = run(*arguments)
        assert done.refused(str(tmp_path)), done
        assert done.out == ""
