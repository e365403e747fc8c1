"""The estimator: from observations and a stature to the most probable body and its certainty."""
