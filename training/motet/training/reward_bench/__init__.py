"""How often each reward prefers what it should, in two columns: alignment with the caption, and musicality."""
