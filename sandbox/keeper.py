"""Runs one command and makes sure that nothing of it outlives the demo.

``python sandbox/keeper.py COMMAND...``: the demo holds the other end of our standard input. When that is
closed, by the demo or by its death, the command is asked to stop, and whatever is left of it is killed.
"""

import contextlib
import os
import signal
import subprocess
import sys
import threading

#: Seconds that a command has to finish what it is doing.
PATIENCE = 10


def main(command: list[str]) -> int:
    # A session of its own: Ctrl-C in the terminal reaches the demo only, which stops everything in order.
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)
    signal.signal(signal.SIGTERM, lambda *_: process.terminate())
    threading.Thread(target=_stop_when_abandoned, args=(process,), daemon=True).start()
    try:
        return process.wait()
    finally:
        # A qcluster whose main process has died leaves workers that go on taking tasks.
        _kill_group(process.pid)


def _stop_when_abandoned(process: subprocess.Popen[bytes]) -> None:
    # Not through sys.stdin: a thread that waits inside of it makes Python abort when the command has ended.
    while os.read(0, 1):
        pass
    # To the leader alone: the workers of a qcluster that get the signal themselves die in the middle of a
    # task, and the cluster then never ends.
    process.terminate()
    try:
        process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        _kill_group(process.pid)


def _kill_group(group: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
