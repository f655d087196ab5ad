import pytest


@pytest.fixture(autouse=True)
def _real_commits(transactional_db):
    """The fence has to be committed before the dot: a test's own transaction would hide whether it is."""
