"""Frames out: encode once, and send to whoever has credit."""
