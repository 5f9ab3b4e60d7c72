"""`python -m stage` is the command line, and can be interrupted at any moment."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from stage.commands import INTERRUPTED, TERMINATED, installed_version
from stage.errors import INTERRUPTION

WHEN_IMPORTED = """
import os, signal, sys

class Interrupting:
    def find_spec(self, name, path=None, target=None):
        if name == {module!r}:
            {action}

class Closing:
    def __del__(self):
        interrupt()

def interrupt(number=signal.SIGINT):
    os.kill(os.getpid(), number)

def fail():
    try:
        interrupt()
    except BaseException:
        raise ImportError("it can't be imported")

def wait():
    Closing()
    import time
    time.sleep(60)

sys.meta_path.insert(0, Interrupting())
from stage.__main__ import main
main()
"""
"""The command line, with something that happens when a module is about to be imported."""


@pytest.mark.slow
def test_the_package_runs_as_a_module() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "stage", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout == f"stage {installed_version()}\n"
    assert done.stderr == ""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("module", "action"),
    [
        ("stage.commands", "interrupt()"),
        ("typer", "interrupt()"),
        ("stage.commands.sitcom", "interrupt()"),
        ("numpy", "interrupt()"),
        ("stage.sitcom.episodes", "interrupt()"),
        ("stage.sitcom.episodes", "interrupt(signal.SIGTERM)"),
        ("numpy", "fail()"),  # as libraries do in their imports
        ("stage.sitcom.episodes", "wait()"),  # a finaliser is interrupted, which Python ignores
        ("stage.sitcom.episodes", "sys.exit(1)"),
    ],
)
def test_an_interrupt_while_importing_is_one_line(module: str, action: str, tmp_path: Path) -> None:
    program = WHEN_IMPORTED.format(module=module, action=action)
    done = subprocess.run(
        [sys.executable, "-c", program, "sitcom", tmp_path, "--episodes", "1"],
        capture_output=True, text=True, check=False, timeout=50,
    )  # fmt: skip
    if action == "sys.exit(1)":  # without an interrupt, errors stay what they are
        assert (done.returncode, done.stderr) == (1, "")
    else:
        code = TERMINATED if "SIGTERM" in action else INTERRUPTED
        assert (done.returncode, done.stderr) == (code, f"{INTERRUPTION}\n")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("file", "number"),
    [
        ("sitcom.json", signal.SIGINT),
        ("episodes/*.partial", signal.SIGINT),
        ("episodes/*.partial", signal.SIGTERM),
    ],
)
def test_ctrl_c_and_sigterm_end_all_processes_and_leave_no_temporary_files(
    file: str, number: signal.Signals, tmp_path: Path
) -> None:
    """A terminal sends it to the whole group of processes, at work or still importing."""
    process = subprocess.Popen(
        [sys.executable, "-m", "stage", "sitcom", tmp_path, "--episodes", "9", "--workers", "2"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    deadline = time.monotonic() + 60
    while not [*tmp_path.glob(file)]:
        assert time.monotonic() < deadline, "no work was begun"
        time.sleep(0.01)
    os.killpg(process.pid, number)
    out, err = process.communicate(
        timeout=50
    )  # the workers have ended too, or standard error would still be open
    assert (out, err) == ("", f"{INTERRUPTION}\n")
    # Python ends itself by the signal if an interrupt has passed through code in a string; shells show 130 then too.
    assert process.returncode in (128 + number, -number)
    assert not [*tmp_path.rglob("*.partial")]
