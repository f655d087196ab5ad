"""The tests' settings in a project that has put a base page of its own in the place of Wagtail's."""

from tests.settings import *  # noqa: F403
from tests.settings import INSTALLED_APPS as _APPS

# Wagtail's own tests have such an app. It stands behind ours, so that its models are not loaded yet when ours are.
INSTALLED_APPS = [*_APPS, "wagtail.test.basepage"]
WAGTAIL_PAGE_MODEL = "basepage.BasePage"
