# %% [markdown]
# # Figure 10: calibration
#
# > Confidence against accuracy: the paper's plot, and one that shows calibration
#
# The paper plots accuracy against "confidence" with a regression line and its $R^2$. Its confidence is the highest raw logit, which is no probability: it has no scale on which a model could be right as often as it says. Here is that plot, labelled as what it is, beside a reliability diagram with probabilities, and calibration numbers over seeds.

# %%
import numpy as np
import pandas as pd
from scipy.stats import linregress

from vbig.evaluation import over_seeds
from vbig.paper import read_runs
from vbig.plots import plot_reliability

runs = read_runs("_runs/minilm")
NAMES = {"none": "baseline", "variance": "IG variance"}

# %%
#| fig-cap: "Figure 10 again, SNLI dev, seed 0. Left: accuracy against the probability of the predicted class, bins of equal size. Right: the paper's way, accuracy against the highest raw logit."
#| fig-alt: "Left, two reliability curves near the diagonal; right, accuracy rising with the highest logit."
plot_reliability({name: runs[k][0].predictions("snli_dev") for k, name in NAMES.items()}, paper=True);

# %% [markdown]
# ## Numbers over seeds
#
# Expected calibration error (adaptive bins), Brier score, negative log-likelihood: smaller is better. Then the paper's own quantity: $R^2$ of a line through accuracy against the highest logit in ten bins. A line fits well wherever accuracy rises evenly with the logit, whether or not the probabilities are right.

# %%
def paper_r2(run, bins=10):
    "R squared of accuracy against the highest raw logit, in bins of equal size."
    frame = run.predictions("snli_dev")
    logit, right = np.array(frame["predicted_logits"].tolist()).max(1), (frame["label"] == frame["predicted_label"]).to_numpy()
    parts = np.array_split(np.argsort(logit), bins)
    return linregress([logit[p].mean() for p in parts], [right[p].mean() for p in parts]).rvalue ** 2

def row(values):
    "Means and paired difference."
    table = over_seeds(values).set_index("method")
    d = table.loc["variance"]
    return {"baseline": table.loc["none", "mean"], "IG variance": d["mean"], "difference": d["difference"], "low": d["difference_low"], "high": d["difference_high"]}

values = {m: {k: [r.metrics["snli_dev"][m] for r in runs[k]] for k in NAMES} for m in ("ece", "brier", "nll")} | {"R2, paper's way": {k: [paper_r2(r) for r in runs[k]] for k in NAMES}}
table = pd.DataFrame({name: row(v) for name, v in values.items()}).T
table["verdict"] = ["better" if h < 0 else "worse" if l > 0 else "cannot be told" for l, h in zip(table["low"], table["high"])]
table.loc["R2, paper's way", "verdict"] = ""
table.round(4)
