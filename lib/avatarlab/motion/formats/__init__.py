"""Readers of motion files, each to a ``Clip`` (a body in AMASS form) or a ``Recording`` (a skeleton of its own)."""
