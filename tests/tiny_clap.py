"""Random CLAP checkpoints of the true layout, small enough to build in a test."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel
from tokenizers.trainers import BpeTrainer
from transformers import ClapConfig, ClapFeatureExtractor, ClapModel, RobertaConfig, RobertaModel, RobertaTokenizer

from motet.rewards import laion_clap

CAPTIONS = (
    "a calm flute piece in C minor",
    "a fast rock song with drums and electric guitar at 140 BPM",
    "slow piano music, sad and dark",
    "an upbeat jazz trio with a walking bass",
)
SPECIAL = ("<s>", "<pad>", "</s>", "<unk>", "<mask>")  # RoBERTa's, in its order but for the mask


def save_tokenizer(folder: Path, captions: Sequence[str] = CAPTIONS) -> int:
    """Writes vocab.json and merges.txt of a byte-level BPE of RoBERTa's kind: how many tokens it has."""
    made = Tokenizer(BPE())
    made.pre_tokenizer = ByteLevel(add_prefix_space=False)
    trainer = BpeTrainer(
        vocab_size=400, special_tokens=list(SPECIAL), initial_alphabet=ByteLevel.alphabet(), show_progress=False
    )
    made.train_from_iterator(captions, trainer)
    folder.mkdir(parents=True, exist_ok=True)
    made.model.save(str(folder))
    words = RobertaTokenizer.from_pretrained(folder, local_files_only=True)
    words.save_pretrained(folder)
    return len(words)


def clap_folder(folder: Path, *, seed: int = 0, enable_fusion: bool = False) -> Path:
    """A ClapModel folder with all the files of laion/larger_clap_music_and_speech, of a hundred thousand weights."""
    words = save_tokenizer(folder)
    config = ClapConfig(
        text_config={
            "vocab_size": words,
            "hidden_size": 32,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "intermediate_size": 48,
        },
        audio_config={
            "patch_embeds_hidden_size": 16,
            "depths": [1, 1, 1, 1],
            "num_attention_heads": [2, 2, 2, 2],
            "hidden_size": 128,
            "enable_fusion": enable_fusion,
        },
        projection_dim=24,
    )
    torch.manual_seed(seed)
    model = ClapModel(config)
    with torch.no_grad():  # as they start, towers this small give all sounds one embedding
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.1)
    model.save_pretrained(folder)
    ClapFeatureExtractor(truncation="fusion" if enable_fusion else "rand_trunc").save_pretrained(folder)
    return folder


def laion_file(folder: Path, *, seed: int = 0) -> Path:
    """A checkpoint of laion_clap's layout, HTSAT-tiny with a RoBERTa of one layer, and the folder of its words."""
    package: Any = laion_clap.import_package()
    words = folder / laion_clap.TOKENIZER
    config = RobertaConfig(
        vocab_size=save_tokenizer(words),
        num_hidden_layers=1,  # the package fixes the width at 768
        intermediate_size=64,
        max_position_embeddings=90,
        type_vocab_size=1,
    )
    config.save_pretrained(words)
    sizes = dict(package.factory._MODEL_CONFIGS["HTSAT-tiny"])
    torch.manual_seed(seed)
    text = RobertaModel(config)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(package.model.RobertaModel, "from_pretrained", lambda name: text)
        model = package.model.CLAP(**{**sizes, "text_cfg": {**sizes["text_cfg"], "model_type": "roberta"}})
    state = {f"module.{name}": value for name, value in model.state_dict().items()}
    state["module.text_branch.embeddings.position_ids"] = torch.arange(90)[None]  # as the library of then saved it
    file = folder / "music_audioset_epoch_15_esc_90.14.pt"
    torch.save({"epoch": 15, "name": "tiny", "state_dict": state}, file)
    return file
