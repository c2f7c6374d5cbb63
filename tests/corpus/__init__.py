"""Models of others, and what reading them must give. Run by hand: `python -m tests.corpus`."""
