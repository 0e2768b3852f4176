"""The search: a tree of partial pieces, strategies that grow it, captions that seed it."""
