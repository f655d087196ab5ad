"""The table of tests that one database is enough for."""

from pathlib import Path

import pytest

from tests.any_database import ANY_DATABASE, reason

TESTS = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("place", ANY_DATABASE)
def test_it_names_what_exists(place):
    assert (TESTS / place).exists()


def test_it_means_the_folder_or_module_alone():
    assert reason("tests/integration/content/test_mail_images.py::test_one[a]")
    assert reason("tests/integration/admin/test_home_panel.py::test_one")
    assert not reason("tests/integration/contents.py::test_one")
    assert not reason("tests/integration/delivery/test_ledger.py::test_one")
