"""Mutated captions from a causal language model in a local folder."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch

from motet.music.caption import Caption
from motet.music.error import UnavailableError
from motet.search import answer
from motet.search.mutation import Settled

TEMPERATURE: Final = 0.8
TOP_P: Final = 0.95
MOST_TOKENS: Final = 160
_ATTEMPTS: Final = 2


class LanguageModel:
    """Rewrites captions with a ``transformers`` model; the same weights, caption and seed give the same wordings.

    Args:
        model: causal, in evaluation mode, on the CPU.
        tokenizer: its own.
        most_tokens: of an answer.
    """

    def __init__(self, model: Any, tokenizer: Any, *, most_tokens: int = MOST_TOKENS) -> None:
        self._model = model
        self._most_tokens = most_tokens
        self._tokenizer = tokenizer
        self._lock = threading.Lock()

    @classmethod
    def load(cls, folder: Path, *, most_tokens: int = MOST_TOKENS) -> LanguageModel:
        """The model in a folder: config.json, a tokenizer, weights as safetensors. Nothing is fetched or unpickled.

        Raises UnavailableError that says what is missing.
        """
        if not (folder / "config.json").is_file():
            raise _failed(folder, "there is no config.json")
        if not any(folder.glob("*.safetensors")):
            raise _failed(folder, "there are no weights as safetensors; pickled ones are not read")
        from transformers import AutoModelForCausalLM, AutoTokenizer

        try:
            options: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
            tokenizer = AutoTokenizer.from_pretrained(folder, **options)
            model = AutoModelForCausalLM.from_pretrained(folder, use_safetensors=True, dtype=torch.float32, **options)
        except Exception as error:  # transformers raises anything for a broken folder
            raise _failed(folder, (str(error).splitlines() or [type(error).__name__])[0]) from error
        model.eval()  # type: ignore[no-untyped-call]
        return cls(model, tokenizer, most_tokens=most_tokens)

    def propose(self, caption: Caption, count: int, *, seed: int, settled: Settled) -> Iterator[str]:
        """See ``motet.search.mutation.Source``; the first line of each answer."""
        prompt = self._prompt(caption.text)
        for attempt in range(_ATTEMPTS * count):
            lines = answer.cleaned(self._write(prompt, [seed, 2, attempt]))
            yield from lines[:1]

    def _prompt(self, text: str) -> list[int]:
        asked = f"{answer.INSTRUCTION} Answer with the rewritten description only, on one line."
        if self._tokenizer.chat_template:
            turns = [{"role": "user", "content": f"{asked}\n\n{text}"}]
            told = self._tokenizer.apply_chat_template(turns, add_generation_prompt=True, tokenize=False)
            ids = self._tokenizer(told, add_special_tokens=False)["input_ids"]
        else:
            ids = self._tokenizer(f"{asked}\n\nDescription: {text}\nRewritten: ")["input_ids"]
        room = getattr(self._model.config, "max_position_embeddings", None) or 2048
        return list(ids)[-max(room - self._most_tokens, 1) :]

    def _write(self, prompt: list[int], seed: list[int]) -> str:
        """Samples up to the end of a line that is not blank, token by token, with random numbers of its own."""
        random = np.random.default_rng(seed)
        room = getattr(self._model.config, "max_position_embeddings", None) or 2048
        ends = self._model.generation_config.eos_token_id
        stops = {*(ends if isinstance(ends, list) else [ends]), self._tokenizer.eos_token_id}
        written: list[int] = []
        past: Any = None
        step = torch.tensor([prompt])
        with self._lock, torch.inference_mode():
            for _ in range(min(self._most_tokens, room - len(prompt))):
                out = self._model(input_ids=step, past_key_values=past, use_cache=True)
                past = out.past_key_values
                token = _sample(out.logits[0, -1].double().numpy(), random)
                if token in stops:
                    break
                written.append(token)
                if "\n" in str(self._tokenizer.decode(written)).lstrip():
                    break
                step = torch.tensor([[token]])
        return str(self._tokenizer.decode(written, skip_special_tokens=True))


def _sample(logits: np.ndarray[Any, np.dtype[np.float64]], random: np.random.Generator) -> int:
    """A token of the nucleus, by its probability."""
    scaled = np.nan_to_num((logits - logits.max()) / TEMPERATURE, nan=-1e9)
    shares = np.exp(scaled)
    shares /= shares.sum()
    order = np.argsort(-shares, kind="stable")
    kept = order[: int(np.searchsorted(np.cumsum(shares[order]), TOP_P)) + 1]
    return int(random.choice(kept, p=shares[kept] / shares[kept].sum()))


def _failed(folder: Path, why: str) -> UnavailableError:
    message = f"mutator: lm:{folder} cannot be loaded: {why}"
    return UnavailableError("MUTATOR_UNAVAILABLE", message, {"field": "mutator", "mutator": f"lm:{folder}"})
