"""``make demo`` as a newcomer sees it: one start sends the first mailing, the next one goes on from there."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.processes import free_port

REPOSITORY = Path(__file__).resolve().parents[2]
# The demo itself always uses SQLite.
pytestmark = [pytest.mark.any_database, pytest.mark.xdist_group("demo")]

READY = "Serving until you press Ctrl-C."


class Demo:
    """One run of the demo, in a data folder of its own and with nothing of the developer's environment."""

    def __init__(self, folder: Path) -> None:
        env = {
            name: value for name, value in os.environ.items() if not name.startswith(("MASSMAIL_", "DJANGO_"))
        }
        # The usual ports are those of a demo that somebody else may be looking at.
        env |= {
            "MASSMAIL_SANDBOX_VAR": str(folder),
            "MASSMAIL_SANDBOX_URL": f"http://127.0.0.1:{free_port()}",
            "MASSMAIL_SANDBOX_SMTP_PORT": str(free_port()),
            "HOME": str(folder / "no-home"),
            "PYTHONUNBUFFERED": "1",
        }
        self.process = subprocess.Popen(
            [sys.executable, str(REPOSITORY / "sandbox" / "demo.py")],
            cwd=folder.parent,
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.output = ""

    def read_until_ready(self) -> str:
        """Return everything printed until the demo serves, or until it ends."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.output += line
            if READY in line:
                break
        return self.output

    def url(self, path: str) -> str:
        found = re.search(r"http://127\.0\.0\.1:\d+(?=/admin/)", self.output)
        assert found, self.output
        return found.group() + path

    def get(self, path: str) -> str:
        with urllib.request.urlopen(self.url(path), timeout=60) as response:
            return response.read().decode()

    def mails(self) -> int:
        found = re.search(r'class="count">(\d+)<', self.get("/inbox/"))
        assert found
        return int(found.group(1))

    def answers(self) -> bool:
        host, port = self.url("").removeprefix("http://").split(":")
        with socket.socket() as probe:
            return probe.connect_ex((host, int(port))) == 0

    def stop(self, number: int) -> int:
        self.process.send_signal(number)
        return self.process.wait(180)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Kept from test to test, as by a developer: what was made and sent in one start is there in the next."""
    return tmp_path_factory.mktemp("demo") / "var"


@pytest.fixture
def start(folder: Path) -> Iterator[Callable[[], Demo]]:
    demos: list[Demo] = []

    def _start() -> Demo:
        demos.append(Demo(folder))
        return demos[-1]

    yield _start
    for demo in demos:
        demo.process.kill()
        demo.process.wait()


def eventually(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 180
    while not happened():
        assert time.monotonic() < deadline, "It did not happen in time."
        time.sleep(0.1)


def test_the_first_start_sends_and_the_second_goes_on(start: Callable[[], Demo]) -> None:
    demo = start()
    output = demo.read_until_ready()

    sent = re.search(r"“Spring news to Dublin”: Done\. (\d+) sent, (\d+) failed, (\d+) left out", output)
    assert sent, output
    assert all(int(number) > 0 for number in sent.groups())
    assert demo.mails() == int(sent.group(1))
    assert "Spring news from Sandbox Trading" in demo.get("/inbox/1/body/")
    refused = start()
    assert "already running" in refused.read_until_ready()
    assert refused.process.wait(60) == 1
    assert demo.stop(signal.SIGINT) == 0
    assert not demo.answers()

    again = start()
    assert "has been sent before: Done" in again.read_until_ready()
    assert again.mails() == int(sent.group(1))
    again.process.kill()

    # Even a demo that had no time for anything takes its servers with it.
    eventually(lambda: not again.answers())


def test_it_stops_altogether_when_one_of_its_processes_does(start: Callable[[], Demo]) -> None:
    demo = start()
    demo.read_until_ready()
    listed = subprocess.run(["ps", "-eo", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    pairs = [tuple(map(int, line.split())) for line in listed.splitlines()]
    children = [pid for pid, parent in pairs if parent == demo.process.pid]

    assert len(children) == 3, demo.output
    os.kill(children[0], signal.SIGTERM)
    rest = demo.process.communicate(timeout=180)[0]

    assert demo.process.returncode == 1
    assert "has stopped. Its log says why" in rest.replace("\n", " ")
    assert not demo.answers()
