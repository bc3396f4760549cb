# %% [markdown]
# # Figure 9: confusion matrices
#
# > Which labels are taken for which, with and without the penalty
#
# The paper shows one confusion matrix a model. Two matrices of one seed always differ; the question is in which cells they differ by more than seeds do.

# %%
import numpy as np
import pandas as pd
from sklearn.metrics import confusion_matrix

from vbig.data import LABELS
from vbig.evaluation import over_seeds
from vbig.paper import read_runs
from vbig.plots import plot_confusion_matrices

runs = read_runs("_runs/minilm")
NAMES = {"none": "baseline", "variance": "IG variance"}

# %%
#| fig-cap: "Figure 9 again: SNLI dev, seed 0. Shares of each true class, counts below."
#| fig-alt: "Two three-by-three confusion matrices, baseline and IG variance, nearly alike."
plot_confusion_matrices({name: runs[k][0].predictions("snli_dev") for k, name in NAMES.items()});

# %% [markdown]
# ## Cell by cell, over seeds
#
# The share of each true class that goes to each predicted class: mean of the seeds for the baseline, and the paired difference with its 95 % interval. Nine cells are nine chances to see something that is not there: the last column says what remains when the level is corrected for nine tests (Holm).

# %%
def shares(run):
    "Row-normalised confusion matrix of one run."
    frame = run.predictions("snli_dev")
    return confusion_matrix(frame["label"], frame["predicted_label"], labels=range(3), normalize="true")

matrices, rows = {k: np.array([shares(r) for r in runs[k]]) for k in NAMES}, []
for i, true in enumerate(LABELS):
    for j, said in enumerate(LABELS):
        d = over_seeds({k: m[:, i, j].tolist() for k, m in matrices.items()}).set_index("method").loc["variance"]
        rows.append(dict(true=true, predicted=said, baseline=matrices["none"][:, i, j].mean(), difference=d["difference"], low=d["difference_low"], high=d["difference_high"], p=d["p"]))
table = pd.DataFrame(rows).astype({"p": float}).sort_values("p")
table["p, Holm"] = np.maximum.accumulate(table["p"] * np.arange(len(table), 0, -1)).clip(upper=1)
print(f"cells that differ after correction: {(table['p, Holm'] < 0.05).sum()} of 9")
table.sort_index().set_index(["true", "predicted"]).round(4)
