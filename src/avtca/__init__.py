"""Audio-video emotion recognition on the AVT-CA network."""
