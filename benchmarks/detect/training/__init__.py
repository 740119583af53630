"""How the network of `nucleate.detect.network` was trained; not needed to use it."""
