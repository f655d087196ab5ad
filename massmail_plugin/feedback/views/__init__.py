"""Everything public. Nobody is logged in here: what a visitor may do stands in the token of the link."""

from massmail_plugin.feedback.provider_webhooks import provider_webhook
from massmail_plugin.feedback.views.opt_out import one_click, opt_out
from massmail_plugin.feedback.views.preferences import preferences
from massmail_plugin.feedback.views.sign_up import confirm_sign_up, sign_up, sign_up_sent
from massmail_plugin.feedback.views.tracking import click, open_pixel
from massmail_plugin.feedback.views.web_copy import view_in_browser

__all__ = [
    "click",
    "confirm_sign_up",
    "one_click",
    "open_pixel",
    "opt_out",
    "preferences",
    "provider_webhook",
    "sign_up",
    "sign_up_sent",
    "view_in_browser",
]
