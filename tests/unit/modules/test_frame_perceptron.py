"""The perceptron on frames keeps frames apart and all of it moves."""

import torch

from fairseq_samu.modules.frame_perceptron import FramePerceptron


def test_frames_are_independent():
    torch.manual_seed(0)
    module = FramePerceptron(8, 16).double().eval()
    frames = torch.randn(2, 5, 8, dtype=torch.float64)
    assert torch.allclose(module(frames)[1, 3], module(frames[1:, 3:4])[0, 0], atol=1e-12)


def test_gradients_reach_every_parameter():
    module = FramePerceptron(8, 16)
    module(torch.randn(2, 5, 8)).pow(2).sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in module.parameters())
