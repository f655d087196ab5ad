"""The sandbox's settings, with everything that tests write kept in a folder of their own.

Another process that gets ``MASSMAIL_SANDBOX_VAR`` (and ``PGDATABASE``) from here works on the same database:
that is how tests run real workers against the rows they have made.
"""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

# Before the import: the sandbox decides by it where everything lies. One folder for each pytest-xdist worker.
_folder = tempfile.mkdtemp(prefix="massmail-tests-")
os.environ["MASSMAIL_SANDBOX_VAR"] = _folder
atexit.register(shutil.rmtree, _folder, ignore_errors=True)

from sandbox.settings import *  # noqa: E402, F403
from sandbox.settings import DATABASES, INSTALLED_APPS, POSTGRESQL, SQLITE  # noqa: E402

# Models that the sandbox has no need of, but other hosts have; some are edited in Django's own admin.
INSTALLED_APPS = [*INSTALLED_APPS, "django.contrib.admin", "tests.host"]

# No test cuts the power, so that no commit has to wait for the disk. Killed processes lose nothing by it.
_database = DATABASES["default"]
if _database["ENGINE"] == SQLITE["ENGINE"]:
    _pragmas = _database["OPTIONS"]["init_command"].replace("synchronous=FULL", "synchronous=OFF")
    _database["OPTIONS"] = {**_database["OPTIONS"], "init_command": _pragmas}
else:
    # Runs beside each other on one server must not meet.
    _database["NAME"] = f"test_massmail_{Path(_folder).name[-8:].lower()}"
if _database["ENGINE"] == POSTGRESQL["ENGINE"]:
    # As hosts come, without prepared statements; the sandbox's processes, in acceptance tests, have them.
    _database["OPTIONS"] = {"options": "-c synchronous_commit=off"}

# Slow on purpose in real life; here every test's user would pay for it.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
