"""Source texts on their way into a model: encoded, and batched by length."""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from fairseq_samu.data.targets import encode_source
from fairseq_samu.data.vocabulary import Vocabulary
from fairseq_samu.errors import ConfigError, explain, report_all

BATCH_TOKENS = 4000  # of source texts, padding included


def batch_texts(
    texts: Sequence[str], vocabulary: Vocabulary, batch_tokens: int = BATCH_TOKENS
) -> Iterator[tuple[list[int], Tensor]]:
    """Encode texts, and group those of like length.

    Args:
        texts: plain text.
        vocabulary: of the model.
        batch_tokens: most tokens of a batch, padding included.

    Yields:
        Indices of texts that make a batch, or of one text, and their pieces (B, U) int64, padded, without tag and end;
        each text once, in no particular order.

    Raises:
        ConfigError: naming every text that is empty.
    """
    empty = [index for index, text in enumerate(texts) if not text.strip()]
    if empty:
        faults = [explain("", f"text {index}", "not empty", texts[index], "Leave it out.") for index in empty]
        raise ConfigError(report_all(faults))
    encoded = [torch.from_numpy(encode_source(vocabulary, text)) for text in texts]
    batch: list[int] = []
    # the longest first: the first of a batch tells how long its padded rows are
    for index in sorted(range(len(texts)), key=lambda index: len(encoded[index]), reverse=True):
        if batch and (len(batch) + 1) * len(encoded[batch[0]]) > batch_tokens:
            yield batch, _pad([encoded[number] for number in batch], vocabulary.pad)
            batch = []
        batch.append(index)
    if batch:
        yield batch, _pad([encoded[number] for number in batch], vocabulary.pad)


def _pad(rows: list[Tensor], pad: int) -> Tensor:
    return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=pad)
