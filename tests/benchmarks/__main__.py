"""``python -m tests.benchmarks [sending] [latency] [memory] [audience] [profile]``: all of them without a name.

The exit status is 1 when a bar is missed, and with MASSMAIL_FORBID_SKIPS=1 also when one could not be measured.
"""

from __future__ import annotations

import os
import sys
import time

from tests.benchmarks import audience, latency, memory, profile, sending
from tests.benchmarks.report import NotMeasured, Report

#: Each has a ``TITLE`` and a ``measure(report)``.
BENCHMARKS = {
    "sending": sending,
    "latency": latency,
    "memory": memory,
    "audience": audience,
    "profile": profile,
}


def main(names: list[str]) -> int:
    if unknown := set(names) - set(BENCHMARKS):
        print(f"There is no benchmark {', '.join(sorted(unknown))}. There are: {', '.join(BENCHMARKS)}.")
        return 2
    report = Report()
    for name in names or BENCHMARKS:
        began = time.monotonic()
        title = BENCHMARKS[name].TITLE
        report.say(f"{title}\n{'=' * len(title)}")
        try:
            BENCHMARKS[name].measure(report)
        except NotMeasured as why:
            report.leave_out(name, why)
        report.say(f"({time.monotonic() - began:.0f} s)\n")
    return _summary(report)


def _summary(report: Report) -> int:
    report.say("Summary\n=======")
    for bar in report.bars:
        report.say(str(bar))
    for line in report.not_measured:
        report.say(f"NOT MEASURED  {line}")
    missed = sum(not bar.is_met for bar in report.bars)
    report.say(f"\n{missed} of {len(report.bars)} bars missed." if missed else "\nEvery bar measured is met.")
    return int(bool(missed or (report.not_measured and os.environ.get("MASSMAIL_FORBID_SKIPS"))))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
