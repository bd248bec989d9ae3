"""What the answers of platforms mean: by their status, by conditions of a platform, and for each row by itself."""
