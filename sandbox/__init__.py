"""A complete small CRM and helpdesk that mails its people with massmail_plugin."""
