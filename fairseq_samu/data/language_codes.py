"""Language codes: ISO 639-1 and 639-3, the tags of corpora built on them, and mBART-50's.

One language has one canonical code here: its two letters of ISO 639-1, or its three of ISO 639-3 where it has no two.
The tables hold all of ISO 639-1, and of ISO 639-3 what speech corpora use (Common Voice, FLEURS, CoVoST, VoxPopuli):
with all 7,900 codes nearly every second triple of letters would pass, and no misspelling be found.
"""

import re
from typing import Optional

_MBART50 = """
ar_AR cs_CZ de_DE en_XX es_XX et_EE fi_FI fr_XX gu_IN hi_IN it_IT ja_XX kk_KZ ko_KR lt_LT lv_LV my_MM ne_NP nl_XX ro_RO
ru_RU si_LK tr_TR vi_VN zh_CN af_ZA az_AZ bn_IN fa_IR he_IL hr_HR id_ID ka_GE km_KH mk_MK ml_IN mn_MN mr_IN pl_PL ps_AF
pt_XX sv_SE sw_KE ta_IN te_IN th_TH tl_XX uk_UA ur_PK xh_ZA gl_ES sl_SI
"""

_ISO_639_1 = """
aa:aar ab:abk ae:ave af:afr ak:aka am:amh an:arg ar:ara as:asm av:ava ay:aym az:aze ba:bak be:bel bg:bul bi:bis
bm:bam bn:ben bo:bod br:bre bs:bos ca:cat ce:che ch:cha co:cos cr:cre cs:ces cu:chu cv:chv cy:cym da:dan de:deu
dv:div dz:dzo ee:ewe el:ell en:eng eo:epo es:spa et:est eu:eus fa:fas ff:ful fi:fin fj:fij fo:fao fr:fra fy:fry
ga:gle gd:gla gl:glg gn:grn gu:guj gv:glv ha:hau he:heb hi:hin ho:hmo hr:hrv ht:hat hu:hun hy:hye hz:her ia:ina
id:ind ie:ile ig:ibo ii:iii ik:ipk io:ido is:isl it:ita iu:iku ja:jpn jv:jav ka:kat kg:kon ki:kik kj:kua kk:kaz
kl:kal km:khm kn:kan ko:kor kr:kau ks:kas ku:kur kv:kom kw:cor ky:kir la:lat lb:ltz lg:lug li:lim ln:lin lo:lao
lt:lit lu:lub lv:lav mg:mlg mh:mah mi:mri mk:mkd ml:mal mn:mon mr:mar ms:msa mt:mlt my:mya na:nau nb:nob nd:nde
ne:nep ng:ndo nl:nld nn:nno no:nor nr:nbl nv:nav ny:nya oc:oci oj:oji om:orm or:ori os:oss pa:pan pi:pli pl:pol
ps:pus pt:por qu:que rm:roh rn:run ro:ron ru:rus rw:kin sa:san sc:srd sd:snd se:sme sg:sag sh:hbs si:sin sk:slk
sl:slv sm:smo sn:sna so:som sq:sqi sr:srp ss:ssw st:sot su:sun sv:swe sw:swa ta:tam te:tel tg:tgk th:tha ti:tir
tk:tuk tl:tgl tn:tsn to:ton tr:tur ts:tso tt:tat tw:twi ty:tah ug:uig uk:ukr ur:urd uz:uzb ve:ven vi:vie vo:vol
wa:wln wo:wol xh:xho yi:yid yo:yor za:zha zh:zho zu:zul
"""

_ISO_639_3 = """
ace ady aeb aln anc apc ary arz ast bas bew bft brx bxk bxr byv cab cak ceb cgg ckb cnh cux dag dar dgh dsb dyu ewo
fil fub fuv gom gsw haw hch hil hne hsb hyw ilo izh kab kam kbd kbp kcn kea kln kmb kmr knn koo kpv krc ksf led
lez lij lke lld lmo ltg lth lua luo lus lzh lzz mag mai mdf meh mhr min mmc mni mos mrj mua myv nan nap nhe nhi
nla nnh nqo nso nup nyn pap pcm pne quy ruc rwm sah sat scn sco sdh shi skr sma smj smn sms snk srn sus sva syl
szl tar tcy tig tob tok top tpi trv ttj tui tum tyv uby udm ukv umb vec vmw vot vro war wep xkl xmf yav ybb yue
zap zgh zza
"""

# A macro-language of ISO 639-3 has one member that its two letters usually mean; corpora name either. Names that
# ISO 639-1 has withdrawn, and Whisper's `jw`, lead to what replaced them.
_SYNONYMS = """
arb:ar azj:az cmn:zh ekk:et als:sq fuc:ff gaz:om khk:mn knc:kr lvs:lv npi:ne ory:or pbt:ps pes:fa plt:mg swh:sw uzn:uz
ydd:yi zsm:ms zlm:ms ayr:ay hbs:sh iw:he in:id ji:yi jw:jv mo:ro
"""


def _pairs(table: str) -> dict[str, str]:
    return {left: right for left, _, right in (pair.partition(":") for pair in table.split())}


MBART50_CODES: tuple[str, ...] = tuple(_MBART50.split())
"""Language codes of mBART-50 in the order of its vocabulary (arXiv:2008.00401)."""

_TWO_TO_THREE = _pairs(_ISO_639_1)

_THREE_ONLY = frozenset(_ISO_639_3.split())

_ALIASES = _pairs(_SYNONYMS)

_THREE_TO_TWO = {three: two for two, three in _TWO_TO_THREE.items()}
_TO_MBART50 = {code[:2]: code for code in MBART50_CODES} | {"fil": "tl_XX"}

# Language, then script (Hans), region (CN, XX, 419) and variants (sursilv), with hyphens or underscores.
_TAG = re.compile(r"([a-z]{2,3})([-_][A-Za-z]{4})?([-_](?:[A-Za-z]{2}|[0-9]{3}))?([-_][A-Za-z0-9]{5,8})*")


def canonical_language(code: str) -> Optional[str]:
    """Reduce a language code to the canonical one of its language.

    Args:
        code: ISO 639-1 (``fr``), ISO 639-3 (``fra``), mBART-50 (``fr_XX``), or a tag with script, region or variant as
            Common Voice (``zh-CN``, ``rm-sursilv``) and FLEURS (``cmn_hans_cn``) have it.

    Returns:
        The two letters of ISO 639-1, or three of ISO 639-3 where there are no two; None where the code is not
        known. The language has to be in lower case, so that a file cannot mix ``EN`` and ``en`` unnoticed.
    """
    match = _TAG.fullmatch(code)
    if match is None:
        return None
    language = match[1]
    language = _ALIASES.get(language) or _THREE_TO_TWO.get(language) or language
    return language if language in _TWO_TO_THREE or language in _THREE_ONLY else None


def iso639_3(code: str) -> Optional[str]:
    """Three-letter code of a language, from any code that ``canonical_language`` takes; None where it is not known."""
    language = canonical_language(code)
    return None if language is None else _TWO_TO_THREE.get(language, language)


def to_mbart50(code: str) -> Optional[str]:
    """mBART-50's code of a language, from any code that ``canonical_language`` takes; None where it has none."""
    language = canonical_language(code)
    return None if language is None else _TO_MBART50.get(language)


def from_mbart50(code: str) -> Optional[str]:
    """Two-letter code of one of mBART-50's codes; None for anything else."""
    return code[:2] if code in MBART50_CODES else None
