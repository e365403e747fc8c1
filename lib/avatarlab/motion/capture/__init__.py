"""Recordings of a real headset and two controllers: reading, resampling, calibration, simulation."""
