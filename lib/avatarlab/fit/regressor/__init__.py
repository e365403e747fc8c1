"""The learned first guess: what the network sees, what it says, and how it is trained on made-up people."""
