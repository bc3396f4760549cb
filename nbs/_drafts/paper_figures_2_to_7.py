# %% [markdown]
# # Figures 2 to 7
#
# > Attributions of three pairs, baseline beside IG variance, on one colour scale
#
# The paper shows three pairs which its baseline gets wrong and its regularised model gets right, and reads from the pictures that attributions become more even. Three chosen pairs cannot show that; here are the same pairs for our models, then the question asked of hundreds of pairs and of every seed.

# %%
import numpy as np
import pandas as pd

from vbig.data import LABELS
from vbig.evaluation import over_seeds
from vbig.paper import PAPER_PAIRS, read_runs
from vbig.plots import plot_attribution_pair

runs = read_runs("_runs/minilm")
shown = {k: runs[k][0].shown() for k in ("none", "variance")}

# %% [markdown]
# ## The three pairs
#
# Integrated Gradients of the gold label's logit, summed to words, models of seed 0. Unlike the paper's, both columns share one scale, so that colours can be compared.

# %%
#| fig-cap: "Figures 2 and 3 again: gold label neutral; the paper's baseline says contradiction."
#| fig-alt: "Words of premise and hypothesis coloured by attribution, baseline left, IG variance right."
plot_attribution_pair(shown["none"][0], shown["variance"][0], ("baseline", "IG variance"));

# %%
#| fig-cap: "Figures 4 and 5 again: gold label contradiction; the paper's baseline says neutral."
#| fig-alt: "Words of premise and hypothesis coloured by attribution, baseline left, IG variance right."
plot_attribution_pair(shown["none"][1], shown["variance"][1], ("baseline", "IG variance"));

# %%
#| fig-cap: "Figures 6 and 7 again: gold label entailment; the paper's baseline says contradiction."
#| fig-alt: "Words of premise and hypothesis coloured by attribution, baseline left, IG variance right."
plot_attribution_pair(shown["none"][2], shown["variance"][2], ("baseline", "IG variance"));

# %% [markdown]
# What each model says, over all seeds: the share of seeds that predict the gold label, and the mean probability it gets.

# %%
def answers(k):
    "Predictions and gold probability of the runs of one method on the three pairs."
    each = [[(a.prediction, a.probabilities[a.target]) for a in r.shown()] for r in runs[k]]
    return {f"pair {i + 1} ({PAPER_PAIRS[i][2]})": f"{', '.join(dict.fromkeys(e[i][0] for e in each))}; p(gold) {np.mean([e[i][1] for e in each]):.2f}" for i in range(3)}

pd.DataFrame({name: answers(k) for k, name in (("none", "baseline"), ("variance", "IG variance"))}).assign(paper=["baseline: contradiction", "baseline: neutral", "baseline: contradiction"])

# %% [markdown]
# ## Are attributions more even?
#
# On development pairs that no model was chosen by: the raw variance of the attributions, the normalised variance (which does not change when all logits shrink; 0 is even), and the share of the largest word piece. Means over pairs for each seed, then over seeds, with the paired difference.

# %%
def differences(statistic):
    "A statistic over seeds and its difference."
    table = over_seeds({k: [float(r.statistics()[statistic].mean()) for r in runs[k]] for k in ("none", "variance")}).set_index("method")
    d = table.loc["variance"]
    return {"baseline": table.loc["none", "mean"], "IG variance": d["mean"], "difference": d["difference"], "low": d["difference_low"], "high": d["difference_high"]}

table = pd.DataFrame({s: differences(s) for s in ("variance", "normalized_variance", "largest")}).T
table.index = ["variance", "normalised variance", "share of the largest piece"]
table["verdict"] = np.where(table["high"] < 0, "more even", np.where(table["low"] > 0, "less even", "cannot be told"))
print(f"{len(runs['none'][0].statistics())} development pairs, {len(runs['none'])} seeds")
table.map(lambda v: float(f"{v:.3g}") if isinstance(v, float) else v)
