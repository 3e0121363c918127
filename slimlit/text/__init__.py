"""Text without torch: cleaned, prepared, fetched, turned into tokens and scored."""
