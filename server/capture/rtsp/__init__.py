"""Cameras over RTSP that send H.264 or H.265 in the connection itself; FFmpeg reads the others."""
