"""One turn of one account: its mails, its connections, and what becomes of them."""
