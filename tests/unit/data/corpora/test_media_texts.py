import pytest

from fairseq_samu.concepts import read_prefix_map, relax_text
from fairseq_samu.data.corpora.italian_numbers import LARGEST, spell_italian
from fairseq_samu.data.corpora.media_texts import RELAXED, normalise_french, prefix_map_lines, relax_concept
from fairseq_samu.data.corpora.portmedia import normalise_italian


@pytest.mark.parametrize(
    "text, words",
    [
        ("  l'hôtel\n d'en face ", "l' hôtel d' en face"),
        ("c'est l 'hôtel", "c'est l' hôtel"),
        ("(bon)jour (euh) *madame", "*jour * *madame"),
        ("dix-sept quatre-vingt-dix vingt-et-un", "dix sept quatre vingt dix vingt et-un"),
        ("Mont de Marsan Mont-de-Marsan Saint-jacques", "Mont-De-Marsan Mont-De-Marsan Saint-Jacques"),
        ("bleu marine a-t- il gc'est", "bleu-marine a-t-il c'est"),
        ("' un parking", "un parking"),
        ('oui ! non ? « trois » "quatre" [i] 8,5.', "oui non trois quatre i 8,5."),
        ("!?", ""),
        (" \n", ""),
    ],
)
def test_french_is_spelt_as_the_recipe_spells_it(text, words):
    assert normalise_french(text) == words


@pytest.mark.parametrize(
    "name, relaxed",
    [
        ("localisation-ville-hotel", "localisation-ville"),
        ("localisation-ville", "localisation-ville"),
        ("localisation-distanceRelative-reservation", "localisation-distanceRelative"),
        ("nombre-chambre-reservation", "nombre-chambre"),
        ("nombre-chambre-autre", "nombre-chambre-autre"),
        ("nombre-chambre-disponible-hotel", "nombre-chambre-disponible"),
        ("nombreNonDigit-reservation", "nombreNonDigit"),
        ("temps-dateRelative", "temps-date"),
        ("temps-date-debut", "temps-date"),
        ("temps-jour-mois-debut", "temps-jour-mois"),
        ("chambre-type", "chambre-type"),
    ],
)
def test_specifiers_are_taken_off_where_there_is_one(name, relaxed):
    assert relax_concept(name) == relaxed
    assert len(RELAXED.split()) == 37


def test_the_map_is_read_back(tmp_path):
    (tmp_path / "relax.tsv").write_text(prefix_map_lines({"b-x": "b", "a": "a", "c d": "c"}), encoding="utf-8")
    assert read_prefix_map(tmp_path / "relax.tsv") == {"a": "a", "b-x": "b"}
    assert relax_text("<b-x> u > <a> v >", read_prefix_map(tmp_path / "relax.tsv")) == "<b> u > <a> v >"


@pytest.mark.parametrize(
    "number, word",
    [
        (0, "zero"),
        (3, "tre"),
        (17, "diciassette"),
        (21, "ventuno"),
        (23, "ventitré"),
        (38, "trentotto"),
        (100, "cento"),
        (101, "centouno"),
        (108, "centotto"),
        (118, "centodiciotto"),
        (180, "centottanta"),
        (203, "duecentotré"),
        (1000, "mille"),
        (1203, "milleduecentotré"),
        (2011, "duemilaundici"),
        (23000, "ventitremila"),
        (LARGEST, "novecentonovantanovemilanovecentonovantanove"),
    ],
)
def test_italian_numbers(number, word):
    assert spell_italian(number) == word


def test_italian_words_are_distinct_and_other_numbers_refused():
    assert len({spell_italian(number) for number in range(20000)}) == 20000
    for number in (-1, LARGEST + 1):
        with pytest.raises(ValueError, match="0 to 999999"):
            spell_italian(number)


def test_italian_transcripts_lose_their_marks_and_digits():
    assert normalise_italian(" (bu)ongiorno *eh 21\n( ) 1234567 3,5 ³ ") == "buongiorno eh ventuno 1234567 3,5 ³"
