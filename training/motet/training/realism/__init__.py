"""How close the samples of a model are to human music of the same captions."""
