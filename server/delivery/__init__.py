"""Frames out: encode once, send to every viewer with credit."""
