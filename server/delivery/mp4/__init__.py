"""Muxes video units into MP4, without decoding."""
