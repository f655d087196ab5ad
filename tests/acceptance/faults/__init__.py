"""What must hold when processes, servers and disks fail: docs/faults.md lists the faults by number."""
