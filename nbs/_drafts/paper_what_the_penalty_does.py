# %% [markdown]
# # What the penalty really does
#
# > Logit shrinkage, calibration, raw against normalised variance, and length
#
# The penalty lowers the variance of the attributions. This page asks how. A variance in squared logits falls when attributions become more even, and it falls just as well when all logits become smaller. Held-out SNLI pairs, every recipe that was run, and numbers that tell the two apart.

# %%
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns

from vbig.evaluation import error_by, over_seeds
from vbig.paper import read_runs

runs = read_runs("_runs/minilm")
COLUMNS = {"variance": "variance", "spread": "logit spread", "normalized_variance": "normalised variance", "largest": "largest piece's share", "stopword_mass": "stop-word mass", "confidence": "confidence", "right": "accuracy"}
means = {k: pd.DataFrame([r.statistics().mean() for r in v], index=[r.seed for r in v]) for k, v in runs.items()}
sizes = {k: len(v) for k, v in runs.items()}
print(f"{len(runs['none'][0].statistics())} development pairs; seeds a recipe: " + ", ".join(f"{k} {n}" for k, n in sizes.items()))

# %% [markdown]
# ## Statistics of every recipe
#
# Means over pairs and seeds. `logit spread` is the standard deviation of the three logits of a pair. Recipes with one seed have no interval: read their numbers as one draw.

# %%
pd.DataFrame({k: m.mean() for k, m in means.items()}).T[list(COLUMNS)].rename(columns=COLUMNS).round(4)

# %% [markdown]
# ## How much of the fall is shrinking?
#
# If every logit is multiplied by $c$, attributions are too, and the variance by $c^2$. So of a recipe's fall in variance, $\log c^2 / \log(v / v_0)$ is explained by shrinking, where $c$ is the ratio of the logit spreads. For each seed against the baseline of the same seed:

# %%
rows = []
for k, m in means.items():
    for seed in m.index.intersection(means["none"].index):
        if k == "none": continue
        base, here = means["none"].loc[seed], m.loc[seed]
        v, c = here["variance"] / base["variance"], here["spread"] / base["spread"]
        rows.append({"recipe": k, "seed": seed, "variance / baseline's": v, "spread / baseline's": c, "pure shrinking would give": c ** 2, "normalised variance / baseline's": here["normalized_variance"] / base["normalized_variance"]})
table = pd.DataFrame(rows)
table.set_index(["recipe", "seed"]).round(3)

# %%
#| fig-cap: "Variance against logit spread, both relative to the baseline of the same seed. On the line, shrinking explains all of the fall; below it, attributions became more even."
#| fig-alt: "Scatter of recipes around the square-law line."
fig, ax = plt.subplots(figsize=(5.5, 3.4), layout="constrained")
sns.scatterplot(table, x="spread / baseline's", y="variance / baseline's", hue="recipe", style="recipe", palette="colorblind", s=60, ax=ax)
low, high = table["spread / baseline's"].min() * .97, max(1.02, table["spread / baseline's"].max() * 1.03)
span = np.linspace(low, high, 50)
ax.plot(span, span ** 2, color="0.4", lw=1)
ax.scatter([1], [1], marker="+", color="black", s=60)
ax.legend(frameon=False, fontsize=8)
sns.despine(fig)

# %% [markdown]
# ## Three seeds: the paper's strength
#
# Paired differences between `variance` and `none`, with intervals, for each statistic.

# %%
def difference(statistic):
    "A statistic of the two recipes with three seeds, and its paired difference."
    found = over_seeds({k: means[k][statistic].tolist() for k in ("none", "variance")}).set_index("method")
    d = found.loc["variance"]
    return {"baseline": found.loc["none", "mean"], "IG variance": d["mean"], "difference": d["difference"], "low": d["difference_low"], "high": d["difference_high"]}

table = pd.DataFrame({name: difference(s) for s, name in COLUMNS.items()}).T
table["verdict"] = np.where(table["high"] < 0, "falls", np.where(table["low"] > 0, "rises", "cannot be told"))
table.map(lambda v: float(f"{v:.3g}") if isinstance(v, float) else v)

# %% [markdown]
# ## Calibration of every recipe
#
# A model that pays the penalty by shrinking its logits becomes less confident, which helps calibration where the baseline is overconfident and harms it where it is not. On SNLI dev: mean confidence less accuracy (positive: overconfident), ECE and NLL.

# %%
def calibration(run):
    "Overconfidence, ECE and NLL on SNLI dev."
    frame, m = run.predictions("snli_dev"), run.metrics["snli_dev"]
    return dict(overconfidence=np.mean([s.max() for s in frame["predicted_scores"]]) - m["accuracy"], ece=m["ece"], nll=m["nll"], accuracy=m["accuracy"])

pd.DataFrame({k: pd.DataFrame(list(map(calibration, v))).mean() for k, v in runs.items()}).T.round(4)

# %% [markdown]
# ## Length
#
# The variance of a pair depends on how long it is: a long premise spreads the same evidence over more tokens. Spearman's correlation of the statistics with the number of tokens, for the baseline:

# %%
stats = pd.concat([r.statistics() for r in runs["none"]])
stats[["variance", "normalized_variance", "largest", "stopword_mass"]].corrwith(stats["tokens"], method="spearman").round(3).rename("correlation with the number of tokens").to_frame()
