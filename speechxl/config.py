"""Settings in closed groups, and the published presets. No torch.

A field whose default is None takes the value of the preset, or of the recipe that its docstring names.
"""

from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, TypeVar

from speechxl.errors import InputError

Group = TypeVar("Group")


def _given(group: Any) -> dict[str, Any]:
    """Fields that are not None."""
    return {name: value for name, value in asdict(group).items() if value is not None}


def _check_share(name: str, value: float | None) -> None:
    _check(value is None or 0 <= value < 1, name, value, "from 0 up to 1")


def _check(holds: bool, name: str, value: object, expected: str) -> None:
    if not holds:
        raise InputError(f"--{name} must be {expected}, got {value}.")


@dataclass(frozen=True)
class Architecture:
    """Size of an encoder trained from scratch; None takes the preset's."""

    conv_channels: int | None = None
    """Channels of every convolution of the feature extractor."""
    layers: int | None = None
    """Transformer layers."""
    width: int | None = None
    """Features of a transformer layer."""
    ffn: int | None = None
    """Features inside its feed-forward part."""
    heads: int | None = None
    """Attention heads."""

    def __post_init__(self) -> None:
        for name, value in _given(self).items():
            _check(value >= 1, f"architecture.{name}", value, "at least 1")


@dataclass(frozen=True)
class Dropout:
    """Regularisation of the encoder; None takes the preset's or the model folder's."""

    hidden: float | None = None
    """After attention, feed-forward part and the sum with positions."""
    attention: float | None = None
    """Of attention weights."""
    activation: float | None = None
    """Inside the feed-forward part."""
    projection: float | None = None
    """After the projection of the extractor's features."""
    layer: float | None = None
    """Probability that a transformer layer is left out of a step (LayerDrop; Fan et al. 2020)."""

    def __post_init__(self) -> None:
        for name, value in _given(self).items():
            _check_share(f"dropout.{name}", value)


@dataclass(frozen=True)
class Mask:
    """Span masks of pretraining (Baevski et al. 2020, section 3.1)."""

    prob: float = 0.65
    """Share of frames under spans, were there no overlap; 0.65 masks about 49 %."""
    length: int = 10
    """Frames of a span."""
    min_spans: int = 2
    """Spans that every utterance gets."""

    def __post_init__(self) -> None:
        _check_share("mask.prob", self.prob)
        _check(self.length >= 1, "mask.length", self.length, "at least 1")
        _check(self.min_spans >= 1, "mask.min_spans", self.min_spans, "at least 1, or there is nothing to learn")


@dataclass(frozen=True)
class Adapter:
    """Small added weights that are trained in the place of the model's own, and saved without them."""

    kind: Literal["lora", "mms"] | None = None
    """LoRA (Hu et al. 2022), or the adapters of MMS (Pratap et al. 2023) after each layer of XLSR-53, XLS-R and MMS."""
    rank: int = 16
    """Of LoRA's matrices."""
    scale: int | None = None
    """What LoRA adds is scale / rank · B A (alpha in the paper); None: twice the rank."""
    targets: tuple[str, ...] = ("q_proj", "k_proj", "v_proj", "out_proj")
    """Linear layers that LoRA adds to; intermediate_dense and output_dense are those of the feed-forward part."""
    dim: int = 16
    """Features inside an adapter of MMS."""
    name: str | None = None
    """Language in the name of an MMS adapter's file; None: that of the training rows."""

    def __post_init__(self) -> None:
        _check(self.rank >= 1, "adapter.rank", self.rank, "at least 1")
        _check(self.scale is None or self.scale > 0, "adapter.scale", self.scale, "positive")
        _check(bool(self.targets), "adapter.targets", "[]", "at least one linear layer")
        _check(self.dim >= 1, "adapter.dim", self.dim, "at least 1")
        plain = self.name is None or self.name.replace("-", "").replace("_", "").isalnum()
        _check(plain, "adapter.name", self.name, "letters, digits, - and _, as part of a file's name")


@dataclass(frozen=True)
class Articulation:
    """How --attributes and --allophones are learnt (Glocker et al. 2023, Allophant)."""

    weight: float = 0.5
    """Of the attributes' loss, the mean over all of them, beside that of the phones; their sum would leave the phones a small
    share of the gradient."""
    compose: float = 0.5
    """Of the loss of phones that are put together from their features, which any inventory can be scored by."""
    dim: int = 256
    """Features of the embeddings that they are put together from."""
    allophone_penalty: float = 10.0
    """Of --allophones: weight of the squared distance of the layer's weights from 1, with which they begin."""
    phoible: Path | None = None
    """Folder with PHOIBLE, whose features and allophones are learnt, in the place of the installed one; without it, the features
    are panphon's, and there are no allophones."""

    def __post_init__(self) -> None:
        _check(self.weight > 0, "articulation.weight", self.weight, "positive; for none, leave --attributes out")
        _check(self.compose > 0, "articulation.compose", self.compose, "positive; for none, leave --attributes out")
        _check(self.dim >= 1, "articulation.dim", self.dim, "at least 1")
        _check(self.allophone_penalty >= 0, "articulation.allophone_penalty", self.allophone_penalty, "at least 0")


@dataclass(frozen=True)
class Conditioning:
    """Self-conditioned CTC (Nozaki and Komatsu 2021): what some layers would write is told to those above them."""

    layers: tuple[int, ...] = ()
    """Transformer layers, counted from 1, such as [8, 16] of 24; none for plain CTC, which transformers computes as well."""
    weight: float = 0.5
    """Of the mean of these layers' losses; what the last layer writes has the rest."""

    def __post_init__(self) -> None:
        _check(0 < self.weight < 1, "conditioning.weight", self.weight, "between 0 and 1")


@dataclass(frozen=True)
class Augment:
    """What keeps fine-tuning from learning the training set by heart: masks, other speeds, noise."""

    time_prob: float | None = None
    """Like `Mask.prob`, over frames; None: 0.75, in classify train 0.05, from scratch and for tiny 0."""
    time_length: int = 10
    """Frames of a span."""
    channel_prob: float | None = None
    """Like `Mask.prob`, over the encoder's features; None: 0.25, in classify train, from scratch and for tiny 0."""
    channel_length: int = 64
    """Features of a span."""
    speed_prob: float = 0.0
    """Probability that an utterance is heard at 0.9 or 1.1 times its speed (Ko et al. 2015)."""
    noise_prob: float = 0.0
    """Probability that noise is added to an utterance."""
    noise: Path | None = None
    """Folder of recordings that are mixed in as noise, such as MUSAN; by default noise is made, white to brown."""
    snr: tuple[float, float] = (5.0, 20.0)
    """Lowest and highest ratio of speech to noise, decibels."""

    def __post_init__(self) -> None:
        for name in ("time_prob", "channel_prob"):
            _check_share(f"augment.{name}", getattr(self, name))
        for name in ("speed_prob", "noise_prob"):
            _check(0 <= getattr(self, name) <= 1, f"augment.{name}", getattr(self, name), "from 0 to 1")
        _check(self.snr[0] <= self.snr[1], "augment.snr", list(self.snr), "the lowest and the highest ratio")
        _check(
            self.noise is None or self.noise_prob > 0,
            "augment.noise_prob",
            self.noise_prob,
            "above 0, to use --augment.noise",
        )
        _check(self.time_length >= 1, "augment.time_length", self.time_length, "at least 1")
        _check(self.channel_length >= 1, "augment.channel_length", self.channel_length, "at least 1")


@dataclass(frozen=True)
class Head:
    """What a classifier has above its encoder."""

    pooling: Literal["mean", "attention", "statistics"] = "mean"
    """Over the frames of an utterance; with a mean, transformers gives the same scores for the first kind of label."""
    layers: Literal["weighted", "last"] = "weighted"
    """A learned weighted sum of all layers (Yang et al. 2021, SUPERB), or the last one alone."""
    projection: int = 256
    """Features that are pooled."""

    def __post_init__(self) -> None:
        _check(self.projection >= 1, "head.projection", self.projection, "at least 1")


@dataclass(frozen=True)
class Contrast:
    """Contrastive objective (Baevski et al. 2020, section 3.2)."""

    distractors: int = 100
    """K, drawn from the other masked frames of the utterance."""
    temperature: float = 0.1
    """Divisor of the cosine similarities."""
    diversity: float = 0.1
    """Weight of the penalty on unused codes."""
    feature_penalty: float | None = None
    """Weight of the mean square of the extractor's output; None: 10 for base, 0 for large."""
    feature_gradient: float | None = None
    """Factor of the gradient into the extractor; None: 0.1 for base, 1 for large."""
    gumbel_start: float | None = None
    """Gumbel temperature at the first step; None: 2, and in `adapt` the floor."""
    gumbel_floor: float | None = None
    """Lowest Gumbel temperature; None: 0.5 for base, 0.1 for large."""
    gumbel_decay: float | None = None
    """Factor of the Gumbel temperature at each optimizer step; None: 0.999995."""
    code_spread: float | None = None
    """Standard deviation of the quantizer's logits that a new one is set to on the first batches, which keeps small
    batches from collapsing onto a few codes; 0 for the published initialisation. None: 4 for tiny, else 0."""
    all_reduce: bool = False
    """Whether the penalty on unused codes looks at the batches of all processes together."""

    def __post_init__(self) -> None:
        _check(self.distractors >= 1, "contrast.distractors", self.distractors, "at least 1")
        for name, value in _given(self).items():
            if name in ("temperature", "gumbel_start", "gumbel_floor", "gumbel_decay"):
                _check(value > 0, f"contrast.{name}", value, "positive")
            _check(value >= 0, f"contrast.{name}", value, "at least 0")


@dataclass(frozen=True)
class Objective:
    """`Contrast` with every value settled."""

    distractors: int
    temperature: float
    diversity: float
    feature_penalty: float
    feature_gradient: float
    gumbel_start: float
    gumbel_floor: float
    gumbel_decay: float
    code_spread: float
    all_reduce: bool


@dataclass(frozen=True)
class Optim:
    """AdamW and its learning rate."""

    lr: float | None = None
    """Highest learning rate; None takes the preset's or the verb's."""
    warmup: float | None = None
    """Share of the steps over which the learning rate rises; None: 0.08 in pretraining, 0.1 in fine-tuning."""
    weight_decay: float | None = None
    """Decoupled, as in fairseq; None: 0.01 in pretraining, 0 in fine-tuning."""
    clip: float | None = None
    """Largest gradient norm; None for no limit."""
    accumulate: int | None = None
    """Batches of each process per optimizer step; None: what `target_batch_hours` asks for, or 1."""
    target_batch_hours: float | None = None
    """Hours of audio per optimizer step, over all processes; sets `accumulate` where that is not given."""
    layer_decay: float = 1.0
    """Factor of the learning rate from each transformer layer to the one below it; 1 for the same everywhere."""
    ema: float | None = None
    """Decay of an exponential moving average of the weights, which is then evaluated and kept; None for the last weights."""

    def __post_init__(self) -> None:
        _check(self.lr is None or self.lr > 0, "optim.lr", self.lr, "positive")
        _check_share("optim.warmup", self.warmup)
        _check_share("optim.ema", self.ema)
        _check(0 < self.layer_decay <= 1, "optim.layer_decay", self.layer_decay, "above 0, up to 1")
        _check(
            self.weight_decay is None or self.weight_decay >= 0, "optim.weight_decay", self.weight_decay, "at least 0"
        )
        _check(self.clip is None or self.clip > 0, "optim.clip", self.clip, "positive, or left out for no limit")
        _check(self.accumulate is None or self.accumulate >= 1, "optim.accumulate", self.accumulate, "at least 1")
        hours = self.target_batch_hours
        _check(hours is None or hours > 0, "optim.target_batch_hours", hours, "a positive number of hours")


@dataclass(frozen=True)
class Data:
    """Which utterances are used, and how they are read."""

    min_seconds: float | None = None
    """Shorter utterances are left out; None: the preset's in pretraining, 0.1 in fine-tuning."""
    max_seconds: float | None = None
    """Longer ones are cropped in pretraining and classify train, and left out in finetune; None: the preset's, 20, or 30."""
    workers: int | None = None
    """Processes that read audio; None: none on a CPU, else as many as feed one accelerator."""
    max_damaged: float = 0.1
    """Share of the utterances that may turn out to be undecodable before the run stops; fewer are passed over and named."""

    def __post_init__(self) -> None:
        for name, value in _given(self).items():
            _check(value >= 0, f"data.{name}", value, "at least 0")
        _check(self.max_seconds != 0, "data.max_seconds", self.max_seconds, "positive")


@dataclass(frozen=True)
class Sampling:
    """How much is heard of each language (Conneau et al. 2021, XLSR, section 3), and how batches are made."""

    alpha: float = 0.5
    """A language is drawn with p ∝ (hours / all hours)^alpha, and a corpus within it likewise; 1 is as it comes, 0 uniform."""
    warn_epochs: float = 50.0
    """Times that a language is heard above which there is a warning."""
    crop_to_shortest: bool = False
    """Whether each batch is cropped to its shortest utterance, at random places, as fairseq does; nothing is padded then."""

    def __post_init__(self) -> None:
        _check(0 <= self.alpha <= 1, "sampling.alpha", self.alpha, "from 0 to 1")
        _check(self.warn_epochs > 0, "sampling.warn_epochs", self.warn_epochs, "a positive number")


@dataclass(frozen=True)
class Guard:
    """What happens when the codebook collapses: few codes are left, the loss falls to 0, and the accuracy tells nothing."""

    collapse: Literal["rollback", "stop", "warn"] = "rollback"
    """After `patience`: go on from the last good checkpoint with half the learning rate, or stop, or warn only. Several
    processes stop."""
    patience: int = 10
    """Rows of the log, one after the other, that show a collapse before something is done."""
    retries: int = 2
    """Rollbacks before the run stops."""

    def __post_init__(self) -> None:
        _check(self.patience >= 1, "guard.patience", self.patience, "at least 1")
        _check(self.retries >= 0, "guard.retries", self.retries, "at least 0")


@dataclass(frozen=True)
class Search:
    """Beam search, where a language model, a lexicon or hot words are given or --search.beam is."""

    beam: int | None = None
    """Hypotheses that are kept; by default 100. Alone, it searches for the likeliest text without other knowledge."""
    lm_weight: float = 2.0
    """Factor of the language model's log10 probability."""
    word_score: float = 0.0
    """Added for each word of a lexicon; more gives more and shorter words."""
    hot_word_score: float = 1.0
    """Added for each symbol of a hot word."""

    def __post_init__(self) -> None:
        _check(self.beam is None or self.beam >= 1, "search.beam", self.beam, "at least 1")
        _check(self.lm_weight > 0, "search.lm_weight", self.lm_weight, "a positive number")


@dataclass(frozen=True)
class Rewriting:
    """What texts are rewritten to; by default nothing but Unicode's NFC and single spaces."""

    tags: Literal["keep", "drop"] = "keep"
    """Marks such as <unk>, [laugh] or {noise}."""
    invisible: Literal["keep", "drop"] = "keep"
    """Characters that cannot be seen: soft hyphens, marks of direction, joiners that are not between letters."""
    width: Literal["keep", "fold"] = "keep"
    """Full and half width forms, as in Chinese and Japanese texts, become the usual ones."""
    vowel_marks: Literal["keep", "drop"] = "keep"
    """Marks of vowels that Arabic, Hebrew and Syriac texts may have or not."""
    elongation: Literal["keep", "drop"] = "keep"
    """The Arabic stroke that makes words longer (tatweel)."""
    digits: Literal["keep", "words", "drop"] = "keep"
    """Numbers that stand alone: in words of the language (num2words), or left out. Digits behind letters mark tones and stay."""
    punctuation: Literal["keep", "drop"] = "keep"
    """Punctuation; what stands between two letters of a script with spaces is spelling and stays, as does what is read aloud,
    such as % and &."""
    keep: str = ""
    """Characters that are not taken for punctuation, such as '’ where they are letters at the ends of words, too."""
    case: Literal["keep", "lower"] = "keep"
    """Capitals; by the rules of the language, such as ı for the Turkish I."""
    romanize: bool = False
    """Whether a column "romanized" is added, by uroman."""


@dataclass(frozen=True)
class Phones:
    """Which phones of a language are looked for, and which phones of the model stand for them."""

    strategy: Literal["exact", "nearest", "tr2tgt", "pinned", "assign", "soft", "compose", "blend"] = "soft"
    """soft: phones that the inventory has stay, others are shared by distance; exact: others are masked; nearest: each becomes
    the nearest; tr2tgt: so, then phones that are left over take the nearest of the model (Xu et al. 2021); pinned: so, but
    those that the inventory has stay, and only spare ones are taken; assign: so, with the least total distance; compose:
    the heads of a model that was trained with --attributes score phones by their features; blend: of soft and compose."""
    tau: float | None = None
    """Of soft: the distance over which a share falls to 1/e. None: as speechxl calibrate has found, or 0.6."""
    penalty: float | None = None
    """Of compose: subtracted from the logits of phones that were not heard in training. None: as calibrated, or 4."""
    weight: float | None = None
    """Of compose in blend. None: as calibrated, or 0.3."""
    max_distance: float = 3.0
    """Features beyond which a phone is far; pinned and assign take no phone for another that is."""
    max_far: int = 5
    """Phones that may be far or unreachable before there is a warning."""
    distance: Literal["phoible", "hamming", "panphon"] | None = None
    """Of PHOIBLE's features; the number of those that differ; of panphon's features. None: the first where PHOIBLE is there,
    else the last."""
    weights: Literal["fitted", "uniform"] = "fitted"
    """Of PHOIBLE's features."""
    source: str = "union"
    """Of PHOIBLE: union of a language's inventories, the largest, or the number of one."""
    phoible: Path | None = None
    """Folder with PHOIBLE, in the place of the installed one."""
    marginal: bool = True
    """Whether PHOIBLE's phonemes of loan words and the like are kept."""
    split_diphthongs: bool = False
    """Whether the vowels of diphthongs take their place."""


@dataclass(frozen=True)
class Probe:
    """A linear CTC layer on frozen features, trained and tested on a fixed slice of labelled dev rows now and then."""

    every: int | None = None
    """Steps between probes; None for none."""
    minutes: float = 3.0
    """Of dev rows with text or phonemes that are used; two thirds to train on, one third to test on."""
    layer: int | None = None
    """Transformer layer whose output is probed, counted from 1; None: two thirds of the depth."""

    def __post_init__(self) -> None:
        _check(self.every is None or self.every >= 1, "probe.every", self.every, "at least 1")
        _check(self.minutes > 0, "probe.minutes", self.minutes, "a positive number of minutes")
        _check(self.layer is None or self.layer >= 1, "probe.layer", self.layer, "at least 1")


@dataclass(frozen=True)
class Watch:
    """How often the run is looked at; None: a fixed share of the steps."""

    log_every: int = 10
    """Steps between rows of ``metrics.csv``."""
    eval_every: int | None = None
    """Steps between evaluations on dev; None: a twentieth of the run."""
    save_every: int | None = None
    """Steps between checkpoints; None: a twentieth of the run, at most 1000."""
    samples: int = 3
    """Dev utterances whose transcripts are shown at each evaluation."""
    timeout: float = 10.0
    """Minutes that one of several processes waits for the others before it ends the run."""

    def __post_init__(self) -> None:
        for name, value in _given(self).items():
            least = 0 if name == "samples" else 1
            _check(value >= least or (name == "timeout" and value > 0), f"watch.{name}", value, f"at least {least}")


@dataclass(frozen=True)
class Preset:
    """A published model: architecture and pretraining recipe."""

    layers: int
    width: int
    ffn: int
    heads: int
    final_dim: int
    """Features of the space in which context and targets are compared."""
    conv_channels: int = 512
    codes: int = 320
    """Codes per codebook; there are two codebooks."""
    extractor_norm: Literal["group", "layer"] = "layer"
    conv_bias: bool = True
    norm_first: bool = True
    normalise: bool = True
    """Whether waveforms get zero mean and unit variance."""
    dropout: Dropout = field(default_factory=lambda: Dropout(0.0, 0.0, 0.0, 0.0, 0.0))
    feature_dropout: float = 0.0
    """Of the features that the quantizer sees."""
    feature_penalty: float = 0.0
    feature_gradient: float = 1.0
    gumbel_floor: float = 0.1
    gumbel_decay: float = 0.999995
    code_spread: float = 0.0
    lr: float = 5e-4
    """Highest learning rate of pretraining."""
    finetune_lr: float = 1e-4
    """Highest learning rate of fine-tuning."""
    finetune_whole: bool = False
    """Whether fine-tuning trains all of it from the first step on, without masks and short utterances first, as a small
    model needs."""
    min_seconds: float = 2.0
    max_seconds: float = 20.0


_BASE_DROPOUT = Dropout(hidden=0.1, attention=0.1, activation=0.0, projection=0.1, layer=0.05)
PRESETS = {
    "tiny": Preset(
        4, 192, 768, 4, 128, conv_channels=128, codes=64, feature_gradient=0.1, gumbel_decay=0.999,
        code_spread=4.0, lr=1e-3, finetune_lr=1e-3, finetune_whole=True, min_seconds=0.5, max_seconds=10.0,
    ),
    "w2v2-base": Preset(
        12, 768, 3072, 12, 256, extractor_norm="group", conv_bias=False, norm_first=False, normalise=False,
        dropout=_BASE_DROPOUT, feature_dropout=0.1, feature_penalty=10.0, feature_gradient=0.1, gumbel_floor=0.5,
        finetune_lr=5e-5, max_seconds=15.625,
    ),
    "w2v2-large": Preset(24, 1024, 4096, 16, 768, lr=3e-4),
    "xls-r-300m": Preset(24, 1024, 4096, 16, 768, lr=3e-4),
    "xls-r-1b": Preset(48, 1280, 5120, 16, 1024, dropout=Dropout(0.0, 0.0, 0.0, 0.1, 0.0), feature_dropout=0.1, lr=3e-4),
    "xls-r-2b": Preset(
        48, 1920, 7680, 16, 1024, dropout=Dropout(0.0, 0.0, 0.0, 0.1, 0.0), feature_dropout=0.1, lr=3e-4, finetune_lr=3e-5,
    ),
}  # fmt: skip
"""wav2vec 2.0 (Baevski et al. 2020), XLS-R (Babu et al. 2022); `tiny` is for a laptop."""
PresetName = Literal["tiny", "w2v2-base", "w2v2-large", "xls-r-300m", "xls-r-1b", "xls-r-2b"]


def fill(group: Group, **usual: Any) -> Group:
    """A group of settings with usual values where nothing was asked for."""
    return replace(group, **(usual | _given(group)))  # type: ignore[type-var]


def resolve(preset: str, architecture: Architecture, dropout: Dropout) -> Preset:
    """A preset with what was asked for in place of its own values."""
    base = PRESETS[preset]
    shape = replace(base, **_given(architecture), dropout=replace(base.dropout, **_given(dropout)))
    _check(
        shape.width % shape.heads == 0 and shape.width % 16 == 0, "architecture.width", shape.width,
        f"a multiple of the {shape.heads} heads and of the 16 groups of the convolution over positions",
    )  # fmt: skip
    return shape


def settle(contrast: Contrast, preset: Preset, *, gumbel_start: float) -> Objective:
    """The preset's values where nothing was asked for."""
    names = ("feature_penalty", "feature_gradient", "gumbel_floor", "gumbel_decay", "code_spread")
    usual = {name: getattr(preset, name) for name in names}
    return Objective(**{"gumbel_start": gumbel_start, **usual, **_given(contrast)})


def check_run(max_steps: int, batch_seconds: float, **shares: float | None) -> None:
    """Checks what every training verb has at top level, and shares of the steps.

    Raises:
        InputError: With the flag, its value and what is expected.
    """
    _check(max_steps >= 1, "max_steps", max_steps, "at least 1")
    _check(batch_seconds > 0, "batch_seconds", batch_seconds, "a positive number of seconds")
    for name, share in shares.items():
        _check(share is None or 0 <= share <= 1, name, share, "from 0 to 1")
