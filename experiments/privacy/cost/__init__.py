"""A private training step beside the same step without privacy: time, memory, and the peers."""
