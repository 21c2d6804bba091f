"""Two data-parallel workers do what one does that accumulates two batches."""

from pathlib import Path

import torch

from tests.e2e.training import Corpus, finish_workers, free_port, logged, read_checkpoint, run, start, train_command

# no dropout: it is drawn by the place in the batch, which differs
OPTIONS = {
    "mask_time_prob": 0.3,
    "mask_time_length": 5,
    "encoder_layerdrop": 0.3,
    "speed_factors": "0.9,1.0,1.1",
    "max_update": 8,
    "optimizer": "sgd",
    "momentum": 0.9,
    "adam_betas": None,
    # small steps: large ones blow rounding up until it looks like an error
    "lr": 0.0005,
}


def test_two_workers_equal_update_freq_two(corpus: Corpus, tmp_path: Path) -> None:
    alone = run(train_command(corpus, tmp_path / "one", update_freq=2, **OPTIONS))
    port = free_port()
    workers = [
        start(
            train_command(
                corpus,
                tmp_path / "two",
                distributed_world_size=2,
                distributed_rank=rank,
                distributed_init_method=f"tcp://localhost:{port}",
                distributed_no_spawn=True,
                distributed_backend="gloo",
                ddp_backend="legacy_ddp",
                **OPTIONS,
            )
        )
        for rank in range(2)
    ]
    outputs = finish_workers(workers)
    one = read_checkpoint(tmp_path / "one" / "checkpoint_last.pt")["model"]
    two = read_checkpoint(tmp_path / "two" / "checkpoint_last.pt")["model"]
    assert one.keys() == two.keys()
    for name in one:
        torch.testing.assert_close(one[name], two[name], rtol=1e-4, atol=1e-5, msg=lambda text, name=name: name + text)
    # 10 validation rows make 3 batches: one worker has two of them, the other one and a dummy that must not count
    for key in ("valid_recall_at_1", "valid_mean_cosine", "valid_loss"):
        pairs = zip(logged(alone, key), logged(outputs[0], key), strict=True)
        assert all(abs(first - second) < 2e-3 for first, second in pairs)
