"""Labels of utterances, and the cascade: a transcriber, a form of text, a classifier of texts. No torch at import."""
