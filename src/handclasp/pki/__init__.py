"""X.509, pure: no files, no network, no environment, no clock. Time is passed in."""
