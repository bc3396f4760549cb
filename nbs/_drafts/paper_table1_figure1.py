# %% [markdown]
# # Table 1 and Figure 1
#
# > Accuracy, ROC AUC, run time and training loss of the baseline and of IG variance regularisation
#
# The paper's main result is one table with one seed a row and a figure of the training loss. Here both are drawn again from runs with several seeds, with the paper's numbers beside them. After this page you know how large the effect of the penalty at the paper's strength is in comparison with the effect of the seed.

# %%
#| hide
import json
from pathlib import Path

# %%
import numpy as np
import pandas as pd

from vbig.evaluation import compare, over_seeds
from vbig.paper import read_runs
from vbig.plots import plot_learning_curves

runs = read_runs("_runs/minilm")
first = runs["none"][0]
print(f"MiniLM-L6, {first.pairs:,} SNLI training pairs, {first.steps} steps of 32; seeds " + ", ".join(f"{k}: {[r.seed for r in v]}" for k, v in runs.items() if k in ("none", "variance")))

# %% [markdown]
# What differs from the paper: the encoder (MiniLM-L6 instead of ELECTRA-small), 19,999 training pairs instead of 549,367, one epoch at a learning rate of 1e-4 with batches of 32 instead of 5e-5, 16 and early stopping, content tokens instead of all, and a gradient that reaches all parameters. The [runs page](runs.ipynb) has the command for the paper's own setting.
#
# ## Table 1
#
# Scores on SNLI's development set. Ours are means over seeds with the 95 % interval of the mean; the last row is the paired difference (variance minus baseline, same seeds).

# %%
PAPER = {"none": dict(accuracy=0.8918, auc=0.9571, seconds=17.9134), "variance": dict(accuracy=0.8963, auc=0.9578, seconds=70.7104)}  # its Table 1; one seed
NAMES = {"none": "baseline", "variance": "IG variance"}

def column(metric, digits=4):
    "A metric over seeds as text: mean and interval for each method, and the difference."
    table = over_seeds({k: [r.metrics["snli_dev"] for r in runs[k]] for k in NAMES}, metric).set_index("method")
    text = [f"{table.loc[k, 'mean']:.{digits}f} [{table.loc[k, 'low']:.{digits}f}, {table.loc[k, 'high']:.{digits}f}]" for k in NAMES]
    last = table.loc["variance"]
    return [*text, f"{last['difference']:+.{digits}f} [{last['difference_low']:+.{digits}f}, {last['difference_high']:+.{digits}f}]"]

seconds = {k: np.array([r.seconds for r in runs[k]]) for k in NAMES}
table = pd.DataFrame({"accuracy": column("accuracy"), "ROC AUC (macro)": column("roc_auc_macro_ovr"),
                      "training time, baseline = 1": ["1", f"{np.median(seconds['variance']) / np.median(seconds['none']):.2f}", ""],
                      "paper: accuracy": [f"{PAPER[k]['accuracy']:.4f}" for k in NAMES] + [f"{PAPER['variance']['accuracy'] - PAPER['none']['accuracy']:+.4f}"],
                      "paper: ROC AUC": [f"{PAPER[k]['auc']:.4f}" for k in NAMES] + [f"{PAPER['variance']['auc'] - PAPER['none']['auc']:+.4f}"],
                      "paper: run time": ["1", f"{PAPER['variance']['seconds'] / PAPER['none']['seconds']:.2f}", ""]}, index=[*NAMES.values(), "difference"])
table

# %% [markdown]
# How large is noise? The standard deviation over seeds of the same method, in points of accuracy, beside the difference between the methods for each seed. And because both models of a seed answer the same 9,842 questions, each seed's difference has its own interval over pairs and an exact McNemar test.

# %%
rows = {}
for a, b in zip(runs["none"], runs["variance"]):
    found = compare(a.predictions("snli_dev"), b.predictions("snli_dev"), metrics=["accuracy"], names=("baseline", "IG variance"))
    row = found.table.set_index("metric").loc["accuracy"]
    rows[f"seed {a.seed}"] = {"baseline": row["baseline"] if "baseline" in row else row.iloc[0], "difference (points)": 100 * row["difference"], "low": 100 * row["low"], "high": 100 * row["high"], "McNemar p": found.mcnemar_p}
spread = {k: 100 * np.std([r.metrics["snli_dev"]["accuracy"] for r in runs[k]], ddof=1) for k in NAMES}
print("standard deviation over seeds, in points: " + ", ".join(f"{NAMES[k]} {v:.2f}" for k, v in spread.items()))
pd.DataFrame(rows).T.astype(float).round(3)

# %% [markdown]
# ## Figure 1
#
# In the paper the penalised model's training loss stays above the baseline's, which it takes for a sign of regularisation. The logged loss includes the penalty, so part of the gap is the penalty itself. Logged apart, cross-entropy and penalty say which part.

# %%
#| fig-cap: "Figure 1 again: training loss (left; for the regularised model the sum of cross-entropy and penalty), its parts, and the attribution variance during training; lines are means of the seeds, bands their range."
#| fig-alt: "Curves of the training loss of baseline and regularised model lie close together; panels below show the penalty and the attribution variance."
histories = {NAMES[k]: [[row | ({"loss_ce": row["loss"]} if "loss_ce" not in row else {}) for row in r.log_history] for r in runs[k]] for k in NAMES}
plot_learning_curves(histories, ["loss", "loss_ce", "ig_penalty", "ig_variance"]);

# %%
end = {k: [np.mean([row.get(m, row["loss"]) for row in r.log_history[-8:]]) for r in runs[k] for m in ["loss_ce"]] for k in NAMES}
part = np.mean([np.mean([row["ig_penalty"] for row in r.log_history[-8:]]) for r in runs["variance"]])
gap = np.mean(end["variance"]) - np.mean(end["none"])
print(f"over the last 200 steps: cross-entropy {np.mean(end['none']):.4f} (baseline) and {np.mean(end['variance']):.4f} (IG variance), a gap of {gap:+.4f}; the penalty is {part:.4f}, {part / np.mean(end['variance']):.1%} of the loss")

# %% [markdown]
# `ig_variance` is estimated from two random nodes of each path while training, which adds the noise of the estimate to it: it is larger than the variance of exact attributions, which [what the penalty really does](what_the_penalty_does.ipynb) shows.
