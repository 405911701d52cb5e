"""Grapheme-to-phoneme: the phones of a text by espeak-ng, epitran or a lexicon, one file each."""
