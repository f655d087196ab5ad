"""Mass mailing to the contacts of an existing CRM or helpdesk, inside the Wagtail admin."""
