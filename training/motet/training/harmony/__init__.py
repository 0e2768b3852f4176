"""The harmonic reward: what it learns from, and how well it tells human music from music gone wrong."""
