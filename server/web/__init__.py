"""Users in: HTTP paths and Socket.IO events."""
