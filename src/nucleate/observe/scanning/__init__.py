"""The parts of a scan: what to ask, one engine for all checkpoints, what is done, process pools."""
