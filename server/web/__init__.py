"""How users get in: HTTP paths and Socket.IO events."""
