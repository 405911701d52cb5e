import pytest
import torch
from transformers import Wav2Vec2ForPreTraining

from speechxl.config import PRESETS
from speechxl.models.making import configuration


@pytest.mark.parametrize(
    ("preset", "parameters"),
    [("w2v2-base", 95_044_608), ("xls-r-300m", 317_390_592), ("xls-r-1b", 965_514_752), ("xls-r-2b", 2_162_932_352)],
)
def test_presets_have_the_published_number_of_parameters(preset, parameters):
    with torch.device("meta"):
        model = Wav2Vec2ForPreTraining(configuration(PRESETS[preset]))
    assert sum(parameter.numel() for parameter in model.parameters()) == parameters
