"""Rotation: of client certificates, of the intermediate and of the root, on the evidence of the gateways."""
