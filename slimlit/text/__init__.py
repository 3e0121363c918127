"""Text without torch: bundled texts and models, stop words, tokenizers."""
