"""From folders of MIDI and a manifest to shards of tokens and captions that a model can be trained on."""
