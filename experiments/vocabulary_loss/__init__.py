"""What a loss over the whole vocabulary costs, beside the naive one and other libraries'."""
