"""The sandbox's settings for a host that has both admins: Wagtail's, and Django's for some of its records."""

from sandbox.settings import *  # noqa: F403
from sandbox.settings import INSTALLED_APPS as _APPS

INSTALLED_APPS = [*_APPS, "django.contrib.admin", "tests.host"]
ROOT_URLCONF = "tests.acceptance.two_admins_urls"
