"""Registers what the rooms offer to Wagtail's admin; holds nothing else."""

from wagtail import hooks

from massmail_plugin.mailings import log_actions

hooks.register("register_log_actions", log_actions.register)
