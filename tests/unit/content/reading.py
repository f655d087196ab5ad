"""Reading produced HTML as a mail program would."""

from __future__ import annotations

from lxml import html as parser


def document(markup: str) -> parser.HtmlElement:
    return parser.document_fromstring(markup.encode(), parser=parser.HTMLParser(encoding="utf-8"))


def links(markup: str) -> list[str]:
    """Return the destinations of all links, as a mail program follows them."""
    return [link.get("href") for link in document(markup).iter("a") if link.get("href") is not None]


def readable(markup: str) -> str:
    """Return the text of the body, without the hidden preview line."""
    body = document(markup).body
    for hidden in body.xpath("./div[contains(@style, 'display:none')]"):
        hidden.drop_tree()
    return " ".join(body.text_content().split())
