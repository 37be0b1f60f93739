"""What ends and what went wrong: found, judged by thresholds, and told once."""
