"""Where motion to learn from comes from: recordings read, retargeted, cleaned, kept as one library."""
