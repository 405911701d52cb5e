import pytest
import torch

from speechxl.models.draws import MASK
from speechxl.models.masking import span_mask


def draw(lengths, width, prob=0.65, length=10, min_spans=2, first_key=0):
    keys = torch.arange(len(lengths)) + first_key
    return span_mask(keys, lengths, width, prob=prob, length=length, min_spans=min_spans, stream=MASK)


@pytest.mark.parametrize(
    ("prob", "share"),
    [(0.65, 0.491), (0.80, 0.57), (0.75, 0.54), (0.50, 0.40), (0.30, 0.26), (0.05, 0.049), (0.065, 0.064)],
)
def test_the_share_of_masked_frames_is_the_published_one(prob, share):
    mask = draw(torch.full((1800,), 780), 780, prob, min_spans=0)
    assert abs(mask.float().mean() - share) < 0.005


def test_rows_thinned_to_the_fewest_of_six_would_keep_the_published_share():
    """fairseq thins every row to the minimum of its batch; that is not done here, but the counts scatter alike."""
    counts = draw(torch.full((1800,), 780), 780).sum(1)
    assert abs(counts.view(300, 6).min(1).values.float().mean() / 780 - 0.464) < 0.005


def test_padding_is_never_masked():
    lengths = torch.randint(10, 100, (200,))
    mask = draw(lengths, 100)
    assert not mask[torch.arange(100) >= lengths[:, None]].any()


def test_every_masked_frame_lies_in_a_span_of_full_length():
    for row in draw(torch.full((100,), 80), 80, prob=0.3):
        runs = "".join("x" if masked else " " for masked in row.tolist()).split()
        assert runs
        assert all(len(run) >= 10 for run in runs)


@pytest.mark.parametrize("frames", range(1, 31))
def test_short_utterances(frames):
    mask = draw(torch.full((50,), frames), frames)
    counts = mask.sum(1)
    if frames < 10:
        assert (counts == 0).all()
    else:
        assert (counts >= 10).all()
        assert (counts <= frames).all()


def test_the_batch_does_not_matter():
    together = draw(torch.tensor([50, 80, 30]), 80)
    alone = draw(torch.tensor([80]), 80, first_key=1)
    assert torch.equal(together[1], alone[0])


def test_the_width_of_the_batch_does_not_matter():
    narrow, wide = draw(torch.full((50,), 60), 60), draw(torch.full((50,), 60), 200)
    assert torch.equal(wide[:, :60], narrow)
