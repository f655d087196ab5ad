"""From a template to a mail that is ready to be personalised. Preview, test and real sending all go this way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.utils import translation
from django.utils.translation import gettext as _

from massmail_plugin import preferences
from massmail_plugin.content import language, plaintext
from massmail_plugin.content.blocks.raw import RawMjmlBlock, protected_source
from massmail_plugin.content.body import Footer, document
from massmail_plugin.content.compiled import CompiledContent
from massmail_plugin.content.fields import all_fields, placed_blocks
from massmail_plugin.content.finish import Finisher
from massmail_plugin.content.mjml.check import Checker
from massmail_plugin.content.mjml.compile import to_html
from massmail_plugin.content.mjml.repair import repair
from massmail_plugin.content.placeholders import Placeholders
from massmail_plugin.content.problems import ContentError, Problem
from massmail_plugin.content.syntax import check_field

if TYPE_CHECKING:
    from massmail_plugin.content.models import EmailTemplate

#: Characters of MJML that are compiled at most.
MAX_SOURCE = 1_000_000


@dataclass(frozen=True, slots=True)
class CompileOptions:
    """What a mailing adds to its template."""

    #: Append an opt-out link to a part (HTML, text) that has no ``{{ unsubscribe_url }}``, and beside it one to the
    #: preference page.
    opt_out_link: bool = True
    track_clicks: bool = False
    track_opens: bool = False
    #: The sender's postal address, put at the end.
    postal_address: str = ""
    #: Makes relative links and images absolute, for example "https://crm.example.com".
    base_url: str = ""

    @classmethod
    def of_this_site(cls, *, counting: bool = True) -> CompileOptions:
        """Return how mails are compiled here, for preview (nothing is counted), test and real sending alike."""
        chosen = preferences.load()
        return cls(
            opt_out_link=chosen.mandatory_opt_out_link,
            track_clicks=counting and chosen.track_clicks,
            track_opens=counting and chosen.track_opens,
            postal_address=chosen.postal_address,
            base_url=chosen.base_url,
        )


def compile_template(template: EmailTemplate, options: CompileOptions) -> CompiledContent:
    """Return the compiled mail. Raises :class:`ContentError` with every problem found."""
    problems = [problem for field in all_fields(template) for problem in check_field(field)]
    problems += [problem for placed in placed_blocks(template.body) for problem in _raw_problems(placed)]
    if problems:
        raise ContentError(problems)
    with translation.override(_language(template)):
        return _compile(template, options)


def compile_block(block: Any, value: Any) -> str:
    """Return the HTML of one block with an example value, for the block picker."""
    placeholders = Placeholders()
    source = document([block.bind(value)], placeholders, language="en", title="", footer=Footer())
    return placeholders.unprotect(to_html(source))


def _compile(template: EmailTemplate, options: CompileOptions) -> CompiledContent:
    placeholders = Placeholders()
    finisher = Finisher(placeholders, options.base_url)
    markup = finisher.repair_tags(_html(template, options, placeholders))
    text = _text(template, options, placeholders, markup)
    if options.track_clicks:
        markup = finisher.track_links(markup)
    markup = finisher.add_preheader(markup, template.preheader)
    if options.track_opens:
        markup = finisher.add_pixel(markup)
    subject, html, text = template.subject, placeholders.restore(markup), placeholders.restore(text)
    return CompiledContent(subject, html, text, tuple(finisher.links), _tracking_slugs(subject, html, text))


def _html(template: EmailTemplate, options: CompileOptions, placeholders: Placeholders) -> str:
    """Return the mail's HTML with tokens for placeholders. The footer depends on what the blocks contain."""
    source = _document(template, placeholders, Footer())
    footer = _footer(source, options, placeholders)
    if footer != Footer():
        source = _document(template, placeholders, footer)
    if len(source) > MAX_SOURCE:
        raise ContentError([Problem(_("Body"), _("The mail is too long. Shorten it."))])
    try:
        return to_html(source)
    except ValueError as error:
        raise ContentError(_culprits(template, str(error))) from error


def _document(template: EmailTemplate, placeholders: Placeholders, footer: Footer) -> str:
    return document(
        template.body, placeholders, language=_language(template), title=template.subject, footer=footer
    )


def _footer(source: str, options: CompileOptions, placeholders: Placeholders) -> Footer:
    has_link = placeholders.mentions(source, "unsubscribe_url")
    needs_link = options.opt_out_link and not has_link
    # Beside the opt-out link: some only want less. An editor who places the one places the other, or does not want it.
    needs_choice = needs_link and not placeholders.mentions(source, "preferences_url")
    return Footer(
        postal_address=options.postal_address,
        opt_out_url=placeholders.add("{{ unsubscribe_url }}") if needs_link else "",
        preferences_url=placeholders.add("{{ preferences_url }}") if needs_choice else "",
    )


def _text(template: EmailTemplate, options: CompileOptions, placeholders: Placeholders, markup: str) -> str:
    if not template.text.strip():
        return plaintext.from_html(markup)
    text = placeholders.protect(template.text.replace("\r\n", "\n").replace("\r", "\n")).rstrip() + "\n"
    footer = _footer(text, options, placeholders)
    if footer.postal_address and footer.postal_address not in text:
        text += f"\n{footer.postal_address.strip()}\n"
    if footer.opt_out_url:
        text += "\n{label}: {url}\n".format(label=_("Unsubscribe"), url=footer.opt_out_url)
    if footer.preferences_url:
        text += "{label}: {url}\n".format(label=_("Choose which mails you get"), url=footer.preferences_url)
    return text


def _raw_problems(placed: Any) -> list[Problem]:
    if not isinstance(placed.block, RawMjmlBlock):
        return []
    placeholders = Placeholders()
    return Checker(placed.where, protected_source(placed.value, placeholders), placeholders).check()


def _culprits(template: EmailTemplate, message: str) -> list[Problem]:
    """Return the blocks that do not compile alone; mrml itself says no more than that something is wrong."""
    problems = []
    for placed in placed_blocks(template.body):
        if isinstance(placed.block, RawMjmlBlock):
            source = repair(protected_source(placed.value, Placeholders()))
            try:
                to_html(f"<mjml><mj-body>{source}</mj-body></mjml>")
            except ValueError as error:
                problems.append(
                    Problem(placed.where, _("MJML cannot read this: {reason}.").format(reason=error))
                )
    return problems or [Problem(_("Body"), _("MJML cannot read this: {reason}.").format(reason=message))]


def _tracking_slugs(*sources: str) -> tuple[str, ...]:
    slugs: dict[str, None] = {}
    for source in sources:
        for variable in language.inspect(language.parse(source, escape=False)).variables:
            if variable.parts[0] == "tracking" and len(variable.parts) > 1:
                slugs[variable.parts[1]] = None
    return tuple(slugs)


def _language(template: EmailTemplate) -> str:
    return template.locale.language_code if template.locale_id else translation.get_language() or "en"
