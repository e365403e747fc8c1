"""Clips in AMASS form and full-body motion from three trackers."""
