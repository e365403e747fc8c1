"""The settings of SAGE's paper on AMASS, which the user has: `python -m avatarlab.motion.paper`."""
