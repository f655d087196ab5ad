"""How fast it is, as ratios measured in one go: ``make bench``. What is measured and why: docs/performance.md."""
