"""Feed Readings into a run while a model trains, without changing it."""
