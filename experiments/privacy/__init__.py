"""What privacy costs: in time and memory, and in accuracy."""
