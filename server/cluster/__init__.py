"""Past one process: cameras and viewers on different nodes, with Redis between them."""
