"""Django's own, but massmail_plugin's migrations also fit projects that have a base page of their own."""

from pathlib import Path
from typing import Any

from django.core.management.commands import makemigrations
from django.db.migrations.writer import MigrationWriter

#: Django writes down the name of the base page that the sandbox has, and no dependency on another one.
_PAGE = "(massmail_plugin.audience.models.PrivatePageMixin, 'wagtailcore.page')"
_ANY_PAGE = "(massmail_plugin.audience.models.PrivatePageMixin, settings.WAGTAIL_PAGE_MODEL)"
_USERS = "        migrations.swappable_dependency(settings.AUTH_USER_MODEL),\n"
_PAGES = "        migrations.swappable_dependency(settings.WAGTAIL_PAGE_MODEL),\n"


class Command(makemigrations.Command):
    def write_migration_files(self, changes: dict[str, Any], *args: Any, **kwargs: Any) -> None:
        super().write_migration_files(changes, *args, **kwargs)
        if not self.dry_run:
            for migration in changes.get("massmail_plugin", ()):
                _fit_any_base_page(Path(MigrationWriter(migration).path))


def _fit_any_base_page(file: Path) -> None:
    text = file.read_text()
    if _PAGE in text:
        file.write_text(text.replace(_PAGE, _ANY_PAGE).replace(_USERS, _USERS + _PAGES))
