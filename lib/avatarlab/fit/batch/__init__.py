"""Many people at once: a folder with people.csv, resumable, on this machine or a cluster."""
