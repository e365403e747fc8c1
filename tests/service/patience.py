"""How much room tests leave in which time is the subject, and how long they wait for what must come."""

SLOWER = 5
"""Bounds hold on a machine so many times slower than the one on which they were found, or as busy."""
