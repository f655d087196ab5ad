"""What is put right before MJML is compiled."""

from __future__ import annotations

import pytest
from mjml import mjml2html

from massmail_plugin.content.mjml.repair import repair


@pytest.mark.parametrize(
    ("written", "repaired"),
    [
        ('padding="0 50"', 'padding="0px 50px"'),
        ('padding="50"', 'padding="50px"'),
        ('padding="0 50px 0 2%"', 'padding="0px 50px 0px 2%"'),
        ('padding-left="1.5"', 'padding-left="1.5px"'),
        ('inner-padding="4 8"', 'inner-padding="4px 8px"'),
        ('padding="0px 50px"', 'padding="0px 50px"'),
        ('line-height="1.5"', 'line-height="1.5"'),
        ('border="1px solid #112233"', 'border="1px solid #112233"'),
        ("css-class='a b'", 'css-class="a b"'),
        ("title='say \"hi\"'", 'title="say &quot;hi&quot;"'),
        ("full-width", 'full-width="full-width"'),
    ],
)
def test_attributes(written: str, repaired: str) -> None:
    assert repair(f"<mj-text {written}>x</mj-text>") == f"<mj-text {repaired}>x</mj-text>"


def test_bare_numbers_no_longer_make_images_too_wide() -> None:
    source = (
        '<mj-section padding="0 50"><mj-column><mj-image padding="0" src="a.png" /></mj-column></mj-section>'
    )

    assert ' width="500"' in mjml2html(f"<mjml><mj-body>{repair(source)}</mj-body></mjml>")


def test_elements_without_end_tag_are_closed_and_the_rest_stays() -> None:
    source = '<mj-text>a<br>b &nbsp; <img src="x"> <!-- note -->\n<b>c</b></mj-text>'

    assert repair(source) == '<mj-text>a<br />b &nbsp; <img src="x" /> <!-- note -->\n<b>c</b></mj-text>'
