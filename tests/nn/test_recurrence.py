import pytest
import torch

from primase.nn.recurrence import BidirectionalRecurrence

KINDS = ["lstm", "gru"]


@pytest.fixture(params=KINDS)
def made(request):
    torch.manual_seed(0)
    return BidirectionalRecurrence(request.param, 5, 7).eval()


def masks(*spans, places=11):
    mask = torch.zeros(len(spans), places, dtype=torch.bool)
    for row, (start, end) in enumerate(spans):
        mask[row, start:end] = True
    return mask


def test_it_is_the_layer_of_torch(made):
    features = torch.randn(3, 5, 11)
    expected = made.layer(features.transpose(1, 2))[0].transpose(1, 2)
    torch.testing.assert_close(made(features, masks((0, 11), (0, 11), (0, 11))), expected)
    assert expected.shape == (3, 14, 11)


def test_padding_has_no_influence_wherever_it_stands(made):
    features, spans = torch.randn(4, 5, 11), [(0, 11), (0, 6), (4, 11), (3, 5)]
    read = made(features, masks(*spans))
    for row, (start, end) in enumerate(spans):
        alone = made.layer(features[row : row + 1, :, start:end].transpose(1, 2))[0].transpose(1, 2)
        torch.testing.assert_close(read[row, :, start:end], alone[0])
        assert not read[row, :, :start].any()
        assert not read[row, :, end:].any()


def test_a_row_without_letters_gives_zeros(made):
    read = made(torch.randn(2, 5, 11), masks((0, 11), (4, 4)))
    assert not read[1].any()
    assert read[0].any()


def test_a_row_does_not_depend_on_the_others(made):
    features, mask = torch.randn(3, 5, 11), masks((0, 11), (0, 6), (4, 11))
    alone = torch.cat([made(features[[row]], mask[[row]]) for row in range(3)])
    torch.testing.assert_close(made(features, mask), alone)


@pytest.mark.parametrize("span", [(0, 11), (2, 9)])
def test_gradients_in_evaluation_are_those_of_differences(made, span):
    made = made.double()
    features = torch.randn(2, 5, 11, dtype=torch.float64, requires_grad=True)
    mask = masks(span, (0, 11))
    assert torch.autograd.gradcheck(lambda changed: made(changed, mask), features)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("gradients", [False, True])
def test_cudnn_is_left_out_only_where_gradients_are_wanted_in_evaluation(made, training, gradients, monkeypatch):
    monkeypatch.setattr(torch.backends.cudnn, "enabled", True)
    seen = []
    made.layer.register_forward_pre_hook(lambda *_: seen.append(torch.backends.cudnn.enabled))
    made.train(training)
    with torch.set_grad_enabled(gradients):
        made(torch.randn(2, 5, 11), masks((0, 11), (0, 11)))
    assert seen == [training or not gradients]
    assert torch.backends.cudnn.enabled


def test_cudnn_is_back_after_a_failure(made, monkeypatch):
    monkeypatch.setattr(torch.backends.cudnn, "enabled", True)
    with pytest.raises(RuntimeError):
        made(torch.randn(2, 4, 11), masks((0, 11), (0, 11)))
    assert torch.backends.cudnn.enabled


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU with cuDNN")
def test_on_a_gpu_gradients_in_evaluation_are_those_of_the_cpu(made):
    mask = masks((0, 11), (2, 9))
    gradients = []
    for device in ("cpu", "cuda"):
        torch.manual_seed(1)
        features = torch.randn(2, 5, 11).to(device).requires_grad_()
        made.to(device)(features, mask.to(device)).square().sum().backward()
        gradients.append(features.grad.cpu())
    torch.testing.assert_close(gradients[0], gradients[1], rtol=1e-3, atol=1e-4)
