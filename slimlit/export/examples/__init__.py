"""What travels with an export: programs that run it without slimlit, and the code of a network that is not stock."""
