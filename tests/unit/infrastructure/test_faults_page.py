"""docs/faults.md: every fault has its row, and every test that it names is there."""

import re
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[3]
ROWS = re.findall(r"^\| (F\d+) \|(.*)\|$", (REPOSITORY / "docs" / "faults.md").read_text(), re.MULTILINE)
NAMED = sorted({name for _fault, row in ROWS for name in re.findall(r"`([\w/]+\.py::\w+)`", row)})
#: There is nothing of ours yet that could have them.
NOT_YET = {"F15"}


def test_every_fault_has_one_row():
    numbers = [*range(1, 66), *range(87, 92), 94, 95, 96, 104, 105, 106]
    assert [fault for fault, _row in ROWS] == [f"F{number:02}" for number in numbers]


@pytest.mark.parametrize(
    "fault", [pytest.param(row, id=fault) for fault, row in ROWS if fault not in NOT_YET]
)
def test_every_fault_has_a_test(fault):
    assert "::test_" in fault


@pytest.mark.parametrize("name", NAMED)
def test_it_names_what_exists(name):
    path, test = name.split("::")
    assert re.search(rf"^def {test}\(", (REPOSITORY / "tests" / path).read_text(), re.MULTILINE)
