"""The live page: runs as they are now, on loopback, read-only, without any network."""
