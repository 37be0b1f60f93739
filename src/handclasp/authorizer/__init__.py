"""The one decision, and its mouths. Nothing here imports anything of ours, nor a cryptography library."""
