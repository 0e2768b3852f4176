"""Text2midi (arXiv 2412.16526): its published checkpoint, imported and run in our own decoder."""
