"""The report: how far off the tapes are on people whose tapes are known, beside what simpler means would say."""
