"""The musical domain, with no machine learning in it: scores, MIDI files, keys, chords, meters, captions."""
