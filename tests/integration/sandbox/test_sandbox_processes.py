"""The demo's child processes: they end with the demo, however it ends, and leave nobody behind."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sandbox.processes import Child, ChildStopped, free_port, wait_until_all_answer

REPOSITORY = Path(__file__).resolve().parents[3]
PYTHON = [sys.executable, "-c"]

# Writes its own number and that of a worker that ignores SIGTERM, as a stuck qcluster does.
FAMILY = """
import os, signal, subprocess, sys, time
worker = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
child = subprocess.Popen([sys.executable, "-c", worker])
open(sys.argv[1] + ".new", "w").write(f"{os.getpid()} {child.pid}")
os.rename(sys.argv[1] + ".new", sys.argv[1])
time.sleep(600)
"""

# A demo that does nothing but hold a child.
HOLDER = """
import os, sys, time
from pathlib import Path
from sandbox.processes import Child, wait_until_all_answer
folder = Path(sys.argv[1])
child = Child("family", [sys.executable, "-c", sys.argv[2], str(folder / "pids")], os.environ, folder / "log")
wait_until_all_answer({child: (folder / "pids").exists})
time.sleep(600)
"""


def eventually(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not happened():
        assert time.monotonic() < deadline, "It did not happen within a minute."
        time.sleep(0.05)


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{pid}/stat")
    # A dead process whose parent has not asked for it yet is dead enough.
    return not state.exists() or state.read_text().rpartition(")")[2].split()[0] != "Z"


def family(folder: Path) -> list[int]:
    eventually((folder / "pids").exists)
    return [int(pid) for pid in (folder / "pids").read_text().split()]


def child_of(folder: Path, code: str) -> Child:
    return Child("family", [*PYTHON, code, str(folder / "pids")], os.environ, folder / "log")


def test_stop_ends_the_command_and_what_it_started(tmp_path: Path) -> None:
    child = child_of(tmp_path, FAMILY)
    pids = family(tmp_path)
    assert all(map(is_alive, pids))

    child.stop()

    eventually(lambda: not any(map(is_alive, pids)))


def test_a_demo_that_is_killed_takes_its_children_with_it(tmp_path: Path) -> None:
    holder = subprocess.Popen([*PYTHON, HOLDER, str(tmp_path), FAMILY], cwd=REPOSITORY)
    pids = family(tmp_path)

    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()

    eventually(lambda: not any(map(is_alive, pids)))


def test_a_command_that_ends_leaves_no_worker_behind(tmp_path: Path) -> None:
    child = child_of(tmp_path, FAMILY)
    leader, worker = family(tmp_path)

    os.kill(leader, signal.SIGKILL)

    eventually(lambda: not is_alive(worker))
    with pytest.raises(ChildStopped, match=r"The family has stopped.*log"):
        wait_until_all_answer({child: lambda: False})


def test_waiting_ends_when_another_child_has_stopped(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    silent, broken = child_of(tmp_path / "one", FAMILY), child_of(tmp_path / "two", "raise SystemExit('no')")

    with pytest.raises(ChildStopped, match="has stopped"):
        wait_until_all_answer({silent: lambda: False, broken: lambda: False})

    silent.stop()
    assert (tmp_path / "two" / "log").read_text() == "no\n"


def test_waiting_ends_when_the_child_answers(tmp_path: Path) -> None:
    child = child_of(tmp_path, FAMILY)

    wait_until_all_answer({child: (tmp_path / "pids").exists})

    child.check()
    child.stop()


def test_waiting_ends_when_the_child_never_answers(tmp_path: Path) -> None:
    child = child_of(tmp_path, FAMILY)

    with pytest.raises(ChildStopped, match="does not answer"):
        wait_until_all_answer({child: lambda: False}, seconds=0)

    child.stop()


def test_a_taken_port_is_not_taken_again() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]

        assert free_port(taken) != taken
    assert free_port(taken) == taken
