"""Accuracy against epsilon: small students trained in private, with distillation and without."""
