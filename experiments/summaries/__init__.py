"""Summaries of papers in a sentence: a chat model fine-tuned on them, and students of half its layers."""
