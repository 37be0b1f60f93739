"""The use cases: plain functions over ports, one file each. A certificate leaves only after its row is durable."""
