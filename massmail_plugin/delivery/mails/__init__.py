"""From a row of the ledger to a mail."""
