"""Scores over strings and arrays; nothing here knows a model."""
