"""Distilling a tagger: how much of its F1 a student of half the layers keeps, and which loss keeps it."""
