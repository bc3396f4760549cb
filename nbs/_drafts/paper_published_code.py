# %% [markdown]
# # What the published code optimised
#
# > Which parameters its penalty reached, where that gradient pointed, and what padding did to the variance
#
# The paper's loss is `cross-entropy + 0.1 * tanh(10 * Var(IG))`, and its code computes that number. What it computes the *gradient* of is another matter: Captum attributes without a graph, so most of the penalty is a constant to the optimiser. This page repeats the published loss, looks at what reaches the parameters, compares the direction with the exact one, and then at the variance itself, which the code took over inputs padded to 128 tokens.

# %%
#| hide
import os
import warnings

os.environ.setdefault("HF_HUB_OFFLINE", "1")
import transformers

transformers.utils.logging.disable_progress_bar()
warnings.filterwarnings("ignore", message='estimator="embedding"')

# %%
import json
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns
import torch
from captum.attr import IntegratedGradients
from transformers import set_seed

from vbig.attribution import deterministic, embed, forward_from_embeddings, integrated_gradients
from vbig.paper import PAPER_PAIRS
from vbig.penalty import penalty_gradient
from vbig.planted import planted_nli, tiny_model
from vbig.regularizers import Penalty, attribution_variance

# %% [markdown]
# ## The published loss
#
# A small ELECTRA with random weights, a batch of pairs, and the loss as published: Captum, ten Gauss-Legendre nodes, every input padded to 128, the variance over all positions.

# %%
set_seed(0)
model, tokenizer = tiny_model()
rows = planted_nli(64, 8, seed=0)["train"].select(range(8))

def encode(padding):
    "A batch, padded to 128 or to its longest pair."
    coded = tokenizer(list(rows["premise"]), list(rows["hypothesis"]), padding=padding, max_length=128, truncation=True, return_tensors="pt", return_special_tokens_mask=True)
    return dict(coded) | {"labels": torch.tensor(rows["label"])}

def published_penalty(model, batch, n_steps=10):
    "0.1 * tanh(10 * variance) as the published code computes it."
    x = embed(model, batch)
    scores = IntegratedGradients(lambda e: forward_from_embeddings(model, batch, e).logits).attribute(
        x, baselines=torch.zeros_like(x), target=batch["labels"], n_steps=n_steps).sum(-1)
    return 0.1 * torch.tanh(10 * scores.var(dim=1).mean())

def reached(model):
    "Names of the parameters with a gradient that is not zero."
    return [name for name, p in model.named_parameters() if p.grad is not None and p.grad.abs().max() > 0]

def direction(model): return torch.cat([(torch.zeros_like(p) if p.grad is None else p.grad).flatten().double() for p in model.parameters()])

# %%
padded, total = encode("max_length"), sum(1 for _ in model.parameters())
model.zero_grad()
with deterministic(model): published_penalty(model, padded).backward()
published, names = direction(model), reached(model)
print(f"published: {len(names)} of {total} parameter tensors: {', '.join(names)}")
assert names == [n for n in names if n.endswith("word_embeddings.weight")] and len(names) == 1

# %% [markdown]
# The same number, differentiated as a function of the parameters (`full`, all tokens, the same ten nodes):

# %%
penalty, same = Penalty("variance", lambda_reg=0.1, alpha_scale=10), dict(n_steps=10, method="gausslegendre", tokens="all")
model.zero_grad()
found = penalty_gradient(model, padded, penalty, **same)
exact, all_names = direction(model), reached(model)
model.zero_grad()
penalty_gradient(model, padded, penalty, estimator="embedding", **same)
ours = direction(model)
print(f"exact:     {len(all_names)} of {total} parameter tensors; not reached: {', '.join(n for n, _ in model.named_parameters() if n not in all_names)}")
cosine = lambda a, b: torch.cosine_similarity(a, b, 0).item()
print(f"cosine of the published gradient with the exact one {cosine(published, exact):.3f}, length {published.norm() / exact.norm():.2f} of the exact one's")
print(f"cosine of estimator='embedding' with the published gradient {cosine(ours, published):.6f}")
assert cosine(ours, published) > 0.9999 and len(all_names) == total - 1

# %% [markdown]
# So `estimator="embedding"`, which the runs called `embedding` use, is the published gradient. Within the one tensor that both reach, the word embeddings, is at least the direction right?

# %%
weight = model.get_input_embeddings().weight.numel()
place = dict(zip((n for n, _ in model.named_parameters()), torch.cumsum(torch.tensor([0] + [p.numel() for p in model.parameters()]), 0)[:-1].tolist()))[names[0]]
inside = slice(place, place + weight)
share = (exact[inside].norm() / exact.norm()) ** 2
print(f"word embeddings alone: cosine {cosine(published[inside], exact[inside]):.3f}; they hold {share:.1%} of the exact gradient's squared length")

# %% [markdown]
# On real, fine-tuned models the cosine is a measured number of [speed and memory](../guarantees/speed_and_memory.ipynb) (there with Captum's nodes and padding against the exact gradient over content tokens with midpoint nodes):

# %%
run = json.loads(Path("../guarantees/_runs/speed_and_memory.json").read_text(encoding="utf-8"))
pd.DataFrame({name: dict(cosine=f["agreement"]["captum, published"][0], time=f["ratio"]["captum, published"]) for name, f in run["models"].items()}).T.rename(columns=dict(time="time / plain step")).round(3)

# %% [markdown]
# ## What padding does to the variance
#
# A padded position has attribution zero (it is masked), and zeros pull the mean to zero and the variance down, the more the shorter the pair. So a batch of short pairs is penalised less than a batch of long ones with equally uneven attributions, and the number depends on `max_length`, a setting that should not matter.

# %%
free = encode(True)
a = integrated_gradients(model, free, "label", n_steps=20)
rows_ = []
for width in (int(free["attention_mask"].sum(1).max()), 32, 64, 128, 256):
    scores = torch.nn.functional.pad(a.scores * a.mask, (0, max(0, width - a.scores.shape[1])))[:, :width]
    rows_.append(dict(width=width, all=scores.var(dim=1).mean().item(), content=attribution_variance(a.scores, a.mask).mean().item()))
table = pd.DataFrame(rows_).set_index("width")
assert (table["all"].diff().dropna() < 0).all()
(table / table["content"].iloc[0]).rename(columns=dict(all="over all positions / over content tokens", content="over content tokens")).round(3)

# %%
#| fig-cap: "Variance of the same attributions over all positions, as a share of that over content tokens, against the width of the padding. Points: pairs, coloured by their number of content tokens."
#| fig-alt: "Falling lines, one a pair: wider padding, smaller variance."
lines = []
for width in (16, 32, 64, 128, 256):
    scores = torch.nn.functional.pad(a.scores * a.mask, (0, max(0, width - a.scores.shape[1])))[:, :max(width, 1)]
    for i in range(len(scores)):
        n = int(a.mask[i].sum())
        if width >= free["attention_mask"][i].sum(): lines.append(dict(width=width, share=(scores[i].var() / attribution_variance(a.scores, a.mask)[i]).item(), tokens=n, pair=i))
fig, ax = plt.subplots(figsize=(5.5, 3), layout="constrained")
sns.lineplot(pd.DataFrame(lines), x="width", y="share", hue="tokens", units="pair", estimator=None, marker="o", palette="viridis", ax=ax)
ax.set(xscale="log", xlabel="padded to", ylabel="variance / variance over content tokens")
ax.set_xticks([16, 32, 64, 128, 256], ["16", "32", "64", "128", "256"])
ax.minorticks_off()
ax.legend(title="content tokens", frameon=False)
sns.despine(fig)

# %% [markdown]
# ## What else the code does
#
# Found by reading it, and kept here so that nobody has to read it again: the flags `--lambda_reg` and `--alpha_scale` are documented, and 0.1 and 10 are hard-coded; token types are dropped, so premise and hypothesis look alike to the embedding of segments; dropout stays on while attributing, so the attribution is that of a random sub-network; `[UNK]` gets into the list of stop-word ids; the confidence of its Figure 10 is the raw logit.
