"""Tiny models of text with random weights, written as `transformers` writes them."""

import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast, XLMRobertaConfig, XLMRobertaModel

WORDS = [
    "wali",
    "nyama",
    "samaki",
    "chai",
    "gari",
    "barabara",
    "treni",
    "meli",
    "na",
    "ni",
    "ya",
    "kwa",
    "leo",
    "sana",
    "food",
    "road",
    "text",
    "answer",
    "which",
]
TOPICS = {"food": WORDS[:4], "road": WORDS[4:8]}
CHAT = "{% for m in messages %}<s>{{ m['content'] }}</s>{% endfor %}{% if add_generation_prompt %}<s>{% endif %}"


def tokenizer(special=True):
    """Words, and what is no word by characters."""
    names = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    letters = [chr(code) for code in range(33, 127)]
    vocabulary = {token: number for number, token in enumerate(dict.fromkeys([*names, *letters, *WORDS]))}
    made = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    if special:
        made.post_processor = processors.TemplateProcessing(
            single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
        )
    return PreTrainedTokenizerFast(
        tokenizer_object=made, bos_token="<s>", eos_token="</s>", pad_token="<pad>", unk_token="<unk>", mask_token="<mask>",
        model_max_length=128,
    )  # fmt: skip


def encoder_folder(folder):
    """An encoder like XLM-R."""
    own = tokenizer()
    torch.manual_seed(0)
    config = XLMRobertaConfig(
        vocab_size=len(own), hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64,
        max_position_embeddings=140, pad_token_id=1, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0,
    )  # fmt: skip
    XLMRobertaModel(config).save_pretrained(folder)
    own.save_pretrained(folder)
    return folder


def language_model_folder(folder, chat=False):
    """A causal language model like Llama."""
    own = tokenizer(special=False)
    if chat:
        own.chat_template = CHAT
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(own), hidden_size=32, num_hidden_layers=2, num_attention_heads=2, num_key_value_heads=2,
        intermediate_size=64, max_position_embeddings=256, initializer_range=0.5,
    )  # fmt: skip
    LlamaForCausalLM(config).save_pretrained(folder)
    own.save_pretrained(folder)
    return folder
