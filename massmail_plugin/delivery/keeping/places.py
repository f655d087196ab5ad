"""Where a database stands, as far as it can tell itself: a restored or copied one says something else.

What the settings say is of no use: two machines may reach one database under different names.
"""

from __future__ import annotations

from pathlib import Path

from django.db import connection

_MACHINE_ID = Path("/etc/machine-id")
#: In a container the machine's id is the image's, or another one after each deployment.
_CONTAINER_MARKS = (Path("/.dockerenv"), Path("/run/.containerenv"))


def place() -> str:
    """Return a text that is the same for everybody who uses this database, and another one for a copy of it."""
    return {"postgresql": _postgresql, "mysql": _mysql, "sqlite": _sqlite}.get(connection.vendor, str)()[:255]


def _postgresql() -> str:
    # The cluster's own number survives a failover to a physical replica, as it should: what such a failover has
    # lost shows in the epoch's mark. The database's number is another one after "dropdb; createdb; pg_restore".
    # Not there on some databases that speak PostgreSQL's language, and not for everybody on some hosts.
    may_ask = "SELECT has_function_privilege(to_regprocedure('pg_control_system()'), 'execute')"
    cluster = "SELECT system_identifier FROM pg_control_system()" if _ask(may_ask) == "True" else "SELECT ''"
    database = "SELECT oid FROM pg_database WHERE datname = current_database()"
    return f"{_ask(cluster)}/{_ask(database)}"


def _mysql() -> str:
    with connection.cursor() as cursor:
        # All nodes of a Galera cluster have this one in common.
        cursor.execute("SHOW STATUS LIKE 'wsrep_cluster_state_uuid'")
        row = cursor.fetchone()
        name = "server_uid" if connection.mysql_is_mariadb else "server_uuid"  # type: ignore[attr-defined]
        cursor.execute(f"SHOW GLOBAL VARIABLES LIKE '{name}'")
        row = row if row and row[1] else cursor.fetchone()
    return f"{row[1] if row else ''}/{_ask('SELECT DATABASE()')}"


def _sqlite() -> str:
    if connection.is_in_memory_db():  # type: ignore[attr-defined]
        return ""
    in_container = any(mark.exists() for mark in _CONTAINER_MARKS)
    try:
        machine = "" if in_container else _MACHINE_ID.read_text().strip()
    except OSError:
        machine = ""
    return f"{machine}:{Path(str(connection.settings_dict['NAME'])).resolve()}"[-255:]


def _ask(question: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute(question)
        row = cursor.fetchone()
    return str(row[0]) if row else ""
