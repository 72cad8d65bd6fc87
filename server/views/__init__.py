"""Saved views: what a page shows, kept under a name for one person or for everybody."""
