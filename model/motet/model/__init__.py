"""Tokenizer, transformer, cached batched decoder, checkpoints and the default weights."""
