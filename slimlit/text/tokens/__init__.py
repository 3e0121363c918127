"""Tokens without torch: tokenizers trained, texts encoded fast, token shards written, read and packed."""
