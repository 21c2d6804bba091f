"""Codes of languages: every corpus's own spelling leads to one code, and to mBART-50's and back."""

import pytest

from fairseq_samu.data.language_codes import (
    MBART50_CODES,
    canonical_language,
    from_mbart50,
    iso639_3,
    to_mbart50,
)

FLEURS = """
af_za am_et ar_eg as_in ast_es az_az be_by bg_bg bn_in bs_ba ca_es ceb_ph ckb_iq cmn_hans_cn cs_cz cy_gb da_dk
de_de el_gr en_us es_419 et_ee fa_ir ff_sn fi_fi fil_ph fr_fr ga_ie gl_es gu_in ha_ng he_il hi_in hr_hr hu_hu hy_am
id_id ig_ng is_is it_it ja_jp jv_id ka_ge kam_ke kea_cv kk_kz km_kh kn_in ko_kr ky_kg lb_lu lg_ug ln_cd lo_la lt_lt
luo_ke lv_lv mi_nz mk_mk ml_in mn_mn mr_in ms_my mt_mt my_mm nb_no ne_np nl_nl nso_za ny_mw oc_fr om_et or_in pa_in
pl_pl ps_af pt_br ro_ro ru_ru sd_in sk_sk sl_si sn_zw so_so sr_rs sv_se sw_ke ta_in te_in tg_tj th_th tr_tr uk_ua
umb_ao ur_pk uz_uz vi_vn wo_sn xh_za yo_ng yue_hant_hk zu_za
"""

COMMON_VOICE_17 = """
ab af am ar as ast az ba bas be bg bn br ca ckb cnh cs cv cy da de dv dyu el en eo es et eu fa fi fr fy-NL ga-IE gl
gn ha he hi hsb ht hu hy-AM ia id ig is it ja ka kab kk kmr ko ky lg lij lo lt ltg lv mdf mhr mk ml mn mr mrj mt
myv nan-tw ne-NP nhi nl nn-NO nso oc or os pa-IN pl ps pt quy rm-sursilv rm-vallader ro ru rw sah sat sc sk skr sl
sq sr sv-SE sw ta te th ti tig tk tok tr tt tw ug uk ur uz vi vot yi yo yue zgh zh-CN zh-HK zh-TW zu zza
"""

COVOST_2 = "fr de es ca it ru zh-CN pt fa et mn nl tr ar sv-SE lv sl ta ja id cy en"


@pytest.mark.parametrize("codes", [FLEURS.split(), COVOST_2.split(), COMMON_VOICE_17.split()])
def test_every_code_of_the_corpora_is_known(codes):
    assert [code for code in codes if canonical_language(code) is None] == []
    assert [code for code in codes if len(iso639_3(code)) != 3] == []


def test_mbart50_maps_both_ways():
    assert len(set(MBART50_CODES)) == 52
    for code in MBART50_CODES:
        assert to_mbart50(from_mbart50(code)) == to_mbart50(code) == to_mbart50(iso639_3(code)) == code


def test_mbart50_codes_are_those_of_the_tokenizer():
    tokenizer = pytest.importorskip("transformers.models.mbart50.tokenization_mbart50")
    assert list(MBART50_CODES) == list(tokenizer.FAIRSEQ_LANGUAGE_CODES)


@pytest.mark.parametrize(
    "code, canonical, three, mbart",
    [
        ("fr", "fr", "fra", "fr_XX"),
        ("fra", "fr", "fra", "fr_XX"),
        ("zh-TW", "zh", "zho", "zh_CN"),
        ("cmn_hans_cn", "zh", "zho", "zh_CN"),
        ("yue_hant_hk", "yue", "yue", None),
        ("swh", "sw", "swa", "sw_KE"),
        ("fil_ph", "fil", "fil", "tl_XX"),
        ("es_419", "es", "spa", "es_XX"),
        ("jw", "jv", "jav", None),
        ("aeb", "aeb", "aeb", None),
        ("rm-sursilv", "rm", "roh", None),
        ("ca", "ca", "cat", None),
    ],
)
def test_known_codes(code, canonical, three, mbart):
    assert (canonical_language(code), iso639_3(code), to_mbart50(code)) == (canonical, three, mbart)


@pytest.mark.parametrize(
    "code", ["", "xx", "english", "EN", "fr ", "fr-", "fr_france_", "qqq", "f", "fr\n", "../fr", "fr__FR"]
)
def test_unknown_codes(code):
    assert canonical_language(code) is None
    assert iso639_3(code) is None
    assert to_mbart50(code) is None


def test_only_mbart50s_own_codes_come_from_mbart50():
    assert from_mbart50("fr") is None
    assert from_mbart50("fr_FR") is None
