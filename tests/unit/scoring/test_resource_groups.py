"""Groups of languages: those of CoVoST-2, those of a user, and what does not fit."""

import pytest

from fairseq_samu.errors import ConfigError
from fairseq_samu.scoring.resource_groups import (
    COVOST2_GROUPS,
    assign_pairs,
    gap_ends,
    missing_members,
    parse_groups,
    require_pairs,
)


def test_covost2_has_21_languages():
    assert {name: len(members) for name, members in COVOST2_GROUPS.items()} == {"high": 4, "mid": 5, "low": 12}
    assert len({language for members in COVOST2_GROUPS.values() for language in members}) == 21


def test_pairs_go_to_the_group_of_their_source_language():
    assigned = assign_pairs(["fr-en", "it-en", "id-en", "cs-en"], COVOST2_GROUPS)
    assert assigned == {"high": ["fr-en"], "mid": ["it-en"], "low": ["id-en"]}
    assert gap_ends(assigned) == ("high", "low")
    assert missing_members(COVOST2_GROUPS["high"], assigned["high"]) == ["de", "es", "ca"]
    assert gap_ends(assign_pairs(["fr-en"], COVOST2_GROUPS)) is None
    assert gap_ends({"only": ["fr-en"]}) is None


def test_groups_of_a_user():
    groups = parse_groups("seen=nl, de; unseen=cs-en")
    assert groups == {"seen": ("nl", "de"), "unseen": ("cs-en",)}
    assert assign_pairs(["nl-en", "cs-en", "cs-fr", "de-en"], groups) == {
        "seen": ["nl-en", "de-en"],
        "unseen": ["cs-en"],
    }
    # a pair goes before its language, whatever the order of the groups
    assert assign_pairs(["cs-en", "cs-fr"], parse_groups("rest=cs;one=cs-en")) == {"rest": ["cs-fr"], "one": ["cs-en"]}


@pytest.mark.parametrize("text", ["nl", "seen=", "=nl", "a=nl;a=cs", "a=nl,,de", ""])
def test_malformed_groups(text):
    with pytest.raises(ConfigError, match="`--groups` must be NAME=LANGUAGE"):
        parse_groups(text)


def test_a_language_stands_in_one_group_and_in_the_data():
    with pytest.raises(ConfigError, match="without a common language, but is 'nl'"):
        parse_groups("a=nl,de;b=nl")
    groups = parse_groups("seen=nl;unseen=cs,pl")
    with pytest.raises(ConfigError, match=r"`unseen` must be languages of the data \(nl-en, cs-en\), but is 'pl'"):
        require_pairs(assign_pairs(["nl-en", "cs-en"], groups), ["nl-en", "cs-en"], groups)
    require_pairs(assign_pairs(["nl-en", "cs-en", "pl-en"], groups), [], groups)
