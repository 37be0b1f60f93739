"""The gateway: registry + trust store + settings -> what to allow, kill and say. One folder per proxy."""
