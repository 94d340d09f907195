"""What a translation is worth and what the model looked at: scores, word alignment, pictures, tables."""
