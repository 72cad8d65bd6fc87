"""More than one process: cameras and viewers on different nodes, connected by Redis."""
