"""One module per kind of corpus, each with one function `read(folder)`."""
