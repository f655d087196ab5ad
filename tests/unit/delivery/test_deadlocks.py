"""A transaction that a deadlock has undone is done again; nothing else is."""

import pytest
from django.db import OperationalError

from massmail_plugin.delivery.ledger.deadlocks import again_after_deadlock


class PostgresqlError(Exception):
    def __init__(self, sqlstate):
        self.sqlstate = sqlstate


def of_mariadb(number):
    return OperationalError(number, "Deadlock found when trying to get lock")


def of_postgresql(state):
    error = OperationalError("deadlock detected")
    error.__cause__ = PostgresqlError(state)
    return error


class Doing:
    def __init__(self, *errors):
        self.errors = list(errors)

    def __call__(self):
        if self.errors:
            raise self.errors.pop(0)
        return "done"


@pytest.mark.parametrize("error", [of_mariadb(1213), of_postgresql("40P01"), of_postgresql("40001")])
def test_a_deadlock_is_tried_again(error):
    assert again_after_deadlock(Doing(error, error)) == "done"


@pytest.mark.parametrize(
    "error", [of_mariadb(2006), of_postgresql("57P01"), OperationalError(), ValueError()]
)
def test_anything_else_is_not(error):
    doing = Doing(error)
    with pytest.raises(type(error)):
        again_after_deadlock(doing)
    assert doing.errors == []


def test_not_without_end():
    with pytest.raises(OperationalError):
        again_after_deadlock(Doing(*[of_mariadb(1213)] * 50))
