"""What privacy costs, in accuracy and in seconds."""
