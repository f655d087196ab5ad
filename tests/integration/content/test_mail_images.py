"""Images of the library in a mail."""

from __future__ import annotations

from typing import Any

import pytest
from wagtail.images import get_image_model
from wagtail.images.tests.utils import get_test_image_file

from massmail_plugin.content.compiler import CompileOptions, compile_template
from tests.unit.content.drafts import draft
from tests.unit.content.reading import document, links

pytestmark = pytest.mark.django_db

OPTIONS = CompileOptions(opt_out_link=False, base_url="https://crm.example")


def an_image(width: int = 2000, height: int = 1000) -> Any:
    return get_image_model().objects.create(title="Hills", file=get_test_image_file(size=(width, height)))


def block(image: Any, **values: Any) -> tuple[str, Any]:
    defaults = {"alt": "Green hills", "decorative": False, "link": "", "alignment": "center"}
    return "image", {"image": image.pk, **defaults, **values}


def test_it_is_absolute_described_and_sharp_on_every_screen() -> None:
    content = compile_template(draft(block(an_image())), OPTIONS)

    (image,) = document(content.html).iter("img")
    assert image.get("src").startswith("https://crm.example/media/images/")
    assert image.get("alt") == "Green hills"
    assert image.get("width") == "536"
    assert "Green hills" in content.text


def test_a_small_image_is_not_blown_up() -> None:
    (image,) = document(compile_template(draft(block(an_image(120, 40))), OPTIONS).html).iter("img")

    assert image.get("width") == "120"


def test_decoration_is_silent() -> None:
    content = compile_template(draft(block(an_image(), alt="left over", decorative=True)), OPTIONS)

    (image,) = document(content.html).iter("img")
    assert image.get("alt") == ""
    assert content.text.strip() == ""


def test_a_linked_image_is_a_link() -> None:
    content = compile_template(draft(block(an_image(), link="{{ tracking.demo }}")), OPTIONS)

    assert links(content.html) == ["{{ tracking.demo }}"]
    assert content.tracking_slugs == ("demo",)


def test_a_deleted_image_leaves_no_hole() -> None:
    image = an_image()
    template = draft(block(image), block(an_image()))
    image.delete()

    assert len(list(document(compile_template(template, OPTIONS).html).iter("img"))) == 1
