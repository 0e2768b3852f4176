"""A package of its own: some installed packages bring a folder of this name."""
