"""Translate image captions from English to German: a teacher trained from nothing, and students of half its size."""
