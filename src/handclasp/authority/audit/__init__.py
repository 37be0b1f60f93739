"""The audit trail: signed checkpoints, and the whole of it verified."""
