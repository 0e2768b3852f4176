"""The Motet server: gRPC in front, one engine thread per kind of work behind."""
