#!/usr/bin/env python
"""Django's command line for the sandbox: ``python sandbox/manage.py <command>``, from any directory."""

import os
import sys
from pathlib import Path


def main() -> None:
    # Replaces this folder, which Python puts first: ``crm`` must not be importable beside ``sandbox.crm``.
    sys.path[0] = str(Path(__file__).resolve().parent.parent)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "sandbox.settings")
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
