"""Items about stories: corrupted contexts, orders, entity states, endings, needles, truth."""
