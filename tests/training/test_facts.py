from __future__ import annotations

import numpy as np

from motet.music.attributes import Attributes
from motet.music.key import Key
from motet.music.meter import Meter
from motet.training.facts import Facts


def test_facts_tell_which_captions_are_true_of_which_windows():
    windows = Facts(
        [Attributes(tempo_bpm=120, key=Key(0, "major"), instruments=(0, 40), drums=True, meter=Meter(4, 4))]
    )
    said = [
        Attributes(),
        Attributes(instruments=(40,)),
        Attributes(instruments=(41,)),
        Attributes(tempo_bpm=122),
        Attributes(tempo_bpm=60),
        Attributes(tempo_word="allegro"),
        Attributes(tempo_word="slow"),
        Attributes(key=Key(9, "minor")),
        Attributes(drums=False),
        Attributes(meter=Meter(4, 4), drums=True),
        Attributes(genres=("jazz",)),
    ]
    true = Facts(said).true_of(windows, np.array([0]), np.arange(len(said)))
    assert true[0].tolist() == [True, True, False, True, False, True, False, False, False, True, False]
