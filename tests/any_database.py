"""The tests to which the database makes no difference: they run on SQLite only, as if marked ``any_database``.

Everything that is not named here also runs on PostgreSQL.
"""

from __future__ import annotations

#: Folder or module below tests/: why another database would show nothing new.
ANY_DATABASE = {
    "acceptance/test_other_mail_server.py": "conversations with a server",
    "acceptance/test_worker_command.py": "signals; the same worker is stopped in acceptance/faults",
    "acceptance/faults/test_invariants.py": "the tests' own check",
    "acceptance/faults/test_mail_servers.py": "what servers do; outcomes are written in the other modules there",
    "integration/transports": "conversations with servers, on accounts that are in no database",
    "integration/admin/test_admin_permissions.py": "Django's permissions",
    "integration/delivery/test_telling.py": "what owners are written",
    "integration/content": "templates are stored and read by Wagtail; compiling them asks no database",
    "integration/sandbox": "not part of the app; its data go through the first mailing on every database",
    "integration/delivery/test_smtp_faults.py": "conversations with servers; outcomes are written in test_sending",
    "integration/delivery/test_backend_transport.py": "conversations with backends",
    "integration/delivery/test_send_test.py": "composes one mail and writes nothing",
    "integration/feedback/test_provider_webhooks.py": "HTTP; what events write is in test_provider_events",
    "integration/feedback/test_opt_out_page.py": "HTTP; the verbs of consent have tests of their own",
    "integration/feedback/test_webhook_checks.py": "URLs and settings",
    "integration/feedback/test_web_copy.py": "HTTP",
    "integration/feedback/test_their_language.py": "HTTP",
    "integration/recipients/test_recipient_types.py": "reads a host's tables by Django's ORM alone",
    "integration/audience/test_choosing_people.py": "forms and filters over a host's tables",
    "integration/accounts/test_secrets_nowhere.py": "what is written into pages and logs",
    "integration/delivery/test_doctor.py": "sentences; what the doctor asks the database is asked by the app, too",
    "integration/delivery/test_foreground.py": "threads and pauses",
    "integration/feedback/test_clicks_and_opens.py": "HTTP; the events have tests of their own",
    "integration/feedback/test_one_click.py": "HTTP; two at once are in test_feedback_races",
    "integration/admin/test_departments.py": "Wagtail's permissions",
    "integration/admin/test_doubts_screen.py": "buttons over the verbs of mailings/test_deciding",
    "integration/admin/test_sending_screen.py": "one page over the doctor's findings",
    "integration/admin/test_standstill.py": "sentences",
    "integration/admin/test_shown_figures.py": "what is shown of figures that have tests of their own",
    "integration/audience/test_hosts_listings.py": "a host's own views",
    "integration/audience/test_adding_from_listings.py": "forms over the verbs of test_list_members",
    "integration/audience/test_list_screens.py": "forms over Wagtail's page views",
    "integration/audience/test_import_screens.py": "forms over the verbs of test_importing",
    "integration/audience/test_transfer_screens.py": "forms over the verbs of test_carrying and of the log",
    "integration/audience/test_list_privacy.py": "Wagtail's permission policies",
    "integration/admin/test_account_screens.py": "one form over one table",
    "integration/admin/test_address_screens.py": "one listing over one table",
    "integration/admin/test_deleting_what_is_used.py": "Django collects what is used, on every database alike",
    "integration/admin/test_outage_sentence.py": "one sentence",
    "integration/admin/test_home_panel.py": "one panel",
    "integration/admin/test_send_screen.py": "what mailings/test_actions and test_counted_people find, on a screen",
    "integration/audience/test_django_admin.py": "a host's own admin",
    "integration/admin/test_campaign_screens.py": "forms and Wagtail's listings",
    "integration/admin/test_preferences_screen.py": "one form",
    "integration/admin/test_segment_screens.py": "forms; what segments ask the database is in audience/test_segments",
    "integration/admin/test_mailing_screens.py": "forms over the verbs of mailings",
    "integration/admin/test_subscriber_screens.py": "one listing over one table",
    "integration/admin/test_mailing_choices.py": "a form's choices",
}


def reason(nodeid: str) -> str:
    """Return why this test needs no other database; empty if it does."""
    path = nodeid.partition("::")[0].removeprefix("tests/")
    return next(
        (why for place, why in ANY_DATABASE.items() if path == place or path.startswith(f"{place}/")), ""
    )
