"""When the work is done, by whom, and who is alive."""
