"""Looking at a deployment from outside: why a handshake fails, and whether an endpoint keeps its promises."""
