"""The template form lists every placeholder: nobody has to know a field's name by heart."""

import pytest
from django.urls import reverse

from massmail_plugin import recipients
from massmail_plugin.admin.placeholders import contact_placeholders, mail_placeholders
from massmail_plugin.content.lint import FIXED_VARIABLES, lint
from tests.builders import a_template, an_administrator

pytestmark = pytest.mark.django_db


def test_every_merge_field_and_every_variable_is_listed(client):
    client.force_login(an_administrator())
    html = client.get(reverse("wagtailsnippets_massmail_plugin_emailtemplate:add")).content.decode()
    for kind in recipients.all_types():
        for path in kind.merge_fields:
            assert "{{ contact." + path.replace("__", ".") + " }}" in html
    for name in FIXED_VARIABLES:
        assert "{{ " + name + " }}" in html


def test_what_can_be_copied_is_accepted_in_a_template():
    sources = [row.source for row in (*contact_placeholders(), *mail_placeholders())]
    template = a_template("<p>" + " ".join(sources) + "</p>")
    problems = lint(template, recipients.all_types(), ["name"])
    assert [str(problem) for problem in problems if problem.severity == "error"] == []
