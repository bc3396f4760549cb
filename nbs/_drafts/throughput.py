# %% [markdown]
# # Throughput beside Captum
#
# > How many attributions a second, for the same or a smaller error.
#
# The script that this project grew out of called Captum for one pair at a time, padded to 128 tokens, with `n_steps=50`. This page times that, the same without padding (which is fairer to Captum), and vbig, on 300 real pairs, and shows the error of each. After it you know what batching by length, leaving padding out and placing nodes well are worth, each by itself.

# %%
#| hide
import os
os.environ.setdefault("HF_HUB_OFFLINE", "1")
import transformers
transformers.utils.logging.disable_progress_bar()

# %%
import gzip
import json
import os
import time
from pathlib import Path

import pandas as pd
import torch
from captum.attr import IntegratedGradients
from transformers import AutoModelForSequenceClassification, AutoTokenizer, set_seed

from vbig.attribution import attribute, embed, integrated_gradients
from vbig.data import provenance, real_data, replacing
from vbig.planted import tiny_model

# %% [markdown]
# ## Two ways to call Captum, three to call vbig
#
# Each takes lists of texts and attributes the predicted class. Token scores come back as one row a pair, so that errors can be compared. Captum keeps its defaults: 50 Gauss-Legendre nodes, all of them in one pass.

# %%
def by_captum(model, tokenizer, premises, hypotheses, padding):
    "One pair at a time, as the original script did."
    forward = lambda e, mask, types: model(inputs_embeds=e, attention_mask=mask, token_type_ids=types).logits
    explainer, found = IntegratedGradients(forward), []
    for premise, hypothesis in zip(premises, hypotheses):
        one = tokenizer(premise, hypothesis, padding=padding, truncation=True, max_length=128, return_tensors="pt")
        with torch.no_grad(): target = model(**one).logits.argmax(-1)
        rest = (one["attention_mask"], one["token_type_ids"])
        scores = explainer.attribute(embed(model, one).detach(), target=target, n_steps=50, additional_forward_args=rest).sum(-1)
        found.append(scores[0][one["attention_mask"][0].bool()])
    return found

def by_vbig(model, tokenizer, premises, hypotheses, **options):
    "A batch of pairs at a time, through `attribute`."
    found = attribute(model, tokenizer, premises, hypotheses, unit="token", progress=False, **options)
    return [torch.tensor(a.scores) for a in found]

WAYS = {
    "Captum, one at a time, padded to 128": lambda *a: by_captum(*a, padding="max_length"),
    "Captum, one at a time, not padded": lambda *a: by_captum(*a, padding=False),
    "vbig, midpoint, 50 nodes": lambda *a: by_vbig(*a, method="riemann_middle", n_steps=50),
    "vbig, midpoint, 40 nodes": lambda *a: by_vbig(*a, method="riemann_middle", n_steps=40),
    "vbig, adaptive, default": lambda *a: by_vbig(*a),
}

# %% [markdown]
# Pairs are cut into parts, every way is timed on each part in turn, and the ratio to Captum is taken within a part: the machine's mood then cancels. The figure is the median of the parts. Errors are relative to 128 midpoint nodes, over content tokens.

# %%
def measure(model, tokenizer, pairs, parts=3, judged=16):
    "Seconds of every way on every part, and mean relative error on the first `judged` pairs."
    seconds, size, scores = [], len(pairs) // parts, {}
    for part in range(parts):
        texts = [list(t) for t in zip(*pairs[part * size:(part + 1) * size])]
        row = {}
        for name in sorted(WAYS, reverse=bool(part % 2)):
            began = time.perf_counter()
            found = WAYS[name](model, tokenizer, *texts)
            row[name] = time.perf_counter() - began
            if part == 0: scores[name] = found[:judged]
        seconds.append(row)
    return seconds, errors(model, tokenizer, pairs[:judged], scores)

def errors(model, tokenizer, pairs, scores):
    "Mean relative error of each way."
    truth, total = by_vbig(model, tokenizer, *map(list, zip(*pairs)), method="riemann_middle", n_steps=128), {}
    for name, found in scores.items():
        each = []
        for (premise, hypothesis), own, best in zip(pairs, found, truth):
            if len(own) != len(best): # Captum's rows still hold special tokens
                special = torch.tensor(tokenizer(premise, hypothesis, truncation=True, max_length=128, return_special_tokens_mask=True)["special_tokens_mask"])
                own = own[special == 0]
            each.append(((own - best).norm() / best.norm()).item())
        total[name] = sum(each) / len(each)
    return total

# %% [markdown]
# ## 300 SNLI dev pairs, MiniLM
#
# Measured by `VBIG_MEASURE=1 VBIG_MODEL=minilm_snli python .ci/execute.py nbs/guarantees/throughput.ipynb` (the model is made as on [the quadrature page](quadrature.ipynb)); otherwise the committed numbers are read.

# %%
RUN = Path("_runs/throughput.json")

def measured(count=300):
    "The measurement on the model that VBIG_MODEL names."
    folder, data = os.environ["VBIG_MODEL"], real_data("snli/dev.jsonl.gz")
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModelForSequenceClassification.from_pretrained(folder).eval()
    with gzip.open(data, "rt", encoding="utf-8") as file: rows = [json.loads(line) for line in file]
    chosen = torch.randperm(len(rows), generator=torch.Generator().manual_seed(1))[:count].tolist()
    pairs = [(rows[i]["premise"], rows[i]["hypothesis"]) for i in chosen]
    seconds, error = measure(model, tokenizer, pairs)
    return dict(provenance=provenance(), pairs=count, seconds=seconds, error=error)

if os.environ.get("VBIG_MEASURE") and os.environ.get("VBIG_MODEL"):
    result = measured()
    with replacing(RUN) as file: json.dump(result, file, indent=1)
run = json.loads(RUN.read_text())
{"pairs": run["pairs"]} | {k: run["provenance"][k] for k in ("date", "torch", "transformers", "cores", "threads")}

# %%
def summary(seconds, error):
    "Ratios of speed within each part, their median and range, beside the error."
    parts = pd.DataFrame(seconds)
    padded, free = (parts[n] for n in list(WAYS)[:2])
    return pd.DataFrame({"times as fast as padded Captum": parts.rdiv(padded, axis=0).median(), "lowest": parts.rdiv(padded, axis=0).min(), "highest": parts.rdiv(padded, axis=0).max(),
                         "times as fast as unpadded Captum": parts.rdiv(free, axis=0).median(), "error": pd.Series(error)}).loc[list(WAYS)]

table = summary(run["seconds"], run["error"])
table.map(lambda v: float(f"{v:.3g}"))

# %%
#| fig-cap: "Speed as a multiple of Captum called for one pair at a time and padded to 128 (median of three parts of the 300 pairs; lines: lowest and highest), with each way's mean relative error."
#| fig-alt: "Horizontal bars, one for each way of computing attributions."
import matplotlib.pyplot as plt
import seaborn as sns

figure, ax = plt.subplots(figsize=(7, 2.6), layout="constrained")
column = "times as fast as padded Captum"
ax.barh(table.index, table[column], color=[sns.color_palette("colorblind")[0 if n.startswith("vbig") else 7] for n in table.index])
ax.hlines(range(len(table)), table["lowest"], table["highest"], color="black", linewidth=1)
for i, (name, row) in enumerate(table.iterrows()): ax.text(row["highest"], i, f"  {row[column]:.1f}x, error {row['error']:.2%}", va="center", fontsize=8)
ax.set(xlabel="speed (Captum padded to 128 = 1)")
ax.invert_yaxis()
ax.margins(x=0.3)
sns.despine(figure)

# %% [markdown]
# The aim was three times the throughput of the original way at an equal or smaller error:

# %%
equal = table[table.index.str.startswith("vbig") & (table["error"] <= table.iloc[0]["error"])]
if len(equal):
    best = equal[column].idxmax()
    print(f"at no larger error: {best}, {equal.loc[best, column]:.1f} times padded Captum "
          f"({'met' if equal.loc[best, column] >= 3 else 'missed'}), {equal.loc[best, 'times as fast as unpadded Captum']:.2f} times unpadded Captum")
else: print("no setting of vbig has an error as small: missed")
quick = table.loc["vbig, adaptive, default"]
print(f"default of attribute, error {quick['error']:.1%}: {quick[column]:.1f} times padded, {quick['times as fast as unpadded Captum']:.1f} times unpadded Captum")

# %% [markdown]
# ## The same code, live
#
# On the small untrained model, so that the page is a test as well: all ways agree.

# %%
set_seed(0)
model, tokenizer = tiny_model(seed=1)
model.eval()
pairs = [("the man is here with the dog", "the man is not here"), ("a cat", "perhaps a dog is here"), ("the girl", "a boy"), ("a dog", "a dog is here")] * 2
seconds, error = measure(model, tokenizer, pairs, parts=2, judged=4)
assert max(error.values()) < 0.05 and len(seconds) == 2
pd.Series(error, name="error").map(lambda v: float(f"{v:.1g}")).to_frame()
