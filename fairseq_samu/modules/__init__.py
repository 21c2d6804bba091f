"""Neural building blocks made from plain numbers, never from a config."""
