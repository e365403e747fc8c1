"""Training and published weights, the same for every network of the lab."""
