# %% [markdown]
# # Figure 8: error by length
#
# > Does the penalty make errors smoother over the length of the input?
#
# The paper plots the error rate by the number of words of premise and hypothesis together, in bins from 10 to 80, and calls the regularised model's curve smoother. Its long bins hold few pairs. Here are the same bins with intervals and counts, and then a number for smoothness with its own interval.

# %%
import numpy as np
import pandas as pd

from vbig.evaluation import error_by, over_seeds
from vbig.paper import read_runs
from vbig.plots import plot_error_by_length

runs = read_runs("_runs/minilm")
NAMES, EDGES = {"none": "baseline", "variance": "IG variance"}, [0, 10, 20, 30, 40, 50, 60, 70, 80]

# %%
#| fig-cap: "Figure 8 again: error rate on SNLI dev by words of premise and hypothesis, seed 0, with 95 % Wilson intervals; counts under the bins."
#| fig-alt: "Two lines of error rates with intervals that overlap in every bin."
plot_error_by_length({name: runs[k][0].predictions("snli_dev") for k, name in NAMES.items()}, bins=EDGES);

# %% [markdown]
# ## Over seeds
#
# Error rates by bin, averaged over seeds, and the paired difference with its interval.

# %%
def by_bin(k):
    "Error rate of every run of a method in every bin."
    return pd.DataFrame([error_by(r.predictions("snli_dev"), bins=EDGES).set_index("group")["error"] for r in runs[k]])

rates, counts = {k: by_bin(k) for k in NAMES}, error_by(runs["none"][0].predictions("snli_dev"), bins=EDGES).set_index("group")["n"]
rows = {}
for group in rates["none"]:
    d = over_seeds({k: rates[k][group].tolist() for k in NAMES}).set_index("method").loc["variance"]
    rows[group] = {"pairs": counts[group], "baseline": rates["none"][group].mean(), "IG variance": rates["variance"][group].mean(), "difference": d["difference"], "low": d["difference_low"], "high": d["difference_high"]}
pd.DataFrame(rows).T.astype({"pairs": int}).round(4).rename_axis("words")

# %% [markdown]
# ## Smoother?
#
# Smoothness as the mean absolute step between neighbouring bins, over bins with at least 100 pairs. If the penalty smoothed the curve, the step would be smaller with it in every seed.

# %%
large = counts.index[counts >= 100]
steps = {k: rates[k][large].diff(axis=1).abs().mean(axis=1) for k in NAMES}
d = over_seeds({k: v.tolist() for k, v in steps.items()}).set_index("method")
low, high = d.loc["variance", ["difference_low", "difference_high"]]
print(f"bins {large[0]} to {large[-1]} words; mean step: baseline {d.loc['none', 'mean']:.4f}, IG variance {d.loc['variance', 'mean']:.4f}; difference {d.loc['variance', 'difference']:+.4f} [{low:+.4f}, {high:+.4f}]: "
      + ("smoother" if high < 0 else "less smooth" if low > 0 else "no difference can be told"))
