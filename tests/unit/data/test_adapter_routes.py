"""Which adapter a language or domain gets under each policy, and which one a row asks for."""

import numpy as np
import pytest

from fairseq_samu.data.adapter_routes import BASE, AdapterRoutes, RowNames
from fairseq_samu.data.manifest import read_manifest, write_manifest
from fairseq_samu.errors import ConfigError

NAMES = ["ru", "news", "ca_XX", "es"]


@pytest.mark.parametrize("policy", ["error", "base", "nearest"])
def test_a_name_of_its_own_comes_before_every_policy(policy):
    routes = AdapterRoutes(NAMES, policy)
    found = {name: routes.number_of(name) for name in ("ru", "ru_RU", "rus", "news", "ca", "ca_XX", "spa")}
    assert found == {"ru": 0, "ru_RU": 0, "rus": 0, "news": 1, "ca": 2, "ca_XX": 2, "spa": 3}


def test_an_exact_name_comes_before_another_code_of_its_language():
    routes = AdapterRoutes(["zh-CN", "zh-TW"])
    assert [routes.number_of(name) for name in ("zh-TW", "zh-CN", "cmn")] == [1, 0, 0]


def test_without_policy_a_missing_adapter_is_an_error_with_all_names_and_mends():
    routes = AdapterRoutes(NAMES)
    with pytest.raises(ConfigError) as caught:
        routes.number_of("be")
    text = str(caught.value)
    for part in ("'be'", "ru, news, ca_XX, es", "--missing-adapter", "`adapter`"):
        assert part in text, part
    assert routes.find("be") is None


def test_the_base_serves_what_has_no_adapter(caplog):
    caplog.set_level("INFO")
    routes = AdapterRoutes(NAMES, "base")
    assert [routes.number_of(name) for name in ("be", "law", "", "be")] == [BASE] * 4
    told = [record.getMessage() for record in caplog.records]
    expected = ["be", "law", "rows of no known language"]
    assert told == [f"{name}: uses the base without adapter" for name in expected], "each is told once"


def test_the_nearest_is_that_of_cldr(caplog):
    """Unicode CLDR, languageMatching: be -> ru 20, gl -> es 20, and nothing for French among these."""
    caplog.set_level("INFO")
    routes = AdapterRoutes(NAMES, "nearest")
    found = [routes.number_of(name) for name in ("be", "bel", "gl", "fr", "law", "")]
    assert found == [0, 0, 3, BASE, BASE, BASE]
    told = [record.getMessage() for record in caplog.records]
    assert told[:2] == ["be: uses adapter ru", "bel: uses adapter ru"]
    assert "gl: uses adapter es" in told
    assert "fr: uses the base without adapter; no adapter is near" in told
    assert AdapterRoutes(["news"], "nearest").number_of("be") == BASE
    # Catalan's readers read Spanish; French is not in the list, whatever is
    assert AdapterRoutes(["ru", "es"], "nearest").number_of("ca") == 1
    # a reader of Spanish is not expected to read Catalan, yet that is the nearest there is
    assert AdapterRoutes(["be", "ca"], "nearest").number_of("es") == 1
    # equally far: the first
    assert [AdapterRoutes(names, "nearest").number_of("nn") for names in (["da", "nb"], ["nb", "da"])] == [1, 0]


def test_a_policy_that_is_none_is_refused():
    with pytest.raises(ConfigError, match="error, base, nearest"):
        AdapterRoutes(NAMES, "closest")


ROWS = [("1", "be", "news"), ("2", "ru", ""), ("3", "be", ""), ("4", "fr", "ru"), ("5", "xx", "")]


@pytest.fixture
def manifest(tmp_path):
    def make(columns=("id", "src_lang", "adapter")):
        rows = [dict(zip(("id", "src_lang", "adapter"), row, strict=True)) for row in ROWS]
        write_manifest(tmp_path / "rows.tsv", [{c: row[c] for c in columns} for row in rows], columns)
        return read_manifest(tmp_path / "rows.tsv", ("id",))

    return make


def test_a_row_asks_for_its_column_or_else_for_its_language(manifest):
    rows = manifest()
    names = RowNames.read(rows, [0, 1, 2, 3], rows.src_lang)
    assert [names.names[number] for number in names.ids[:4]] == ["news", "ru", "be", "ru"]
    assert names.ids[4] == -1, "a row that is not used asks for nothing"
    assert names.count() == {"news": 1, "ru": 2, "be": 1}
    assert names.route(AdapterRoutes(NAMES, "base")).tolist() == [1, 0, BASE, 0, BASE]
    with pytest.raises(ConfigError, match="'be'"):
        names.route(AdapterRoutes(NAMES))


def test_without_the_column_no_row_is_read(manifest, monkeypatch):
    rows = manifest(("id", "src_lang"))
    monkeypatch.setattr(type(rows), "__getitem__", lambda *_: pytest.fail("a row was read"))
    names = RowNames.read(rows, range(4), rows.src_lang)
    numbers = names.route(AdapterRoutes(["be", "ru", "fr"]))
    assert numbers.dtype == np.int64
    assert numbers.tolist() == [0, 1, 0, 2, BASE]
