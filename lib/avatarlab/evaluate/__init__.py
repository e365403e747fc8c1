"""Scores per case to means, intervals, flat metrics, tables and targets, the same for every vertical."""
