from speechxl.phonology.chart import chart


def test_phones_stand_where_the_ipa_has_them():
    consonants, vowels, diphthongs = chart(
        ["b", "p", "pʰ", "t͡ʃ", "k͡p", "p͡t", "w", "mb", "ŋ͡mɡ͡b", "n̥", "n", "i", "y", "a", "ai"]
    )
    cells = {
        (row, column): cell
        for row, line in consonants.rows
        for column, cell in zip(consonants.columns, line, strict=True)
    }
    assert cells["plosive", "bilabial"] == ("p", "pʰ", "b")
    assert cells["nasal", "alveolar"] == ("n̥", "n")
    assert cells["affricate", "postalveolar"] == ("t͡ʃ",)
    assert cells["plosive", "alveolar"] == ("p͡t",)
    assert cells["plosive", "labial-velar"] == ("k͡p",)
    assert cells["approximant", "labial-velar"] == ("w",)
    assert cells["prenasalised", "bilabial"] == ("mb",)
    assert cells["prenasalised", "labial-velar"] == ("ŋ͡mɡ͡b",)
    assert vowels.columns == ("front",)
    assert vowels.rows == (("close", (("i", "y"),)), ("open", (("a",),)))
    assert diphthongs.title == "diphthongs"
    assert diphthongs.rows == (("", (("ai",),)),)


def test_every_segment_of_phoible_has_one_place(phoible):
    symbols = list(dict.fromkeys(phoible.table.symbols))
    shown = [symbol for grid in chart(symbols) for _, cells in grid.rows for cell in cells for symbol in cell]
    assert sorted(shown) == sorted(symbols)
