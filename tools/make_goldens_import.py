#!/usr/bin/env python3
"""Makes tests/golden/import: Hugging Face folders of tiny networks with random weights and vocabularies trained here, and what
the references make of them.

    python3 tools/make_goldens_import.py [tests/golden/import]
    python3 tools/make_goldens_import.py --seeds tests/fuzz/corpus/import   the same, smaller, a file each, for the fuzzer
    python3 tools/make_goldens_import.py --llama FOLDER     compares FOLDER/<name>.gguf, as `pythia model import` makes them,
                                                            with expected.txt by llama.cpp

Needs torch, transformers, sentence-transformers, tokenizers (not needed to build or test). Seeds are fixed.

    <name>/…            a folder as save_pretrained leaves it
    <name>/expected.txt one text a line: kind <tab> text in hex <tab> ids <tab> vector in hex; kind is "document" or "query" (of
                        sentence models; by sentence-transformers, prompts and all) or "pair" (of rerankers: the query stands
                        before the text, and the vector is the logit; by CrossEncoder)
"""
import io
import json
import pathlib
import shutil
import sys
import tempfile

import numpy as np
import sentencepiece
import torch
import transformers
from safetensors.torch import load_file, save_file
from sentence_transformers import CrossEncoder, SentenceTransformer
from sentence_transformers.sentence_transformer import modules
from sentencepiece import sentencepiece_model_pb2
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

from make_goldens import hex_floats
from make_goldens_arch import randomise
from make_goldens_tok_bpe import nfkc_rules

TEXTS = ["the quick brown fox", "static int backoff_next(struct backoff *b)", "na\u00efve caf\u00e9, 12345!", "", "  two  spaces\tand a\n\nline ",
         "read the file, then retry with back off on error", "\u65e5\u672c\u8a9e \U0001f600 x", "[MASK] <mask> fox",
         "vector search over the text of the file and the words of the query, a text of more tokens than the model takes"]
CORPUS = TEXTS * 3 + ["the file is read and the query is a text", "int static struct next back off retry error", "search the words of the text",
                      "open the socket then close the socket and retry the read of the file", "return the next token of the vector"] * 4
PLACES = 48
# Not among the texts: "<pad>" spelled out. RoBERTa of transformers gives it the padding's position; we, and llama.cpp, its own.
SEEDS = "--seeds" in sys.argv
SIZES = dict(hidden_size=24, num_hidden_layers=2, num_attention_heads=3, intermediate_size=40)
if SEEDS:
    SIZES = dict(hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8)
    PLACES = 12


# ---- tokenizers ----

def wordpiece():
    tok = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tok.normalizer = normalizers.BertNormalizer()
    tok.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    tok.train_from_iterator(CORPUS, trainers.WordPieceTrainer(vocab_size=150, special_tokens=special, show_progress=False))
    fast = transformers.BertTokenizer(tok.get_vocab())
    fast.model_max_length = PLACES
    return fast


def byte_level(pre, special, post=None, normalizer=None, size=270 if SEEDS else 360):
    """A vocabulary of all bytes and some merges, cut by `pre`."""
    tok = Tokenizer(models.BPE())
    tok.pre_tokenizer = pre
    if normalizer:
        tok.normalizer = normalizer
    tok.train_from_iterator(CORPUS, trainers.BpeTrainer(vocab_size=size, special_tokens=special, show_progress=False,
                                                        initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    tok.decoder = decoders.ByteLevel()
    if post:
        tok.post_processor = post(tok)
    return tok


def template(single, pair, *names):
    return lambda tok: processors.TemplateProcessing(single=single, pair=pair, special_tokens=[(n, tok.token_to_id(n)) for n in names])


GPT2 = pre_tokenizers.ByteLevel(add_prefix_space=False)
QWEN2 = pre_tokenizers.Sequence([
    pre_tokenizers.Split(Regex(r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"), "isolated"),
    pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])


def roberta_tokenizer():
    special = ["<s>", "<pad>", "</s>", "<unk>", AddedToken("<mask>", lstrip=True)]
    tok = byte_level(GPT2, special)
    tok.post_processor = processors.RobertaProcessing(("</s>", tok.token_to_id("</s>")), ("<s>", tok.token_to_id("<s>")), add_prefix_space=False)
    return transformers.PreTrainedTokenizerFast(tokenizer_object=tok, bos_token="<s>", eos_token="</s>", sep_token="</s>", cls_token="<s>", unk_token="<unk>",
                                                pad_token="<pad>", mask_token=AddedToken("<mask>", lstrip=True), model_max_length=PLACES)


def modern_tokenizer():
    special = ["[UNK]", "[CLS]", "[SEP]", "[PAD]", AddedToken("[MASK]", lstrip=True)]
    tok = byte_level(GPT2, special, template("[CLS] $A [SEP]", "[CLS] $A [SEP] $B [SEP]", "[CLS]", "[SEP]"), normalizers.NFC())
    tok.add_tokens([AddedToken("   ", normalized=True, special=False), AddedToken("|||EMAIL|||", normalized=True, special=False)])
    return transformers.PreTrainedTokenizerFast(tokenizer_object=tok, unk_token="[UNK]", sep_token="[SEP]", cls_token="[CLS]", pad_token="[PAD]",
                                                mask_token=AddedToken("[MASK]", lstrip=True), model_max_length=PLACES)


def qwen_tokenizer(ends):
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    post = template("$A <|endoftext|>", "$A <|endoftext|> $B <|endoftext|>", "<|endoftext|>") if ends else None
    tok = byte_level(QWEN2, special, None, normalizers.NFC())
    if ends:
        tok.post_processor = processors.Sequence([processors.ByteLevel(trim_offsets=False), post(tok)])
    return transformers.PreTrainedTokenizerFast(tokenizer_object=tok, eos_token="<|im_end|>", pad_token="<|endoftext|>", model_max_length=PLACES, padding_side="left")


def all_merges(vocab):
    """As transformers makes them of a SentencePiece model: every way of making a token of two others, by the token's rank."""
    merges = []
    for text, _ in sorted(vocab.items(), key=lambda item: item[1]):
        local = [(text[:i], text[i:]) for i in range(1, len(text)) if text[:i] in vocab and text[i:] in vocab]
        merges += sorted(local, key=lambda m: (vocab[m[0]], vocab[m[1]]))
    return merges


def gemma_tokenizer():
    special = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>"]
    tok = Tokenizer(models.BPE(unk_token="<unk>"))
    tok.normalizer = normalizers.Replace(" ", "\u2581")
    tok.pre_tokenizer = pre_tokenizers.Split(Regex("(?<=.)(?=\u2581)"), "isolated")
    tok.train_from_iterator(CORPUS, trainers.BpeTrainer(vocab_size=180, special_tokens=special, show_progress=False, limit_alphabet=60))
    learned = [t for t, _ in sorted(tok.get_vocab().items(), key=lambda item: item[1]) if t not in special]
    tokens = special + ["<0x%02X>" % b for b in range(256)] + ["\n\n", "\u2581\u2581"] + [t for t in learned if len(t) > 1] + [t for t in learned if len(t) == 1]
    tokens += [t for t in ("\u2581", "\n") if t not in tokens]
    tokens = list(dict.fromkeys(tokens))
    vocab = {t: i for i, t in enumerate(tokens)}
    tok = Tokenizer(models.BPE(vocab=vocab, merges=all_merges(vocab), unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    tok.normalizer = normalizers.Replace(" ", "\u2581")
    tok.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    tok.add_special_tokens([AddedToken(t, normalized=False) for t in special])
    tok.add_tokens([AddedToken(t, normalized=False) for t in ("\n\n", "\u2581\u2581")])
    tok.add_special_tokens(["<image_soft_token>"])  # behind the network's last row, as Gemma 3 has it
    tok.post_processor = template("<bos> $A <eos>", "<bos> $A <eos> <bos> $B <eos>", "<bos>", "<eos>")(tok)
    return transformers.PreTrainedTokenizerFast(tokenizer_object=tok, bos_token="<bos>", eos_token="<eos>", unk_token="<unk>", pad_token="<pad>", mask_token="<mask>",
                                                model_max_length=PLACES), len(tokens)


def unigram_tokenizer(newer):
    """XLM-RoBERTa's; newer: words by Metaspace alone, runs of spaces replaced, as converters write it since 2024."""
    file = io.BytesIO()
    with tempfile.TemporaryDirectory() as folder:
        rules = nfkc_rules(pathlib.Path(folder) / "rules.tsv")
        sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter(t.replace("\n", " ") for t in CORPUS if t), model_writer=file, vocab_size=88, model_type="unigram",
                                                 character_coverage=0.98, normalization_rule_tsv=str(rules), minloglevel=2)
    proto = sentencepiece_model_pb2.ModelProto.FromString(file.getvalue())
    vocab = [("<s>", 0.0), ("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0)] + [(p.piece, p.score) for p in proto.pieces[3:]] + [("<mask>", 0.0)]
    tok = Tokenizer(models.Unigram(vocab, unk_id=3, byte_fallback=False))
    tok.normalizer = normalizers.Precompiled(proto.normalizer_spec.precompiled_charsmap)
    tok.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace(prepend_scheme="always")])
    if newer:
        tok.normalizer = normalizers.Sequence([tok.normalizer, normalizers.Strip(left=False, right=True), normalizers.Replace(Regex(" {2,}"), "\u2581")])
        tok.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    tok.add_special_tokens([AddedToken(t, normalized=False) for t in ("<s>", "<pad>", "</s>", "<unk>")] + [AddedToken("<mask>", lstrip=True, normalized=False)])
    tok.post_processor = template("<s> $A </s>", "<s> $A </s> </s> $B </s>", "<s>", "</s>")(tok)
    return transformers.PreTrainedTokenizerFast(tokenizer_object=tok, bos_token="<s>", eos_token="</s>", sep_token="</s>", cls_token="<s>", unk_token="<unk>",
                                                pad_token="<pad>", mask_token=AddedToken("<mask>", lstrip=True), model_max_length=PLACES)


# ---- folders ----

def strip(folder):
    """What the tests do not need; tokenizers are read as they are, weights shrink to their own bytes."""
    for path in folder.rglob("README.md"):
        path.unlink()
    path = folder / "tokenizer.json"
    path.write_text(json.dumps(json.loads(path.read_text()), ensure_ascii=False, separators=(",", ":")))


def as_dtype(folder, dtype, shards=1):
    """The weights again, in another type or in parts."""
    path = folder / "model.safetensors"
    state = {k: v.to(dtype).contiguous() for k, v in load_file(path).items()}
    if shards == 1:
        return save_file(state, path, {"format": "pt"})
    path.unlink()
    names, where = sorted(state), {}
    for part in range(shards):
        file = f"model-{part + 1:05}-of-{shards:05}.safetensors"
        own = {n: state[n] for n in names[part::shards]}
        where |= {n: file for n in own}
        save_file(own, folder / file, {"format": "pt"})
    index = {"metadata": {"total_size": sum(v.nbytes for v in state.values())}, "weight_map": where}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index, indent=1))


def sentence_folder(out, name, model, tokenizer, pooling, steps=(), prompts=None, normalize=True, dtype=None, shards=1, seed=31, norm_centre=1.0):
    folder = out / name
    shutil.rmtree(folder, ignore_errors=True)
    randomise(model, seed, norm_centre)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    if dtype or shards > 1:
        as_dtype(folder, dtype or torch.float32, shards)
    width = model.config.hidden_size
    parts = [modules.Transformer(str(folder)), modules.Pooling(width, pooling), *steps] + ([modules.Normalize()] if normalize else [])
    for step in steps:
        torch.nn.init.normal_(step.linear.weight, std=0.3, generator=torch.Generator().manual_seed(7))
    first = SentenceTransformer(modules=parts, prompts=prompts or {}, device="cpu")
    kept = folder.with_name(name + ".kept")
    shutil.copytree(folder, kept)
    first.save(str(folder))
    for path in kept.glob("*"):  # weights, configuration and tokenizer as they were before: other types, parts
        shutil.copy(path, folder / path.name)
    if shards > 1:
        (folder / "model.safetensors").unlink(missing_ok=True)
    shutil.rmtree(kept)
    strip(folder)
    write_sentences(folder)


def write_sentences(folder):
    if SEEDS:
        return
    model = SentenceTransformer(str(folder), device="cpu", model_kwargs={"attn_implementation": "eager", "dtype": torch.float32})
    model.double()
    lines = []
    for kind in ("document", "query"):
        for text in TEXTS:
            encode = model.encode_document if kind == "document" else model.encode_query
            prefix = model.prompts.get(kind) or ""
            ids = model.tokenizer(prefix + text, truncation=True, max_length=model.max_seq_length)["input_ids"]
            if not ids:
                continue
            vector = encode(text, convert_to_numpy=True)
            lines.append("\t".join((kind, text.encode().hex(), ",".join(map(str, ids)), hex_floats(vector))) + "\n")
    (folder / "expected.txt").write_text("".join(lines))


def rank_folder(out, name, model, tokenizer, seed=41, keep_modules=False):
    folder = out / name
    shutil.rmtree(folder, ignore_errors=True)
    randomise(model, seed)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    if keep_modules:
        CrossEncoder(str(folder), device="cpu").save(str(folder))
    strip(folder)
    if SEEDS:
        return
    cross = CrossEncoder(str(folder), device="cpu", model_kwargs={"attn_implementation": "eager"}, activation_fn=torch.nn.Identity())
    cross.model.double()
    lines, query = [], "read the file"
    for text in TEXTS:
        if not text:  # by transformers no text at all
            continue
        ids = cross.tokenizer(query, text, truncation=True, max_length=PLACES)["input_ids"]
        score = cross.predict([(query, text)], convert_to_numpy=True)
        lines.append("\t".join(("pair", text.encode().hex(), ",".join(map(str, ids)), hex_floats(np.atleast_1d(score)))) + "\n")
    (folder / "expected.txt").write_text(query.encode().hex() + "\n" + "".join(lines))


# ---- networks ----

def encoders(out):
    tok = wordpiece()
    shape = SIZES | dict(vocab_size=len(tok), max_position_embeddings=PLACES, pad_token_id=tok.pad_token_id)
    sentence_folder(out, "bert", transformers.BertModel(transformers.BertConfig(**shape)), tok, "mean", dtype=torch.float16)
    distil = transformers.DistilBertConfig(vocab_size=len(tok), max_position_embeddings=PLACES, dim=SIZES["hidden_size"], n_layers=SIZES["num_hidden_layers"],
                                           n_heads=SIZES["num_attention_heads"], hidden_dim=SIZES["intermediate_size"])
    sentence_folder(out, "distilbert", transformers.DistilBertModel(distil), tok, "cls", normalize=False)
    nomic = transformers.NomicBertConfig(type_vocab_size=2, rope_parameters={"rope_type": "default", "rope_theta": 1000.0}, **shape)
    sentence_folder(out, "nomic", transformers.NomicBertModel(nomic, add_pooling_layer=False), tok, "mean",
                    prompts={"query": "search_query: ", "document": "search_document: "})
    rank_folder(out, "bert_rank", transformers.BertForSequenceClassification(transformers.BertConfig(num_labels=1, **shape)), tok)
    distil.num_labels = 1
    rank_folder(out, "distilbert_rank", transformers.DistilBertForSequenceClassification(distil), tok)

    tok = roberta_tokenizer()
    shape |= dict(vocab_size=len(tok), max_position_embeddings=PLACES + 2, pad_token_id=1, type_vocab_size=1, layer_norm_eps=1e-5)
    rank_folder(out, "roberta_rank", transformers.RobertaForSequenceClassification(transformers.RobertaConfig(num_labels=1, **shape)), tok, keep_modules=True)
    sentence_folder(out, "roberta", transformers.RobertaModel(transformers.RobertaConfig(**shape), add_pooling_layer=False), tok, "mean")

    for newer in (False, True):
        tok = unigram_tokenizer(newer)
        shape["vocab_size"] = len(tok)
        if newer:
            rank_folder(out, "xlmr_rank", transformers.XLMRobertaForSequenceClassification(transformers.XLMRobertaConfig(num_labels=1, **shape)), tok)
        else:
            sentence_folder(out, "xlmr", transformers.XLMRobertaModel(transformers.XLMRobertaConfig(**shape), add_pooling_layer=False), tok, "cls")

    tok = modern_tokenizer()
    modern = dict(hidden_size=16, num_hidden_layers=1 if SEEDS else 4, num_attention_heads=2, intermediate_size=24, vocab_size=len(tok), max_position_embeddings=PLACES,
                  global_attn_every_n_layers=3, local_attention=8, pad_token_id=tok.pad_token_id, cls_token_id=1, sep_token_id=2, bos_token_id=1, eos_token_id=2)
    sentence_folder(out, "modern", transformers.ModernBertModel(transformers.ModernBertConfig(**modern)), tok, "cls", prompts={"query": "search_query: ", "document": "search_document: "})
    for pooling in ("mean", "cls"):
        config = transformers.ModernBertConfig(num_labels=1, classifier_pooling=pooling, **modern)
        rank_folder(out, f"modern_rank_{pooling}", transformers.ModernBertForSequenceClassification(config), tok)


def decoders_(out):
    tok = qwen_tokenizer(True)
    shape = dict(vocab_size=len(tok) + 8, hidden_size=SIZES["hidden_size"], num_hidden_layers=SIZES["num_hidden_layers"], num_attention_heads=4, num_key_value_heads=2,
                 intermediate_size=SIZES["intermediate_size"], max_position_embeddings=PLACES,
                 rope_parameters={"rope_type": "default", "rope_theta": 1000000.0}, use_sliding_window=False)
    sentence_folder(out, "qwen3", transformers.Qwen3Model(transformers.Qwen3Config(head_dim=8, **shape)), tok, "lasttoken", dtype=torch.bfloat16,
                    prompts={"query": "Instruct: find\nQuery:", "document": ""})
    tok = qwen_tokenizer(False)
    shape |= dict(hidden_size=8 if SEEDS else 32)
    sentence_folder(out, "qwen2", transformers.Qwen2Model(transformers.Qwen2Config(**shape)), tok, "lasttoken", shards=3,
                    prompts={"query": "Represent this query for searching relevant code: "})
    tok, rows = gemma_tokenizer()
    gemma = dict(vocab_size=rows, hidden_size=16, num_hidden_layers=1 if SEEDS else 7, num_attention_heads=4, num_key_value_heads=2, head_dim=8, intermediate_size=24, sliding_window=8,
                 query_pre_attn_scalar=10, max_position_embeddings=PLACES, bos_token_id=2, eos_token_id=1, pad_token_id=0)
    dense = [modules.Dense(16, 40, bias=False, activation_function=torch.nn.Identity()), modules.Dense(40, 16, bias=False, activation_function=torch.nn.Identity())]
    config = transformers.Gemma3TextConfig(use_bidirectional_attention=True, **gemma)
    window = config.sliding_window
    sentence_folder(out, "gemma_embedding", transformers.Gemma3TextModel(config), tok, "mean", steps=dense, norm_centre=0.0,
                    prompts={"query": "task: search result | query: ", "document": "title: none | text: "})
    # transformers halves the window whenever it reads a configuration, and writes the half; the hub's file has the whole.
    path = out / "gemma_embedding" / "config.json"
    told = json.loads(path.read_text()) | {"sliding_window": 8}
    path.write_text(json.dumps(told, indent=2))
    write_sentences(out / "gemma_embedding")
    assert window == 5, window


def compare_llama(folder):
    import llama_cpp
    goldens = pathlib.Path("tests/golden/import")
    for path in sorted(folder.glob("*.gguf")):
        rows = [line.split("\t") for line in (goldens / path.stem / "expected.txt").read_text().splitlines()]
        if len(rows[0]) == 1:
            continue
        model = llama_cpp.Llama(str(path), embedding=True, n_ctx=64, n_batch=64, n_ubatch=64, verbose=False)
        low, ids_differ = 1.0, 0
        for _, text, ids, vector in rows:
            ids, want = list(map(int, ids.split(","))), np.frombuffer(bytes.fromhex(vector), "<f4")
            batch = llama_cpp.llama_batch_init(64, 0, 1)
            batch.n_tokens = len(ids)
            for i, token in enumerate(ids):
                batch.token[i], batch.pos[i], batch.n_seq_id[i], batch.logits[i] = token, i, 1, 1
                batch.seq_id[i][0] = 0
            memory = llama_cpp.llama_get_memory(model.ctx)
            if memory:
                llama_cpp.llama_memory_clear(memory, True)
            assert llama_cpp.llama_decode(model.ctx, batch) == 0
            got = np.array(llama_cpp.llama_get_embeddings_seq(model.ctx, 0)[:len(want)])
            low = min(low, float(got @ want / np.linalg.norm(got) / np.linalg.norm(want)))
            llama_cpp.llama_batch_free(batch)
        print(f"{path.stem:16} lowest cosine {low:.7f}")


def make_seeds(out):
    """A folder as one file: "=== name", a line feed, the file's bytes, a line feed."""
    with tempfile.TemporaryDirectory() as work:
        encoders(pathlib.Path(work))
        decoders_(pathlib.Path(work))
        out.mkdir(parents=True, exist_ok=True)
        for folder in sorted(pathlib.Path(work).iterdir()):
            files = sorted(path for path in folder.rglob("*") if path.is_file())
            parts = [b"=== %s\n%s\n" % (path.relative_to(folder).as_posix().encode(), path.read_bytes()) for path in files]
            (out / folder.name).write_bytes(b"".join(parts))


def main():
    words = [w for w in sys.argv[1:] if not w.startswith("--")]
    if "--llama" in sys.argv:
        return compare_llama(pathlib.Path(words[0]))
    if SEEDS:
        return make_seeds(pathlib.Path(words[0]))
    out = pathlib.Path(words[0] if words else "tests/golden/import")
    out.mkdir(parents=True, exist_ok=True)
    encoders(out)
    decoders_(out)


if __name__ == "__main__":
    main()
