"""Loads an imported Text2midi checkpoint."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer

from motet.model.text2midi.config import Text2midiConfig
from motet.model.text2midi.importer import WEIGHTS_OUT, split
from motet.model.text2midi.network import Text2midi
from motet.model.text2midi.text import FILE as TEXT_TOKENIZER
from motet.model.text2midi.text import CaptionEncoder, encoder_of
from motet.model.text2midi.vocabulary import Vocabulary
from motet.music.error import InvalidInputError, NotFoundError


def load(folder: Path) -> tuple[Text2midi, Vocabulary, CaptionEncoder]:
    """The parts of a checkpoint folder, in float32 and evaluation mode.

    Raises NotFoundError when a file is missing and InvalidInputError when the parts do not fit each other.
    """
    for name in (WEIGHTS_OUT, TEXT_TOKENIZER):
        if not (folder / name).is_file():
            raise NotFoundError("MODEL_NOT_FOUND", f"model: no file {folder / name}", {"path": str(folder)})
    config, vocabulary = Text2midiConfig.load(folder), Vocabulary.load(folder)
    if config.vocab_size != len(vocabulary):
        raise InvalidInputError.of(
            "model", f"vocab_size must equal the tokenizer's {len(vocabulary)}", config.vocab_size
        )
    with torch.device("meta"):
        network = Text2midi(config)
    encoder = encoder_of(config.encoder)
    decoder_weights, encoder_weights = split(load_file(folder / WEIGHTS_OUT))
    try:
        network.load_state_dict(decoder_weights, assign=True)
        encoder.load_state_dict(encoder_weights, assign=True)
    except RuntimeError as error:  # tells every name that is missing, unknown or of another shape
        raise InvalidInputError.of("model", "the tensors must have the sizes of config.json", str(folder)) from error
    network.train(False).requires_grad_(False)
    return network, vocabulary, CaptionEncoder(encoder, Tokenizer.from_file(str(folder / TEXT_TOKENIZER)))
