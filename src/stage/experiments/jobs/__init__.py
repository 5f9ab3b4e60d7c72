"""Training runs over systems and seeds, side by side in processes."""
