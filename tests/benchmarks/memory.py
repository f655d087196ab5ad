"""One worker process over 100,000 mails: what it holds at the end against what it held at the beginning."""

from __future__ import annotations

import statistics
import time
from pathlib import Path

from tests.benchmarks.databases import Sqlite, a_folder
from tests.benchmarks.processes import Contestant
from tests.benchmarks.report import Bar, NotMeasured, Report
from tests.benchmarks.sink import Sink

TITLE = "Memory: one worker process over 100,000 mails"

MAILS = 100_000
#: The last quarter's memory as a multiple of the first quarter's.
ALLOWED = 1.05
_SECONDS_BETWEEN_SAMPLES = 0.25


def measure(report: Report) -> None:
    if not Path("/proc/self/statm").exists():
        raise NotMeasured("Only Linux tells a process's memory in /proc.")
    with a_folder() as folder:
        database = Sqlite(folder)
        with (
            database.filled(MAILS),
            database.copy() as environment,
            Sink() as sink,
            Contestant("work", sink.port, environment=environment) as worker,
        ):
            worker.wait_until_ready()
            idle = _megabytes(worker.pid)
            worker.go()
            samples = _watch(worker)
            figures = worker.hear()
            sink.check(MAILS)
    quarter = len(samples) // 4
    first, last = statistics.mean(samples[:quarter]), statistics.mean(samples[-quarter:])
    rate = MAILS / (figures["ended"] - figures["began"])
    report.say(
        f"  ready to work {idle:.1f} MB, first quarter {first:.1f} MB, last quarter {last:.1f} MB,"
        f" most {max(samples):.1f} MB; {rate:,.0f} mails/s"
    )
    report.add(Bar("memory of the last quarter against the first", last / first, ALLOWED, at_most=True))


def _watch(worker: Contestant) -> list[float]:
    samples = []
    while worker.is_running:
        samples.append(_megabytes(worker.pid))
        time.sleep(_SECONDS_BETWEEN_SAMPLES)
    return [sample for sample in samples if sample]


def _megabytes(pid: int) -> float:
    """Return the memory that a process holds (RSS); 0 when it has ended."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (FileNotFoundError, ProcessLookupError, IndexError):
        return 0.0
    return pages * 4096 / 1e6
