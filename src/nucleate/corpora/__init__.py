"""Where tokens and probe items come from: the story world, text, tokenizers, packing."""
