"""What `handclasp verify` says about gateways that are right, and about each that is wrong in its own way."""
