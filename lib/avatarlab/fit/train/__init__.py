"""What the posterior is learned from and how: fits of people whose tapes are known."""
