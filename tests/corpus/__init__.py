"""Models that others ship in packages, and what reading them must give. Run by hand: `python -m tests.corpus`."""
