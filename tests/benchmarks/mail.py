"""The mail that is sent: a newsletter of 28 kB HTML and 3 kB text with ten stories, for both contestants the same."""

from __future__ import annotations

SUBJECT = "%(first_name)s, ten stories for your spring"

_STORY = """<table role="presentation" width="600" cellpadding="0" cellspacing="0" style="margin:0 auto">
  <tr><td style="padding:16px 24px 4px;font:bold 20px/26px Arial,Helvetica,sans-serif;color:#1d2b3a">
    Story {number}: what a good harvest has to do with your garden – and with the café next door
  </td></tr>
  <tr><td><img src="https://www.example.com/static/story-{number}.jpg" width="552" height="230" alt="Story {number}"
    style="display:block;border:0;padding:0 24px"></td></tr>
{paragraphs}
  <tr><td style="padding:8px 24px 24px">
    <a href="{link}" style="font:bold 14px/20px Arial,Helvetica,sans-serif;color:#0b5cab">Read the whole story</a>
  </td></tr>
</table>
"""
_PARAGRAPH = (
    '  <tr><td style="padding:4px 24px;font:14px/21px Arial,Helvetica,sans-serif;color:#333">'
    "The soil remembers: whoever waters in the morning needs less – until October.</td></tr>\n"
)
_TEXT_STORY = """Story {number}
The soil remembers: whoever waters in the morning needs less of it. The beds thank for it until October, and the
neighbours in September. Ten minutes of reading, two of laughing, and a recipe for the evening at the end.
{link}

"""


def html(values: dict[str, str], links: list[str]) -> str:
    """Return the HTML with these texts at the places where mails differ: values of people, or placeholders."""
    stories = "".join(
        _STORY.format(number=number, link=link, paragraphs=_PARAGRAPH * 12)
        for number, link in enumerate(links, 1)
    )
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>Ten stories</title></head>\n'
        '<body style="margin:0;background:#f4f4f4">\n'
        f"<p>Dear {values['first_name']} {values['last_name']},</p>\n{stories}"
        f'<p><a href="{values["view_url"]}">Read this in the browser</a> – '
        f'<a href="{values["unsubscribe_url"]}">No more mails</a></p>\n</body></html>\n'
    )


def text(values: dict[str, str], links: list[str]) -> str:
    stories = "".join(_TEXT_STORY.format(number=number, link=link) for number, link in enumerate(links, 1))
    return f"Dear {values['first_name']},\n\n{stories}No more mails: {values['unsubscribe_url']}\n"


def destinations() -> list[str]:
    return [f"https://www.example.com/stories/2026/spring/{number}" for number in range(1, 11)]
