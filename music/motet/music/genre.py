"""Genres: one canonical name each, and the words that people and data sets use for them."""

from __future__ import annotations

import re
from collections.abc import Container
from typing import Final

from motet.music.phrase import Found, Vocabulary, Words

# Canonical name: other words for it in a caption. A word that is too plain for prose stands in _TAGS only.
_CAPTION_WORDS: Final[dict[str, str]] = {
    # popular
    "pop": "poppy|synth pop|synthpop|k pop|j pop|britpop|indie pop|electropop|bubblegum|instrumental pop",
    "rock": "rock and roll|rock n roll|rocknroll|rockabilly|indie rock|prog rock|progressive rock|hard rock|soft rock"
    "|surf rock|instrumental rock|rocking|grunge|boney m",
    "metal": "heavy metal|death metal|thrash|metalcore|black metal",
    "punk": "punk rock|pop punk",
    "alternative": "indie|alt rock|alternative rock",
    "blues": "bluesy|12 bar blues|twelve bar blues|boogie blues",
    "boogie": "boogie woogie|boogiewoogie",
    "soul": "motown|neo soul",
    "funk": "funky|jazz funk",
    "r&b": "rnb|r n b|rhythm and blues|rhythm blues",
    "hip-hop": "hip hop|hiphop|rap|trap|boom bap",
    "disco": "nu disco",
    "gospel": "spiritual|spirituals|gospel choir",
    "country": "bluegrass|honky tonk country|western swing|countrified",
    "ballad": "ballads|power ballad|balladic",
    "folk": "folky|folk rock|folklike|folksy|traditional folk|bluefolk|folksong|folk song|folk tune",
    "celtic": "irish|scottish|gaelic|celtic rock",
    "musical": "broadway|show tune|showtune|musical theatre|musical theater",
    "easy listening": "easylistening|lounge|elevator music|muzak",
    "children": "children's song|nursery rhyme|childrens music|kids song",
    # electronic
    "electronic": "electronica|edm|electronically|electro|synthwave|idm|breakbeat|drum and bass|drum n bass"
    "|dnb|dubstep",
    "dance": "dance music|eurodance|dancefloor|club music",
    "techno": "",
    "trance": "psytrance",
    "house": "house music|deep house|tech house|progressive house|house beat|house track",
    "ambient": "drone music|ambience music",
    "chillout": "chill out|chillhop|lofi|lo fi|downtempo electronica|chill music",
    "new age": "newage",
    "experimental": "avant garde|avantgarde",
    # screen
    "soundtrack": "film score|film music|movie score|movie soundtrack|film soundtrack|soundtracks|movie music|ost",
    "video game": "videogame|game music|chiptune|8 bit|16 bit|game soundtrack|video games|retro game|arcade",
    # jazz
    "jazz": "jazzy|smooth jazz|cool jazz|jazz combo|gypsy jazz|jazz rock|jazz fusion|fusion jazz",
    "swing": "swinging|swing music|swing feel|jive|lindy hop|charleston|foxtrot|quickstep|soft shoe",
    "big band": "bigband",
    "bebop": "hard bop|bop",
    "dixieland": "dixie|new orleans jazz|second line|trad jazz",
    "ragtime": "rag|ragtime piano",
    # latin and islands
    "latin": "latin american|afro cuban|afrocuban|cuban|merengue|reggaeton|cumbia|bachata|latin jazz|joropo",
    "bossa nova": "bossanova|bossa",
    "samba": "",
    "salsa": "",
    "mambo": "",
    "tango": "milonga",
    "rumba": "rhumba",
    "cha-cha": "cha cha|chacha|cha cha cha",
    "bolero": "beguine",
    "calypso": "soca",
    "brazilian": "baiao|maracatu|frevo|choro",
    "flamenco": "",
    "afrobeat": "highlife|african",
    "reggae": "dub reggae|roots reggae",
    "ska": "ska punk",
    "world": "world music|world fusion|ethnic music|middle eastern|oriental|klezmer",
    # dances and forms
    "march": "marching band|military march|marches",
    "waltz": "waltzes|waltz like|waltzing|jazz waltz",
    "polka": "oberek",
    "mazurka": "mazurkas|kujawiak",
    "polonaise": "",
    "jig": "jigs|slip jig|gigue",
    "reel": "reels|hoedown",
    "hornpipe": "",
    "minuet": "menuet|menuetto",
    "lullaby": "berceuse|cradle song",
    # classical
    "classical": "classic music|classically|symphonic|string quartet|neoclassical|neo classical|classical music",
    "orchestral": "symphony|symphonic poem",
    "chamber": "chamber music|string trio|piano trio|string quintet",
    "baroque": "fugue|toccata|partita|baroque style",
    "renaissance": "madrigal|renaissance dance|medieval",
    "romantic": "romantic era|romantic period|nocturne|late romantic|impromptu|ballade",
    "art song": "lied|lieder|artsong",
    "opera": "operatic|aria|oratorio|cantata|operetta",
    "sonata": "sonatina|sonatas",
    "etude": "étude|study piece|etudes",
    "prelude": "preludes",
    "sacred": "hymn|hymns|chorale|church music|gregorian|mass setting|requiem|motet|liturgical|psalm|plainchant",
    "carol": "christmas carol|christmas carols",
}

GENRES: Final[tuple[str, ...]] = tuple(_CAPTION_WORDS)
"""Canonical genre names."""

SPOKEN_NAMES: Final[dict[str, str]] = {name: name for name in GENRES} | {
    "house": "house music",
    "world": "world music",
    "romantic": "romantic-era",
    "musical": "musical theatre",
    "children": "nursery rhyme",
}
"""The name of each genre in an English sentence; ``find`` reads every one of them back."""

_FITNESS: Final = frozenset(
    ["suitable", "suited", "suitably", "perfect", "ideal", "fit", "fits", "fitting", "appropriate", "use", "used",
     "reminiscent", "evoking", "evokes", "belong", "accompany"]
)  # fmt: skip

# Canonical names that are ordinary English words: in prose only their longer phrases count.
_NOT_ALONE: Final = frozenset({"house", "world", "romantic", "musical", "children"})

# Tags of data sets that the rules of ``canonical`` would read wrongly or not at all.
_TAGS: Final[dict[str, str]] = {
    "secular": "classical", "mass": "sacred", "vespers": "sacred", "mass section": "sacred", "song": "art song",
    "requiem section": "sacred", "completorium": "sacred", "offertorium": "sacred", "passions": "sacred",
    "easter": "sacred", "christmas": "carol", "sonnet": "art song", "rondo": "classical", "variations": "classical",
    "concerto": "orchestral", "cassation": "orchestral", "scherzo": "classical", "fantasy": "classical",
    "fantasie": "classical", "caprice": "classical", "suite": "classical", "dumka": "folk", "krakowiak": "folk",
    "cracow": "folk", "warsaw": "folk", "morris dance": "folk", "playford dance": "folk", "contradance": "folk",
    "anglaise": "folk", "ecossaise": "folk", "cotillion": "folk", "galop": "polka", "trio": "chamber",
    "technique": "etude", "barcarolle": "romantic", "baracolle": "romantic", "romantique": "romantic",
    "romanticism": "romantic", "arabesque": "romantic", "classique": "classical", "sonate": "sonata",
    "gavotte": "baroque", "rondeau": "baroque", "tarantelle": "folk", "concertant": "orchestral", "vienna": "classical",
    "popular / dance": "dance", "boneym": "disco", "rb": "r&b", "dsoul": "soul", "8beat": "pop", "strut": "funk",
    "shuffle": "blues", "twist": "rock", "zydeco": "country", "french": "waltz", "son": "latin", "songo": "latin",
    "merengue": "latin", "venezuelan": "latin", "chacarera": "latin", "dominican": "latin", "bomba": "latin",
    "bembe": "latin", "sangueo": "latin", "ijexa": "brazilian", "evansish": "jazz", "purdieshuffle": "funk",
    "prog": "rock", "softshoe": "swing", "gypsyjazz": "jazz", "neworleans": "dixieland", "secondline": "dixieland",
    "hillcountry": "country", "westernswing": "country", "countryswing": "country", "shuffleboggie": "boogie",
    "boggiewoogie": "boogie", "boggiewoggie": "boogie", "musette waltz": "waltz", "vienesewaltz": "waltz",
    "breakbeat": "electronic", "symphonic": "orchestral", "folkyjazz": "jazz", "lfusion": "jazz", "fusion": "jazz",
    "cubanguitar": "latin",
    "musical": "musical", "house": "house", "world": "world", "romantic": "romantic", "modern": "classical",
    "children": "children", "popfolk": "folk", "poprock": "rock", "punkrock": "punk", "halftime": "rock",
}  # fmt: skip

_PROSE: Final[Vocabulary[str]] = Vocabulary(
    {name: name for name in GENRES if name not in _NOT_ALONE}
    | {phrase: name for name, phrases in _CAPTION_WORDS.items() for phrase in phrases.split("|") if phrase}
)
_EXACT: Final[Vocabulary[str]] = Vocabulary(
    {name: name for name in GENRES}
    | {phrase: name for name, phrases in _CAPTION_WORDS.items() for phrase in phrases.split("|") if phrase}
    | _TAGS
)
_PARTS: Final[dict[str, str]] = {
    re.sub(r"[\W_]", "", phrase): name
    for name, phrases in _CAPTION_WORDS.items()
    for phrase in [name, *phrases.split("|")]
    if len(re.sub(r"[\W_]", "", phrase)) >= 3 and phrase not in ("rag", "ost", "rap", "bop")
}


def canonical(name: str) -> str | None:
    """The canonical genre of a tag of a data set, None when there is none.

    Reads "bossanova", "68march" and "rock-128"; of a compound such as "countrywaltz" the last part counts.
    """
    found = _EXACT.meaning(name)
    if found is not None:
        return found
    squeezed = re.sub(r"[\W_\d]", "", name.lower())
    if squeezed in _PARTS:
        return _PARTS[squeezed]
    parts = [(squeezed.rfind(part) + len(part), len(part), genre) for part, genre in _PARTS.items() if part in squeezed]
    return max(parts)[2] if parts else None


def find(words: Words, *, skip: Container[int] = ()) -> list[Found[str]]:
    """Phrases that name a genre, negated ones left out, without words in ``skip``; a genre may occur twice.

    A use is no genre: "suitable for a film soundtrack" says nothing of the kind of music.
    """
    kept: list[Found[str]] = []
    for found in _PROSE.find(words, skip=skip):
        if found.negated or (words.at(found.first) == "soul" and words.at(found.first - 1) in ("the", "your", "my")):
            continue
        if found.value in ("soundtrack", "video game") and _names_a_use(words, found):
            continue
        kept.append(found)
    return kept


def _names_a_use(words: Words, found: Found[str]) -> bool:
    """Whether a few words before a phrase, in its sentence, say that the music would be fit for it."""
    for index in range(found.first - 1, max(found.first - 10, -1), -1):
        if re.search(r"[.;!?]", words.gap(index)):
            return False
        if words.at(index) in _FITNESS:
            return True
    return False
