"""Optimizers and schedules of learning rates registered with fairseq; importing this room registers them."""

from fairseq_samu.optim import grouped, newbob

__all__ = ["grouped", "newbob"]
