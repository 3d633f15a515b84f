#!/usr/bin/env python3
"""Makes the golden networks of every architecture but BERT's first in tests/golden/arch from Hugging Face transformers.

    python3 tools/make_goldens_arch.py [tests/golden/arch]
    python3 tools/make_goldens_arch.py --llama [tests/golden/arch]
    python3 tools/make_goldens_arch.py --seeds tests/fuzz/corpus/gguf
    python3 tools/make_goldens_arch.py --quant build/tests/test_arch_quant_model [tests/golden/arch/quant.txt]

Needs torch, transformers and gguf (not needed to build or test); --llama compares the files with what llama.cpp (package
llama_cpp) makes of them, and writes nothing; --seeds cuts them to two layers for the fuzzer. Weights are random, seeds fixed: the same versions give the same files.

    <name>.gguf  metadata and tensors under llama.cpp's names
    <name>.txt   ids <tab> vector: by transformers in double precision, pooled as the file says, through its dense layers
                 where it has some, normalised
    quant.txt    architecture <tab> type <tab> every 8th element of llama.cpp's vector of a network with such tensors; the
                 files come from the program of tests/model/test_arch_quant.c
    rank.txt     ids <tab> where the second text begins <tab> score
"""
import os
import pathlib
import subprocess
import sys
import tempfile

import gguf
import numpy as np
import torch
import transformers
from gguf import PoolingType
from make_goldens import SPECIAL, VOCABULARY, hex_floats

LENGTHS = (1, 2, 3, 7, 13, 14, 15, 33)
PLACES = 40


def base_writer(path, arch, config, pooling):
    writer = gguf.GGUFWriter(path, arch)
    writer.add_name("tiny " + path.stem)
    writer.add_context_length(PLACES)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_head_count(config.num_attention_heads)
    writer.add_pooling_type(pooling)
    writer.add_tokenizer_model("bert")
    writer.add_token_list([w if w in SPECIAL else w[2:] if w.startswith("##") else "\u2581" + w for w in VOCABULARY])
    writer.add_token_types([gguf.TokenType.CONTROL if w in SPECIAL else gguf.TokenType.NORMAL for w in VOCABULARY])
    for key, word in (("unknown", "[UNK]"), ("seperator", "[SEP]"), ("padding", "[PAD]"), ("mask", "[MASK]"),
                      ("cls", "[CLS]"), ("bos", "[CLS]"), ("eos", "[SEP]")):
        writer.add_uint32(f"tokenizer.ggml.{key}_token_id", SPECIAL.index(word))
    return writer


def randomise(model, seed, norm_centre=1.0):
    """Larger than the usual 0.02, so that attention, gates and norms all matter to the result."""
    generator = torch.Generator().manual_seed(seed)
    state = model.state_dict()
    for key, tensor in state.items():
        if not tensor.is_floating_point() or "inv_freq" in key or "embed_scale" in key:
            continue
        is_norm = "norm" in key.lower() and key.endswith("weight")
        scale = 0.3 if tensor.ndim == 2 else 0.2
        state[key] = torch.randn(tensor.shape, generator=generator) * scale + (norm_centre if is_norm else 0.0)
    model.load_state_dict(state)
    return model.eval()


def write_tensors(writer, model, rename, change=lambda name, values: values, extra=()):
    for key, tensor in model.state_dict().items():
        name = rename(key)
        if name:
            writer.add_tensor(name, np.ascontiguousarray(change(name, tensor.float().numpy())))
    for name, values in extra:
        writer.add_tensor(name, values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def renamer(fixed, layer_prefix, layer):
    """Names of a state dict to llama.cpp's: fixed ones, and those of layers ("" where nothing stands for a tensor)."""
    def rename(key):
        base, _, suffix = key.rpartition(".")
        if base in fixed:
            return f"{fixed[base]}.{suffix}"
        if base.startswith(layer_prefix):
            number, _, rest = base[len(layer_prefix):].partition(".")
            if rest in layer:
                return f"blk.{number}.{layer[rest]}.{suffix}"
        return None
    return rename


def random_ids(rng, length):
    return [2] + rng.integers(5, len(VOCABULARY), max(length - 2, 0)).tolist() + [3] * (length > 1)


def write_vectors(path, model, pooling, dense=()):
    rng = np.random.default_rng(13)
    model = model.double()
    lines = []
    for length in LENGTHS:
        ids = random_ids(rng, length)
        with torch.no_grad():
            hidden = model(input_ids=torch.tensor([ids])).last_hidden_state[0]
        vector = {PoolingType.MEAN: hidden.mean(0), PoolingType.CLS: hidden[0], PoolingType.LAST: hidden[-1]}[pooling]
        for _, matrix in dense:
            vector = torch.tensor(matrix, dtype=torch.float64) @ vector
        vector = torch.nn.functional.normalize(vector, dim=0)
        lines.append(",".join(map(str, ids)) + "\t" + hex_floats(vector.numpy()) + "\n")
    path.with_suffix(".txt").write_text("".join(lines))


SHAPE = dict(vocab_size=len(VOCABULARY), max_position_embeddings=PLACES, attn_implementation="eager", pad_token_id=0)


def make_nomic(path):
    config = transformers.NomicBertConfig(hidden_size=24, num_hidden_layers=2, num_attention_heads=3, intermediate_size=40,
                                          type_vocab_size=2, hidden_act="silu", layer_norm_eps=1e-12,
                                          rope_parameters={"rope_type": "default", "rope_theta": 1000.0}, **SHAPE)
    model = randomise(transformers.NomicBertModel(config, add_pooling_layer=False), 21)
    writer = base_writer(path, "nomic-bert", config, PoolingType.MEAN)
    writer.add_layer_norm_eps(1e-12)
    writer.add_causal_attention(False)
    writer.add_rope_freq_base(1000.0)
    writer.add_token_type_count(2)
    state = model.state_dict()
    qkv = [(f"blk.{i}.attn_qkv.weight", torch.cat([state[f"layers.{i}.self_attn.{p}_proj.weight"] for p in "qkv"]).numpy())
           for i in range(config.num_hidden_layers)]
    write_tensors(writer, model, renamer(
        {"embeddings.word_embeddings": "token_embd", "embeddings.token_type_embeddings": "token_types",
         "embeddings.LayerNorm": "token_embd_norm"}, "layers.",
        {"self_attn.o_proj": "attn_output", "post_attention_layernorm": "attn_output_norm", "mlp.gate_proj": "ffn_gate",
         "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down", "post_mlp_layernorm": "layer_output_norm"}), extra=qkv)
    write_vectors(path, model, PoolingType.MEAN)


def make_modern(path):
    config = transformers.ModernBertConfig(hidden_size=16, num_hidden_layers=4, num_attention_heads=2,
                                           intermediate_size=24, global_attn_every_n_layers=3, local_attention=8,
                                           norm_eps=1e-5, global_rope_theta=160000.0, local_rope_theta=10000.0, **SHAPE)
    model = randomise(transformers.ModernBertModel(config), 22)
    writer = base_writer(path, "modern-bert", config, PoolingType.CLS)
    writer.add_layer_norm_eps(1e-5)
    writer.add_causal_attention(False)
    writer.add_sliding_window(8)
    writer.add_uint32("modern-bert.attention.sliding_window_pattern", 3)
    writer.add_rope_freq_base(160000.0)
    writer.add_float32("modern-bert.rope.freq_base_swa", 10000.0)
    write_tensors(writer, model, renamer(
        {"embeddings.tok_embeddings": "token_embd", "embeddings.norm": "token_embd_norm", "final_norm": "output_norm"},
        "layers.", {"attn_norm": "attn_norm", "attn.Wqkv": "attn_qkv", "attn.Wo": "attn_output", "mlp_norm": "ffn_norm",
                    "mlp.Wi": "ffn_up", "mlp.Wo": "ffn_down"}))
    write_vectors(path, model, PoolingType.CLS)


DECODER_FIXED = {"embed_tokens": "token_embd", "norm": "output_norm"}
DECODER_LAYER = {"self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
                 "self_attn.o_proj": "attn_output", "self_attn.q_norm": "attn_q_norm", "self_attn.k_norm": "attn_k_norm",
                 "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down",
                 "input_layernorm": "attn_norm"}


def make_qwen(path, arch, config, model):
    model = randomise(model, 23)
    writer = base_writer(path, arch, config, PoolingType.LAST)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(1000000.0)
    if arch == "qwen3":
        writer.add_key_length(config.head_dim)
        writer.add_value_length(config.head_dim)
    write_tensors(writer, model, renamer(DECODER_FIXED, "layers.",
                                         DECODER_LAYER | {"post_attention_layernorm": "ffn_norm"}))
    write_vectors(path, model, PoolingType.LAST)


def make_qwens(out):
    shape = SHAPE | dict(hidden_size=24, num_hidden_layers=2, num_key_value_heads=2, intermediate_size=40, rms_norm_eps=1e-6,
                         rope_parameters={"rope_type": "default", "rope_theta": 1000000.0})
    config = transformers.Qwen2Config(num_attention_heads=4, use_sliding_window=False,
                                      **(shape | dict(hidden_size=32)))
    make_qwen(out / "qwen2.gguf", "qwen2", config, transformers.Qwen2Model(config))
    config = transformers.Qwen3Config(num_attention_heads=4, head_dim=8, use_sliding_window=False, **shape)
    make_qwen(out / "qwen3.gguf", "qwen3", config, transformers.Qwen3Model(config))


def make_gemma(path, arch, both_ways):
    config = transformers.Gemma3TextConfig(
        hidden_size=16, num_hidden_layers=7, num_attention_heads=4, num_key_value_heads=2, head_dim=8, intermediate_size=24,
        rms_norm_eps=1e-6, sliding_window=8, query_pre_attn_scalar=8, use_bidirectional_attention=both_ways,
        hidden_activation="gelu_pytorch_tanh", rope_theta=1000000.0, rope_local_base_freq=10000.0, **SHAPE)
    model = randomise(transformers.Gemma3TextModel(config), 24, norm_centre=0.0)
    pooling = PoolingType.MEAN if both_ways else PoolingType.LAST
    writer = base_writer(path, arch, config, pooling)
    writer.add_head_count_kv(2)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_key_length(8)
    writer.add_value_length(8)
    writer.add_rope_freq_base(1000000.0)
    writer.add_sliding_window(8)
    rng = np.random.default_rng(5)
    dense = []
    if both_ways:
        dense = [("dense_2.weight", rng.normal(0, 0.3, (40, 16)).astype(np.float32)),
                 ("dense_3.weight", rng.normal(0, 0.3, (16, 40)).astype(np.float32))]
        for name, rows, cols in (("dense_2", 40, 16), ("dense_3", 16, 40)):
            writer.add_uint32(f"{arch}.{name}_feat_in", cols)
            writer.add_uint32(f"{arch}.{name}_feat_out", rows)
    layer = DECODER_LAYER | {"post_attention_layernorm": "post_attention_norm", "pre_feedforward_layernorm": "ffn_norm",
                             "post_feedforward_layernorm": "post_ffw_norm"}
    write_tensors(writer, model, renamer(DECODER_FIXED, "layers.", layer),
                  lambda name, values: values + 1.0 if "norm" in name else values, dense)
    write_vectors(path, model, pooling, dense)


BERT_LAYER = {"attention.self.query": "attn_q", "attention.self.key": "attn_k", "attention.self.value": "attn_v",
              "attention.output.dense": "attn_output", "attention.output.LayerNorm": "attn_output_norm",
              "intermediate.dense": "ffn_up", "output.dense": "ffn_down", "output.LayerNorm": "layer_output_norm"}


def bert_renamer(prefix, fixed):
    tables = {"word_embeddings": "token_embd", "position_embeddings": "position_embd",
              "token_type_embeddings": "token_types", "LayerNorm": "token_embd_norm"}
    return renamer({f"{prefix}embeddings.{k}": v for k, v in tables.items()} | fixed, f"{prefix}encoder.layer.", BERT_LAYER)


def make_roberta(path):
    """XLM-RoBERTa (bge-m3, e5): positions begin behind the padding's, which the file leaves out; one token type."""
    config = transformers.XLMRobertaConfig(hidden_size=24, num_hidden_layers=2, num_attention_heads=3, intermediate_size=40,
                                           type_vocab_size=1, layer_norm_eps=1e-5,
                                           **(SHAPE | dict(max_position_embeddings=PLACES + 1)))
    model = randomise(transformers.XLMRobertaModel(config, add_pooling_layer=False), 25)
    writer = base_writer(path, "bert", config, PoolingType.CLS)
    writer.add_layer_norm_eps(1e-5)
    writer.add_causal_attention(False)
    writer.add_token_type_count(1)
    write_tensors(writer, model, bert_renamer("", {}),
                  lambda name, values: values[1:] if name == "position_embd.weight" else values)
    write_vectors(path, model, PoolingType.CLS)


def make_rank(path):
    """A cross-encoder as ms-marco-MiniLM: BERT, its pooler, a classifier of one label; the document is of type 1."""
    config = transformers.BertConfig(hidden_size=24, num_hidden_layers=2, num_attention_heads=3, intermediate_size=40,
                                     type_vocab_size=2, layer_norm_eps=1e-12, num_labels=1, **SHAPE)
    model = randomise(transformers.BertForSequenceClassification(config), 26)
    writer = base_writer(path, "bert", config, PoolingType.RANK)
    writer.add_layer_norm_eps(1e-12)
    writer.add_causal_attention(False)
    writer.add_token_type_count(2)
    write_tensors(writer, model, bert_renamer("bert.", {"bert.pooler.dense": "cls", "classifier": "cls.output"}))
    rng, model, lines = np.random.default_rng(13), model.double(), []
    for query, doc in ((1, 1), (3, 5), (5, 0), (4, 20), (17, 3), (12, 18)):
        ids = [2] + rng.integers(5, len(VOCABULARY), query).tolist() + [3]
        second = len(ids)
        ids += rng.integers(5, len(VOCABULARY), doc).tolist() + [3]
        types = [0] * second + [1] * (len(ids) - second)
        with torch.no_grad():
            score = model(input_ids=torch.tensor([ids]), token_type_ids=torch.tensor([types])).logits[0]
        lines.append(",".join(map(str, ids)) + f"\t{second}\t" + hex_floats(score.numpy()) + "\n")
    path.with_suffix(".txt").write_text("".join(lines))


def llama_open(path):
    import llama_cpp
    return llama_cpp.Llama(str(path), embedding=True, n_ctx=64, n_batch=64, n_ubatch=64, verbose=False)


def llama_vector(model, ids):
    """The pooled vector, as the file says, normalised."""
    import llama_cpp
    batch = llama_cpp.llama_batch_init(64, 0, 1)
    batch.n_tokens = len(ids)
    for i, token in enumerate(ids):
        batch.token[i], batch.pos[i], batch.n_seq_id[i], batch.logits[i] = token, i, 1, 1
        batch.seq_id[i][0] = 0
    memory = llama_cpp.llama_get_memory(model.ctx)
    if memory:
        llama_cpp.llama_memory_clear(memory, True)
    assert llama_cpp.llama_decode(model.ctx, batch) == 0
    got = np.array(llama_cpp.llama_get_embeddings_seq(model.ctx, 0)[:model.n_embd()])
    llama_cpp.llama_batch_free(batch)
    return got / np.linalg.norm(got)


def compare_llama(out):
    for text in sorted(out.glob("*.txt")):
        path = text.with_suffix(".gguf")
        if path.stem in ("rank", "quant"):
            continue
        model, low, worst = llama_open(path), 1.0, 0.0
        for row in (line.split("\t") for line in text.read_text().splitlines()):
            want = np.frombuffer(bytes.fromhex(row[1]), "<f4")
            got = llama_vector(model, list(map(int, row[0].split(","))))[:len(want)]
            low, worst = min(low, float(got @ want)), max(worst, float(np.abs(got - want).max()))
        print(f"{path.stem:12} lowest cosine {low:.7f} largest difference {worst:.2e}")


def make_quant(program, out):
    """llama.cpp's vectors of the files that the test program writes: every 8th element of each."""
    ids = [2] + [5 + i * 7 % 80 for i in range(1, 13)] + [3]
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([program], check=True, env=os.environ | {"PYTHIA_QUANT_DIR": folder})
        lines = []
        for path in sorted(pathlib.Path(folder).glob("*.gguf")):
            arch, kind = path.stem.split(".")
            lines.append(f"{arch}\t{kind}\t{hex_floats(llama_vector(llama_open(path), ids)[::8])}\n")
        out.write_text("".join(lines))


def make_seeds(goldens, out):
    """Each golden network with its first two layers only, in half precision."""
    for path in sorted(goldens.glob("*.gguf")):
        reader = gguf.GGUFReader(path)
        arch = reader.fields["general.architecture"].contents()
        writer = gguf.GGUFWriter(out / f"arch_{path.stem}.gguf", arch)
        for name, field in reader.fields.items():
            if name.startswith("GGUF.") or name == "general.architecture":
                continue
            value = 2 if name.endswith(".block_count") else field.contents()
            writer.add_key_value(name, value, field.types[0], field.types[-1] if len(field.types) > 1 else None)
        for tensor in reader.tensors:
            number = tensor.name.split(".")[1]
            if not (tensor.name.startswith("blk.") and int(number) >= 2):
                values = tensor.data.astype(np.float16) if tensor.data.ndim == 2 else tensor.data
                writer.add_tensor(tensor.name, values)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()


def main():
    words = [w for w in sys.argv[1:] if not w.startswith("--")]
    if "--seeds" in sys.argv:
        return make_seeds(pathlib.Path("tests/golden/arch"), pathlib.Path(words[0]))
    if "--quant" in sys.argv:
        return make_quant(words[0], pathlib.Path(words[1] if len(words) > 1 else "tests/golden/arch/quant.txt"))
    out = pathlib.Path(words[0] if words else "tests/golden/arch")
    if "--llama" in sys.argv:
        return compare_llama(out)
    out.mkdir(parents=True, exist_ok=True)
    make_nomic(out / "nomic.gguf")
    make_modern(out / "modern.gguf")
    make_qwens(out)
    make_gemma(out / "gemma3.gguf", "gemma3", False)
    make_gemma(out / "gemma_embedding.gguf", "gemma-embedding", True)
    make_roberta(out / "roberta.gguf")
    make_rank(out / "rank.gguf")


if __name__ == "__main__":
    main()
