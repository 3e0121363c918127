"""Our scores beside those of tools that others made and trust."""
