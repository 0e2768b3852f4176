"""Training of the text reward: data, training, and the proofs that it hears what captions say."""
