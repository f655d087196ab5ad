"""Where editors' links may lead."""

from __future__ import annotations

import pytest
from django.core.exceptions import ValidationError

from massmail_plugin.content.links import validate_link


@pytest.mark.parametrize(
    "link",
    [
        "https://example.com",
        "HTTP://example.com/a?b=c#d",
        "https://example.com/{{ contact.id }}?x={{ contact.first_name | default: 'a b' }}",
        "mailto:sales@example.com?subject=Hello",
        "tel:+491234",
        "{{ unsubscribe_url }}",
        '{{ contact.website | default: "https://example.com" }}',
    ],
)
def test_allowed(link: str) -> None:
    validate_link(link)


@pytest.mark.parametrize(
    "link",
    [
        "javascript:alert(1)",
        " javascript:alert(1)",
        "java\tscript:alert(1)",
        "https://a.example/\njavascript:x",
        "data:text/html,x",
        "vbscript:x",
        "file:///etc/passwd",
        "ftp://example.com/",
        "//example.com",
        "/contact",
        "example.com",
        "https://",
        "https:///path",
        "mailto:",
        "{{ contact.scheme }}:alert(1)",
        "{{ a }}{{ b }}",
        "{% if a %}javascript:x{% endif %}",
        "{{ unsubscribe_url",
        "",
    ],
)
def test_refused(link: str) -> None:
    with pytest.raises(ValidationError):
        validate_link(link)
