"""Moods: canonical names, the words for them, and how a mood may be inferred from music."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass
from typing import Final

from motet.music.key import Mode
from motet.music.phrase import Found, Vocabulary, Words

Range = tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mood:
    """A mood and the evidence for it in a score.

    The evidence is a rule of thumb after the valence and arousal findings that Gabrielsson and Lindstrom collect
    (Handbook of Music and Emotion, 2010, chapter 14): mode, tempo and note density, register for darkness.
    A mood without evidence is never inferred.

    Args:
        words: other words for it in a caption.
        mode: the mode of the key that it needs.
        bpm: quarter notes a minute, from (included) to (excluded).
        density: note onsets a second (chords count once), from (included) to (excluded).
        pitch: mean MIDI pitch of the pitched notes by sounding time, from (included) to (excluded).
    """

    words: tuple[str, ...] = ()
    mode: Mode | None = None
    bpm: Range | None = None
    density: Range | None = None
    pitch: Range | None = None

    @property
    def inferable(self) -> bool:
        """Whether there is any evidence to infer it from."""
        return any(rule is not None for rule in (self.mode, self.bpm, self.density, self.pitch))

    def fits(self, *, mode: Mode | None, bpm: float, density: float, pitch: float) -> bool:
        """Whether a score with these measurements gives all the evidence."""
        if not self.inferable or (self.mode is not None and mode != self.mode):
            return False
        measured = ((self.bpm, bpm), (self.density, density), (self.pitch, pitch))
        return all(bounds is None or bounds[0] <= value < bounds[1] for bounds, value in measured)


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split("|"))


_ANY = float("inf")

MOODS: Final[dict[str, Mood]] = {
    "happy": Mood(
        words=_words(
            "happiness|joyful|joy|cheerful|cheery|merry|joyous|jolly|upbeat|sunny|delightful|gleeful|bright|happily|fun"
            "|positive|positivity|carefree|lighthearted|light hearted|jovial|feel good|optimistic|jubilant|glad"
        ),
        mode="major",
        bpm=(110, _ANY),
        density=(2.5, _ANY),
    ),
    "sad": Mood(
        words=_words(
            "sadness|sorrowful|sorrow|mournful|tearful|heartbroken|unhappy|grieving|grief|tragic|lament|gloomy"
        ),
        mode="minor",
        bpm=(0, 85),
        density=(0, 4.5),
    ),
    "melancholic": Mood(
        words=_words("melancholy|wistful|bittersweet|longing|somber|sombre|yearning|pensive|blue"),
        mode="minor",
        bpm=(60, 105),
        density=(0, 5.5),
    ),
    "calm": Mood(
        words=_words(
            "relaxing|relaxed|relaxation|peaceful|peace|serene|serenity|tranquil|tranquility|soothing|gentle|mellow"
            "|calming|quiet|soft|restful|easygoing|laid back|chill|sleepy|placid|comforting|unwinding|gently|softly"
        ),
        bpm=(0, 96),
        density=(0, 4),
    ),
    "meditative": Mood(
        words=_words(
            "meditation|contemplative|contemplation|reflective|introspective|zen|hypnotic|mindful|trance like"
        ),
        bpm=(0, 80),
        density=(0, 2),
    ),
    "dreamy": Mood(
        words=_words("dreamlike|dream like|ethereal|dream|dreams|hazy|otherworldly|magical|enchanting|floating")
    ),
    "spacey": Mood(words=_words("space|spacious|spaciousness|cosmic|futuristic|sci fi|galactic|celestial")),
    "energetic": Mood(
        words=_words(
            "energy|lively|vibrant|dynamic|exciting|excitement|vigorous|spirited|driving|high energy|pulsating"
            "|thrilling|powerful|energizing|pumping|bouncy|frantic|restless|rousing"
        ),
        bpm=(125, _ANY),
        density=(5.5, _ANY),
    ),
    "dark": Mood(
        words=_words("darkness|darker|sinister|ominous|brooding|gothic|bleak|dark toned|menacing|evil|shadowy"),
        mode="minor",
        pitch=(0, 54),
    ),
    "epic": Mood(
        words=_words("heroic|grand|majestic|grandeur|triumphant|monumental|victorious|anthemic|noble|powerful epic")
    ),
    "dramatic": Mood(words=_words("drama|theatrical|intense|intensity|passionate|stormy|turbulent")),
    "tense": Mood(words=_words("tension|suspenseful|suspense|anxious|nervous|uneasy|thriller|dissonant")),
    "scary": Mood(words=_words("eerie|spooky|creepy|horror|haunting|haunted|frightening|terrifying|macabre")),
    "mysterious": Mood(words=_words("mystery|enigmatic|mystic|mystical|intriguing|secretive|arcane")),
    "aggressive": Mood(words=_words("angry|anger|fierce|furious|violent|brutal|heavy|gritty|raw")),
    "romantic": Mood(
        words=_words("romance|love|loving|tender|affectionate|tenderness|heartfelt|intimate|lovely|love song")
    ),
    "emotional": Mood(
        words=_words("emotion|emotions|emotive|expressive|moving|touching|poignant|heartwarming|sentimental")
    ),
    "uplifting": Mood(words=_words("inspiring|inspirational|hopeful|hope|inspiration|encouraging|upliftingly")),
    "motivational": Mood(words=_words("motivating|motivation|motivate|ambitious")),
    "cinematic": Mood(words=_words("filmic|film like|movie like|film|trailer|cinema|films")),
    "festive": Mood(
        words=_words(
            "christmas|holiday|celebratory|celebration|christmassy|party|holiday season|carnival|xmas|merriment"
        )
    ),
    "playful": Mood(words=_words("whimsical|quirky|humorous|funny|comical|mischievous|silly|childlike|cute")),
    "nostalgic": Mood(words=_words("nostalgia|retro|vintage|old fashioned|reminiscent|old school|wistfulness")),
    "solemn": Mood(words=_words("reverent|stately|dignified|serious|funereal|devotional|prayerful|grave mood")),
    "elegant": Mood(words=_words("graceful|refined|sophisticated|classy|delicate|noblesse")),
    "groovy": Mood(words=_words("groove|grooving|danceable|infectious groove|rhythmic|syncopated")),
    "adventurous": Mood(words=_words("adventure|action|action packed|quest|heroism|exploration|chase")),
    "warm": Mood(words=_words("warmth|cozy|cosy|inviting|homely")),
    "melodic": Mood(words=_words("melodious|tuneful|lyrical|cantabile|singable")),
    "corporate": Mood(words=_words("advertising|commercial|business|background music|promotional")),
    "sensual": Mood(words=_words("smooth|cool|suave|stylish|sexy|sultry|seductive")),
    "ironic": Mood(words=_words("sarcastic|satirical|grotesque|parodic")),
}
"""Canonical mood names; of those with evidence, ``describe`` names every one that fits."""

_VOCABULARY: Final[Vocabulary[str]] = Vocabulary(
    {word: name for name, mood in MOODS.items() for word in (*mood.words, name)}
)


def canonical(name: str) -> str | None:
    """The canonical mood of a word ("joyful" is "happy"), None when there is none."""
    return _VOCABULARY.meaning(name)


def phrases(words: Words, *, skip: Container[int] = ()) -> list[Found[str]]:
    """Phrases that name a mood, each with its canonical name, negated ones included, without words in ``skip``."""
    return list(_VOCABULARY.find(words, skip=skip))


def find(words: Words, *, skip: Container[int] = ()) -> tuple[str, ...]:
    """Canonical moods that a text names, in order of mention, without negated ones and without words in ``skip``."""
    return tuple(dict.fromkeys(found.value for found in phrases(words, skip=skip) if not found.negated))


def infer(*, mode: Mode | None, bpm: float, density: float, pitch: float) -> tuple[str, ...]:
    """The moods whose evidence a score with these measurements gives, in the order of ``MOODS``."""
    return tuple(name for name, mood in MOODS.items() if mood.fits(mode=mode, bpm=bpm, density=density, pitch=pitch))
