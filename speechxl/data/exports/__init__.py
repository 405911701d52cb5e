"""One module per format, each with one function `write(rows, out)`."""
