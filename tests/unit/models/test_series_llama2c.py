"""llama2.c models: the same logits as its own arithmetic, the same tokens as its own encoder."""

import struct

import numpy as np
import pytest
import torch

from nucleate.core import CheckpointError, DataError
from nucleate.corpora.blimp import find_data_folder
from nucleate.models.series import SeriesModel, find_series, load_tokenizer, open_weights
from nucleate.models.series.llama2c_tokenizer import llama2c_tokenizer, read_pieces

WIDTH, MLP, LAYERS, HEADS, KV_HEADS, WORDS, CONTEXT = 16, 24, 2, 4, 2, 20, 32


def write_model(path, own_head=False, seed=0):
    """Write a model in version 0 of the layout; return its weights as numpy arrays."""
    rng = np.random.default_rng(seed)
    kv = WIDTH // HEADS * KV_HEADS
    shapes = {
        "embedding": (WORDS, WIDTH),
        "attention_norm": (LAYERS, WIDTH),
        "wq": (LAYERS, WIDTH, WIDTH),
        "wk": (LAYERS, kv, WIDTH),
        "wv": (LAYERS, kv, WIDTH),
        "wo": (LAYERS, WIDTH, WIDTH),
        "mlp_norm": (LAYERS, WIDTH),
        "w1": (LAYERS, MLP, WIDTH),
        "w2": (LAYERS, WIDTH, MLP),
        "w3": (LAYERS, MLP, WIDTH),
        "norm": (WIDTH,),
        "cos_sin": (CONTEXT, WIDTH // HEADS),
    }
    if own_head:
        shapes["head"] = (WORDS, WIDTH)
    weights = {name: rng.normal(0, 0.3, shape).astype("<f4") for name, shape in shapes.items()}
    sizes = (WIDTH, MLP, LAYERS, HEADS, KV_HEADS, -WORDS if own_head else WORDS, CONTEXT)
    content = struct.pack("<7i", *sizes) + b"".join(w.tobytes() for w in weights.values())
    path.write_bytes(content)
    return weights


def forward(w, tokens):
    """The forward pass of `run.c`, one token at a time: neighbouring dimensions turn in pairs."""
    size = WIDTH // HEADS
    keys = [[] for _ in range(LAYERS)]
    values = [[] for _ in range(LAYERS)]
    logits = []
    for position, token in enumerate(tokens):
        x = w["embedding"][token].astype(np.float64)
        for layer in range(LAYERS):
            h = norm(x, w["attention_norm"][layer])
            q = turn(w["wq"][layer] @ h, position, size)
            keys[layer].append(turn(w["wk"][layer] @ h, position, size))
            values[layer].append(w["wv"][layer] @ h)
            out = []
            for head in range(HEADS):
                own = slice(head * size, (head + 1) * size)
                shared = slice(head // 2 * size, (head // 2 + 1) * size)
                scores = np.array([q[own] @ k[shared] for k in keys[layer]]) / np.sqrt(size)
                share = np.exp(scores - scores.max())
                share /= share.sum()
                out.append(sum(s * v[shared] for s, v in zip(share, values[layer], strict=True)))
            x = x + w["wo"][layer] @ np.concatenate(out)
            h = norm(x, w["mlp_norm"][layer])
            gate = w["w1"][layer] @ h
            x = x + w["w2"][layer] @ (gate / (1 + np.exp(-gate)) * (w["w3"][layer] @ h))
        logits.append(w.get("head", w["embedding"]) @ norm(x, w["norm"]))
    return np.array(logits)


def norm(x, weight):
    return x / np.sqrt((x * x).mean() + 1e-5) * weight


def turn(x, position, size):
    out = x.copy()
    for i in range(0, len(x), 2):
        angle = position / 10_000 ** ((i % size) / size)
        a, b = x[i], x[i + 1]
        out[i] = a * np.cos(angle) - b * np.sin(angle)
        out[i + 1] = a * np.sin(angle) + b * np.cos(angle)
    return out


@pytest.mark.parametrize("own_head", [False, True])
def test_logits_are_those_of_llama2c(tmp_path, own_head):
    weights = write_model(tmp_path / "model.bin", own_head)
    (member,) = find_series(str(tmp_path / "model.bin")).members
    opened = open_weights(member)
    model = SeriesModel(opened).load(opened)
    tokens = [1, 5, 3, 19, 7, 7, 0, 12, 4]
    with torch.no_grad():
        logits = model(torch.tensor([tokens])).logits[0].numpy()
    assert np.abs(logits - forward(weights, tokens)).max() < 1e-4


def test_a_file_cut_short_is_refused(tmp_path):
    write_model(tmp_path / "model.bin")
    content = (tmp_path / "model.bin").read_bytes()
    (tmp_path / "model.bin").write_bytes(content[:-5])
    (member,) = find_series(str(tmp_path / "model.bin")).members
    with pytest.raises(CheckpointError, match="is cut short"):
        open_weights(member)


def test_files_of_one_model_are_a_series(tmp_path):
    for step in (500, 20, 1000):
        write_model(tmp_path / f"tale_step{step}.bin", seed=step)
    assert [m.step.step for m in find_series(str(tmp_path)).members] == [20, 500, 1000]
    write_model(tmp_path / "other.bin")
    with pytest.raises(CheckpointError, match="several models, not one series"):
        find_series(str(tmp_path))


PIECES = [
    ("<unk>", 0.0), ("\n<s>\n", 0.0), ("\n</s>\n", 0.0),
    *[(f"<0x{byte:02X}>", 0.0) for byte in range(256)],
    (" t", -1.0), ("he", -2.0), (" the", -3.0), ("ab", -4.0), ("bc", -5.0),
    *[(c, -10.0 - n) for n, c in enumerate(" theabcré")],
]  # fmt: skip


def write_tokenizer(path):
    rows = [struct.pack("<fi", s, len(t.encode())) + t.encode() for t, s in PIECES]
    path.write_bytes(struct.pack("<i", 8) + b"".join(rows))
    return path


def encode_as_llama2c(text, pieces):
    """`encode` of `run.c`: a blank first, characters or bytes, then the best merge, again."""
    ids = {piece: number for number, (piece, _) in enumerate(pieces)}
    tokens = [ids["▁"]] if text else []
    for character in text.replace(" ", "▁"):
        known = character in ids
        tokens += [ids[character]] if known else [byte + 3 for byte in character.encode()]
    while True:
        best = None
        for place in range(len(tokens) - 1):
            joint = ids.get(pieces[tokens[place]][0] + pieces[tokens[place + 1]][0])
            if joint is not None and (best is None or pieces[joint][1] > best[0]):
                best = (pieces[joint][1], joint, place)
        if best is None:
            return tokens
        tokens[best[2] : best[2] + 2] = [best[1]]


@pytest.mark.parametrize(
    "text", ["the", "abc the bc", "thé", "", "a  b", "über\n\tthe", "日本 the", "<s> the"]
)
def test_encoding_is_that_of_llama2c(tmp_path, text):
    pieces = read_pieces(write_tokenizer(tmp_path / "tok.bin"))
    tokenizer = llama2c_tokenizer(pieces)
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    assert ids == encode_as_llama2c(text, pieces)
    assert tokenizer.decode(ids) == text
    assert (tokenizer.bos_token_id, tokenizer.eos_token_id, len(tokenizer)) == (1, 2, len(PIECES))


def test_a_continuation_gets_no_second_blank(tmp_path):
    tokenizer = llama2c_tokenizer(read_pieces(write_tokenizer(tmp_path / "tok.bin")))
    one, other = (tokenizer(t, add_special_tokens=False)["input_ids"] for t in ("the", " the"))
    assert one == other


def test_the_tokenizer_beside_the_model_is_found(tmp_path):
    write_model(tmp_path / "tale.bin")
    series = find_series(str(tmp_path / "tale.bin"))
    write_tokenizer(tmp_path / "tale_tok.bin")  # of another vocabulary
    with pytest.raises(DataError, match="no tokenizer lies beside the model"):
        load_tokenizer(series)
    lines = ["<unk>\t0", "<s>\t0", "</s>\t0", "▁\t-0"] + [f"{chr(97 + n)}\t-{n}" for n in range(16)]
    (tmp_path / "tale.vocab").write_text("\n".join(lines) + "\n")
    tokenizer = load_tokenizer(series)
    assert len(tokenizer) == WORDS
    assert tokenizer("ab", add_special_tokens=False)["input_ids"] == [3, 4, 5]


DATA = find_data_folder()
real = pytest.mark.skipif(DATA is None, reason="no folder of real data (NUCLEATE_DATA)")
STORY = (
    "Once upon a time, there was a little girl named Lily. She loved to play outside in the park. "
    "One day, she saw a big, red ball. She wanted to play with it, but it was too high."
)
"""What stories260K itself writes after its first four words, greedily."""


@real
@pytest.mark.parametrize(
    ("name", "weights", "most"),
    [("stories260K", 260_032, 0.5), ("babyllama_tok105_step5000", 936_448, 0.5)],
)
def test_published_models_know_their_stories(name, weights, most):
    """Weights as published (without the tables of cosines), nats per token of fluent stories."""
    series = find_series(str(DATA / "tiny_models" / f"{name}.bin"))
    tokenizer, opened = load_tokenizer(series), open_weights(series.members[0])
    model = SeriesModel(opened).load(opened)
    assert sum(parameter.numel() for parameter in model.parameters()) == weights
    ids = torch.tensor([[1, *tokenizer(STORY, add_special_tokens=False)["input_ids"]]])
    with torch.no_grad():
        assert model(ids, labels=ids).loss.item() < most


@real
def test_stories260k_writes_that_story_itself():
    series = find_series(str(DATA / "tiny_models" / "stories260K.bin"))
    tokenizer, opened = load_tokenizer(series), open_weights(series.members[0])
    model = SeriesModel(opened).load(opened)
    prompt = [1, *tokenizer("Once upon a time", add_special_tokens=False)["input_ids"]]
    out = model.generate(torch.tensor([prompt]), max_new_tokens=70, do_sample=False)
    assert tokenizer.decode(out[0], skip_special_tokens=True).strip().startswith(STORY[:150])


@real
def test_real_stories_are_encoded_as_llama2c_does():
    import gzip
    import json

    folder = DATA / "tiny_models"
    pieces = read_pieces(folder / "stories260K_tok512.bin")
    tokenizer = llama2c_tokenizer(pieces)
    with gzip.open(DATA / "corpora" / "tinystories.jsonl.gz", "rt") as lines:
        texts = [
            json.loads(line)["text"].strip()[:300]
            for _, line in zip(range(40), lines, strict=False)
        ]
    for text in texts:
        ids = tokenizer(text, add_special_tokens=False)["input_ids"]
        assert ids == encode_as_llama2c(text, pieces)
