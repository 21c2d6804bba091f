"""Draws of training: from seed, update, row and purpose, and from nothing else."""

import torch

from fairseq_samu.models.training_draws import CHANNEL_STREAM, TIME_STREAM, MaskingOptions, TrainingDraws

ROWS = torch.tensor([5, 9, 2])
LENGTHS = torch.tensor([40, 30, 20])


def test_a_row_is_masked_alike_in_whatever_batch_it_stands():
    options = MaskingOptions(time_prob=0.4, time_length=3, channel_prob=0.4, channel_length=3)
    whole, alone = TrainingDraws(1, 7, ROWS), TrainingDraws(1, 7, ROWS[1:2])
    times = options.draw_time_mask(LENGTHS, 40, whole)
    assert times.any(dim=1).all()
    assert torch.equal(times[1:2], options.draw_time_mask(LENGTHS[1:2], 40, alone))
    assert not times[2, 20:].any(), "padding is not masked"
    channels = options.draw_channel_mask(torch.zeros(3, 40, 16), 16, whole)
    assert torch.equal(channels[1:2], options.draw_channel_mask(torch.zeros(1, 30, 16), 16, alone))
    assert channels.shape == (3, 16)


def test_seed_update_and_row_change_the_draw():
    options = MaskingOptions(time_prob=0.4, time_length=3)
    masks = {
        tuple(options.draw_time_mask(LENGTHS[:1], 40, TrainingDraws(seed, update, torch.tensor([row])))[0].tolist())
        for seed, update, row in ((1, 7, 5), (2, 7, 5), (1, 8, 5), (1, 7, 6))
    }
    assert len(masks) == 4
    draws = TrainingDraws(1, 7, ROWS)
    assert not set(draws.row_seeds(TIME_STREAM)) & set(draws.row_seeds(CHANNEL_STREAM))


def test_nothing_is_drawn_where_nothing_is_asked_for():
    draws = TrainingDraws(1, 7, ROWS)
    assert MaskingOptions().draw_time_mask(LENGTHS, 40, draws) is None
    assert MaskingOptions().draw_channel_mask(torch.zeros(3, 4, 4), 4, draws) is None
    options = MaskingOptions(time_prob=0.4, channel_prob=0.4)
    assert options.draw_time_mask(LENGTHS, 40, None) is None
    assert options.draw_channel_mask(torch.zeros(3, 4, 4), 4, None) is None


def test_layers_are_kept_by_their_probability_alike_for_all_rows():
    kept = [TrainingDraws(1, update, ROWS).keeps_layer(4, 0.3) for update in range(2000)]
    assert 0.65 < sum(kept) / len(kept) < 0.75
    assert kept == [TrainingDraws(1, update, ROWS[:1]).keeps_layer(4, 0.3) for update in range(2000)]
    assert kept != [TrainingDraws(1, update, ROWS).keeps_layer(5, 0.3) for update in range(2000)]
    assert all(TrainingDraws(1, update, ROWS).keeps_layer(4, 0.0) for update in range(50))
