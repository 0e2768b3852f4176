from motet.music import length, mood, signature, tempo
from motet.music.key import Key
from motet.music.meter import Meter
from motet.music.phrase import Vocabulary, Words

TEXT = Words(
    "It starts in C major at 90 bpm. fast ones end in A minor, 3/4, not at 120 bpm, sad but not happy, 8 bars."
)


def test_every_phrase_that_states_a_value_is_told() -> None:
    assert [(found.value, found.negated) for found in tempo.bpm_phrases(TEXT)] == [(90.0, False), (120.0, True)]
    assert [found.value for found in signature.key_phrases(TEXT)] == [Key(0, "major"), Key(9, "minor")]
    assert [found.value for found in signature.meter_phrases(TEXT)] == [Meter(3, 4)]
    assert [found.value for found in tempo.word_phrases(TEXT)] == ["fast"]
    assert [found.value for found in length.bars_phrases(TEXT)] == [8]
    assert [(found.value, found.negated) for found in mood.phrases(TEXT)] == [("sad", False), ("happy", True)]


def test_a_phrase_covers_its_own_words_only() -> None:
    found = next(tempo.bpm_phrases(TEXT))
    assert TEXT.lower[found.first : found.last + 1] == ["90", "bpm"]
    assert TEXT.text[found.start : found.end].startswith("90 bpm")


def test_a_vocabulary_finds_the_longest_phrase_however_it_is_spelled() -> None:
    vocabulary = Vocabulary({"drum": 1, "drum kit": 2, "children's song": 3, "drum kit loop": 4}, plural=True)
    words = Words("Drums, drum-kits, a drumkit, a drum kite, childrens songs, drum, kit")
    assert [found.value for found in vocabulary.find(words)] == [1, 2, 2, 1, 3, 1]
    assert vocabulary.meaning("Drum Kits") == 2
    assert vocabulary.meaning("drumsticks") is None
    assert [found.value for found in vocabulary.find(words, skip={0, 1})] == [2, 1, 3, 1]
