"""Corpus, supervised training, evaluation of models and rewards."""
