"""The sandbox's settings as they are; only everything that is written lies in a folder of the benchmark's own."""

import os

from sandbox.settings import *  # noqa: F403
from sandbox.settings import DATABASES, MASSMAIL

if "MASSMAIL_BENCH_JOURNAL" in os.environ:
    MASSMAIL = {**MASSMAIL, "JOURNAL_DIR": os.environ["MASSMAIL_BENCH_JOURNAL"]}
if "MASSMAIL_BENCH_SQLITE" in os.environ:
    DATABASES["default"]["NAME"] = os.environ["MASSMAIL_BENCH_SQLITE"]
