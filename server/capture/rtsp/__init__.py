"""RTSP cameras that send H.264 or H.265 interleaved in the connection; FFmpeg reads the others."""
