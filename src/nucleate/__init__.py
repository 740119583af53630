"""Watch coherence crystallise while a language model trains."""
