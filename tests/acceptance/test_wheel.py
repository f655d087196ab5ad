"""The wheel in a project of somebody else's: what README.md says has to be enough."""

import re
import zipfile

import pytest
import requests

from tests.acceptance.new_project import NewProject, build_wheel, clean_environment
from tests.acceptance.readme import readme_blocks
from tests.processes import REPOSITORY, Process, free_port

pytestmark = [pytest.mark.any_database, pytest.mark.xdist_group("wheel")]

PACKAGE = REPOSITORY / "massmail_plugin"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    return build_wheel(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def project(wheel, tmp_path_factory):
    """A new project that has followed README.md up to its tables."""
    project = NewProject(tmp_path_factory.mktemp("project"))
    project.install(wheel)
    project.start()
    project.follow_readme()
    project.manage("migrate", "--verbosity=0")
    return project


def packaged(wheel):
    with zipfile.ZipFile(wheel) as archive:
        return {name for name in archive.namelist() if ".dist-info/" not in name}


def test_the_wheel_holds_the_whole_package_and_nothing_else(wheel):
    """Also what is no Python: templates, static files, translations, migrations, py.typed."""
    files = (path for path in PACKAGE.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    expected = {str(path.relative_to(REPOSITORY)) for path in files if not path.name.startswith(".")}
    assert packaged(wheel) == expected


@pytest.mark.parametrize("kind", ["templates/", "static/", "migrations/0001_", "py.typed"])
def test_the_wheel_holds_every_kind_of_file(wheel, kind):
    assert [name for name in packaged(wheel) if name.startswith(f"massmail_plugin/{kind}")]


def test_readme_installs_this_distribution(wheel):
    [name] = re.findall(r"pip install (\S+)", readme_blocks()["install"])
    assert wheel.name.startswith(f"{name.replace('-', '_')}-")


def test_the_project_checks_without_complaint(project):
    assert "no issues" in project.manage("check", "--fail-level", "WARNING")


def test_its_models_are_as_the_migrations_say(project):
    project.manage("makemigrations", "--check", "--dry-run")


def test_an_administrator_finds_the_mailings(project):
    project.manage("shell", "--no-imports", "-c", CREATE_ADMINISTRATOR)
    port = free_port()
    command = (project.python, "manage.py", "runserver", "--noreload", "--insecure", str(port))
    with Process(*command, env=clean_environment(), folder=project.folder) as server:
        server.wait_until_it_says("Quit the server")
        menu = admin_page(f"http://127.0.0.1:{port}/admin/")
    assert '"Mailings"' in menu


CREATE_ADMINISTRATOR = """
from django.contrib.auth import get_user_model
get_user_model().objects.create_superuser("ada", "ada@shop.example", "lovelace")
"""


def admin_page(url):
    """Log in as a person would, and return the admin's first page."""
    with requests.Session() as browser:
        login = browser.get(f"{url}login/")
        [token] = re.findall(r'name="csrfmiddlewaretoken" value="([^"]+)"', login.text)
        data = {"username": "ada", "password": "lovelace", "csrfmiddlewaretoken": token, "next": "/admin/"}
        page = browser.post(f"{url}login/", data=data)
    assert page.ok
    assert page.url == url
    return page.text
