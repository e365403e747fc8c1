"""A transformer in the manner of AvatarPoser (ECCV 2022), written from its published facts: the baseline to beat."""
