import pytest
import torch
import torch.nn.functional as F

from speechxl.config import Augment
from speechxl.models.making import new_ctc_model
from speechxl.shapes import Batch, Targets
from speechxl.tasks.recognition import Recognition
from speechxl.text import Vocabularies
from tests.conftest import small_preset

LANGUAGES = ["quy", "swh"]
TEXTS = [("quy", "ba do"), ("swh", "lo"), ("quy", "ab"), ("swh", "bo lo")]


@pytest.fixture
def vocabularies():
    return Vocabularies.from_texts({"quy": ["ba do"], "swh": ["bo lo"]}, "char")


@pytest.fixture
def task(vocabularies):
    torch.manual_seed(0)
    model = new_ctc_model(small_preset(), vocabularies)
    torch.nn.init.normal_(model.lm_head.weight, std=0.5)
    return Recognition(
        model, vocabulary=vocabularies, augment=Augment(0.0, 10, 0.0), freeze_extractor=False, freeze_encoder=0,
        languages=LANGUAGES, patience=0, seed=1, lr=1e-4, schedule=lambda step: 1.0, weight_decay=0.0,
    ).eval()  # fmt: skip


def batch(vocabularies, texts=TEXTS):
    """A second of noise for each text."""
    tokens = []
    for language, text in texts:
        outputs = vocabularies.outputs(language)
        tokens.append(torch.tensor([outputs[number] for number in vocabularies.of(language).encode(text)]))
    return Batch(
        [f"u{row}" for row in range(len(texts))],
        torch.arange(len(texts)),
        torch.randn(len(texts), 16_000, generator=torch.Generator().manual_seed(0)),
        torch.tensor([16_000 - 1000 * row for row in range(len(texts))]),
        padded=True,
        languages=torch.tensor([LANGUAGES.index(language) for language, _ in texts]),
        targets=Targets(
            [text for _, text in texts],
            torch.nn.utils.rnn.pad_sequence(tokens, batch_first=True),
            torch.tensor([len(own) for own in tokens]),
        ),
    )


def test_the_loss_is_that_of_an_output_layer_for_each_language_with_a_common_blank(task, vocabularies):
    heard = batch(vocabularies)
    losses = task.loss(heard).utterances
    head = task.model.lm_head
    features = task.encoder(heard.waveform, heard.lengths).features
    frames = task.encoder.geometry.num_frames(heard.lengths)
    for row, (language, text) in enumerate(TEXTS):
        own = list(vocabularies.outputs(language))
        emissions = F.linear(features[row, : frames[row]], head.weight[own], head.bias[own]).log_softmax(-1)
        target = torch.tensor(vocabularies.of(language).encode(text))
        expected = F.ctc_loss(emissions, target, frames[row : row + 1], torch.tensor([len(target)]), reduction="sum")
        torch.testing.assert_close(losses[row], expected, atol=1e-4, rtol=1e-5)
    everything = F.linear(features, head.weight, head.bias)
    one_layer = F.ctc_loss(
        everything.log_softmax(-1).transpose(0, 1),
        heard.targets.tokens,
        frames,
        heard.targets.lengths,
        reduction="none",
    )
    assert (one_layer > losses + 0.1).all()  # where all symbols compete, it is another loss


def test_the_symbols_of_other_languages_learn_nothing(task, vocabularies):
    task.loss(batch(vocabularies, [text for text in TEXTS if text[0] == "quy"])).total.backward()
    gradient = task.model.lm_head.weight.grad
    own = list(vocabularies.outputs("quy"))
    others = sorted(set(range(len(vocabularies))) - set(own))
    assert (gradient[others] == 0).all()
    assert (gradient[own].abs().sum(1) > 0).all()
    assert gradient.isfinite().all()


def test_dev_is_decoded_in_the_symbols_of_its_language(task, vocabularies):
    torch.nn.init.zeros_(task.model.lm_head.weight)
    with torch.no_grad():  # the likeliest output of all is an l, which quy does not have; the next one is its a
        task.model.lm_head.bias.zero_()
        task.model.lm_head.bias[vocabularies.outputs("swh")[vocabularies.of("swh").encode("l")[0]]] = 9.0
        task.model.lm_head.bias[vocabularies.outputs("quy")[vocabularies.of("quy").encode("a")[0]]] = 5.0
    task.validation_step(batch(vocabularies), 0)
    assert sorted(task._transcripts) == [
        ("u0", "quy", "ba do", "a"),
        ("u1", "swh", "lo", "l"),
        ("u2", "quy", "ab", "a"),
        ("u3", "swh", "bo lo", "l"),
    ]
