"""What Handclasp costs, measured: each file is one question, answered beside a peer in the same run.

Nothing here asserts a time. Where instructions are counted, the counter says its name (see `instructions`).
"""
