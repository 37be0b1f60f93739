"""Trust stores: what gateways trust, published where they read it."""
