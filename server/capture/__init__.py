"""Frames in: sources, and the capture loop that owns each of them."""
