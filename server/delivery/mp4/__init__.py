"""Puts video into MP4, without a decoder: units in, bytes out."""
