"""What outlives a worker, a database, a machine: journals, the sweep, and the guard."""
