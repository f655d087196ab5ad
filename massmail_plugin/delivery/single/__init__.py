"""One mail or none, outside the ledger: tests of accounts, and the mails of sign-ups."""
