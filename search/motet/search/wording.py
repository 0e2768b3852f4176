"""Words about words: which ones say the same, which ones say nothing, and which ones exclude each other."""

from __future__ import annotations

from typing import Final

from motet.music.phrase import Vocabulary


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


_GROUPS: Final = """
fast|fast-paced|quick|rapid|brisk|swift|speedy|uptempo
slow|slow-paced|unhurried
very fast|extremely fast|really fast|very quick|super fast
very slow|extremely slow|really slow|super slow
happy|joyful|cheerful|merry|joyous
sad|sorrowful|mournful
calm|peaceful|tranquil|serene
relaxing|soothing|calming
energetic|high-energy
lively|spirited
melancholic|melancholy
scary|frightening|terrifying
eerie|spooky|creepy
mysterious|enigmatic
dreamy|dreamlike
majestic|grand
triumphant|victorious
tense|suspenseful
ominous|menacing|sinister
uplifting|inspiring|inspirational
motivational|motivating
cinematic|filmic|film-like
festive|celebratory
elegant|graceful
emotional|emotive
meditative|contemplative
aggressive|fierce
angry|furious
melodic|melodious|tuneful
funny|humorous|comical
warm|warm-hearted
hip hop|hiphop
film score|film music|movie score|movie music
video game music|videogame music|game music
rock and roll|rock n roll|rocknroll
r&b|rhythm and blues|rnb
bossa nova|bossanova
boogie woogie|boogiewoogie
new age|newage
lullaby|cradle song|berceuse
folk song|folksong|folk tune
drums|drum kit|drum set|drumkit|drumset
saxophone|sax
saxophones|saxes
electric bass|bass guitar|electric bass guitar
distorted guitar|distortion guitar|distorted electric guitar
overdriven guitar|overdrive guitar|overdriven electric guitar
clean guitar|clean electric guitar
nylon guitar|nylon string guitar|classical guitar
steel string guitar|steel string acoustic guitar
cello|violoncello
french horn|orchestral horn
english horn|cor anglais
timpani|kettledrums|kettle drums|tympani
church organ|pipe organ
harp|orchestral harp
synth|synthesizer|synthesiser
string section|strings section
electric piano|e piano
harmonica|mouth organ
pan flute|panpipes|pan pipes
music box|musical box
piano|pianoforte
sparse|uncluttered
dense|full of notes|packed with notes
very sparse|extremely sparse|really sparse
very dense|extremely dense|really dense
begins|starts
ends|finishes
beginning with|starting with
gradually|little by little
short|brief
long|lengthy
large|big
repeats|recurs
bar|bars|measure|measures
second|seconds|sec|secs
minute|minutes|min|mins
"""
SYNONYMS: Final[tuple[tuple[str, ...], ...]] = tuple(tuple(line.split("|")) for line in _GROUPS.strip().splitlines())
"""Groups of phrases of which each may stand for every other; the first is the name of the group.

Tight on purpose: what the parser takes for the same ("koto" and "guzheng", "Christmas" and "party") need not be.
"""

SAME: Final[Vocabulary[str]] = Vocabulary({phrase: group[0] for group in SYNONYMS for phrase in group})
"""Phrase -> name of its group."""

NEUTRAL: Final = _set(
    "a an the and with in of to for at is are was be been being it its this that these there by on as has have "
    "into around about where which while i we you me my us please can could would should will like want need "
    "wants write compose make create generate produce give play played plays playing perform performed performs "
    "performing feature features featured featuring include includes including use uses using scored written set "
    "made piece music song tune track number composition work tempo time signature meter metre key bpm speed pace "
    "beat beats mood moods genre style atmosphere feel feeling character instrument instruments instrumentation "
    "arrangement line-up lineup sound sounds marked marking goes moves runs sits some following kind type whose "
    "also both it's that's"
)
"""Words that carry no wish of their own: a mutant may lose or gain them."""

CUES: Final = _set(
    "no not without never non lacking lacks lack minus excluding exclude avoid avoids avoiding neither nor sans "
    "absent omit omits omitting devoid absence free instead rather except nothing none hardly barely scarcely "
    "cannot"
)
"""Words that deny, replace or except."""

ALONE: Final = _set(
    "solo soloist only just alone unaccompanied cappella capella acapella nothing exclusively solely purely "
    "entirely single sole lone monophonic"
)
"""Words that want the players named, and nobody else."""

PARTIES: Final = {"duo": 2, "duet": 2, "duos": 2, "duets": 2, "trio": 3, "quartet": 4, "quintet": 5, "sextet": 6,
                  "septet": 7, "octet": 8}  # fmt: skip
"""Words that say how many play."""

ORDERING: Final = _set(
    "then first firstly second secondly next later after afterwards before finally followed follows beginning "
    "begins begin starts start starting opens opening ends end ending finishes finish finishing closes closing "
    "concludes gradually becomes become becoming turns turning grows growing slows slowing speeds shifts shifting "
    "changes changing transitions returns from until till last middle intro outro verse chorus bridge half "
    "towards toward initially eventually accelerates accelerating"
)
"""Words that tell one part of the piece from another: beside them, order is meaning."""

CHORDS: Final = _set("chord chords progression progressions harmony harmonic harmonies sequence vamp")
"""Words beside which names of chords stand in the order in which they sound."""

ROLES: Final = _set(
    "melody lead leads leading led solo solos theme line lines accompaniment accompanied accompanying accompanies over "
    "above under beneath below behind against backing background backed supported supports supporting answered answers "
    "doubled doubles arpeggios riff riffs counterpoint ostinato"
)
"""Words that tell one player's part from another's: beside two players, order is meaning."""

LENGTHS: Final = _set("short brief long lengthy extended lasting duration second minute hour")
"""Words that say how long the piece is, beside numbers of bars."""

IRREGULAR: Final = _set(
    "odd irregular asymmetric asymmetrical compound triple duple quadruple free rubato polymeter changing mixed"
)
"""Words that say something of the meter without naming it."""

OPPOSED: Final[tuple[tuple[frozenset[str], frozenset[str]], ...]] = tuple(
    (frozenset(one.split()), frozenset(other.split()))
    for one, other in (
        ("happy playful festive uplifting motivational", "sad melancholic dark scary solemn tense aggressive"),
        ("calm meditative dreamy", "energetic aggressive tense dramatic scary adventurous"),
        ("warm romantic", "aggressive scary"),
        ("epic", "playful"),
        ("solemn", "playful festive groovy ironic"),
        ("sad melancholic", "festive groovy energetic"),
    )
)
"""Pairs of sets of canonical moods: one from each makes no sense together."""

UNHURRIED: Final = frozenset(["calm", "meditative", "dreamy"])
"""Moods that no fast tempo goes with."""
DRIVEN: Final = frozenset(["energetic", "aggressive"])
"""Moods that no slow tempo goes with."""

SOFT: Final = frozenset(["lullaby", "ambient", "chillout", "new age"])
"""Genres that nothing aggressive or fast goes with."""
HARSH: Final = frozenset(["metal", "punk", "techno", "trance"])
"""Genres that nothing calm or slow goes with."""

HASTE: Final = _set(
    "frenzied frenetic hurried racing rushing rush hectic galloping manic hyper hyperactive turbo running feverish "
    "whirlwind sprint chase headlong"
)
"""Words that hint at a fast tempo and that the parser does not take for one."""
REST: Final = _set(
    "crawling dragging drowsy plodding lazy dirge funeral creeping lingering languid weary sleepy trudging limping"
)
"""Words that hint at a slow tempo and that the parser does not take for one."""

SCHOOLS: Final[tuple[frozenset[str], ...]] = tuple(
    frozenset(names.split(","))
    for names in (
        "classical,orchestral,chamber,baroque,renaissance,romantic,art song,opera,sonata,etude,prelude,sacred,minuet,"
        "mazurka,polonaise,waltz",
        "pop,rock,alternative,ballad,metal,punk",
        "blues,boogie,soul,funk,r&b,gospel,disco,hip-hop",
        "electronic,dance,techno,trance,house,ambient,chillout,new age,experimental",
        "jazz,swing,big band,bebop,dixieland,ragtime",
        "latin,bossa nova,samba,salsa,mambo,tango,rumba,cha-cha,bolero,calypso,brazilian,flamenco",
        "folk,celtic,country,jig,reel,hornpipe,polka,waltz",
        "reggae,ska,afrobeat,world",
        "soundtrack,video game",
        "musical,easy listening,children,carol,lullaby,march",
    )
)
"""Genres that go together: one may be added beside another of its school."""

FORM_TEMPI: Final = {"lullaby": (30.0, 96.0), "ballad": (40.0, 110.0), "ambient": (30.0, 110.0), "punk": (110.0, 260.0)}
"""Lowest and highest tempo in quarter notes a minute that a genre allows where the caption states none."""
