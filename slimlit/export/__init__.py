"""Take a network to files that other people's software loads, and measure there that they say the same."""
