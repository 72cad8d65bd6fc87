"""Delivers frames: encodes each once, and sends it to every viewer with credit."""
