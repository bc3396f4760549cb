# %% [markdown]
# # Is my model cheating?
# > From a data set to a verdict in six steps
#
# A model reaches 90 % on its validation set. It may have learnt to read; it may have learnt that *sleeping* means contradiction. Both score the same there. This tutorial walks through the six questions that tell them apart, first on made-up data, where the answer is known, and beside it on SNLI, where it was measured. At the end you can do the same with your own data and model, and say the result in one paragraph.

# %%
#| hide
import json, tempfile, warnings
from pathlib import Path
import datasets, transformers
import matplotlib.pyplot as plt
from fastcore.test import test_eq
datasets.disable_progress_bars()
transformers.utils.logging.disable_progress_bar()
transformers.utils.logging.set_verbosity_error()
warnings.filterwarnings("ignore", message=".*pin_memory.*")
def shown(table, digits=3):
    "A table with rounded numbers, and a dash for what is not defined."
    return table.map(lambda v: "–" if v is None else f"{v:.{digits}f}" if isinstance(v, float) else v)

# %%
import numpy as np
import pandas as pd
from transformers import PrinterCallback, set_seed
from vbig.artifacts import artifact_weights, hypothesis_only, label_statistics
from vbig.attribution import attribute
from vbig.data import LABELS, load_nli, nli_collator, real_data, tokenize_nli
from vbig.evaluation import attribution_recovery, challenge_report, compare, faithfulness, interval_text
from vbig.planted import planted_nli, tiny_model
from vbig.plots import attribution_html, plot_accuracy_by_split, plot_artifacts, plot_reliability
from vbig.trainer import IGTrainer, IGTrainingArguments

# %% [markdown]
# ## 1. Does a word give the label away?
#
# Start with the data, before any model. The suspect below is [planted data](../api/01_planted.ipynb): scenes whose labels follow from meaning, but in training something gives the label away in nine cases of ten. In half of the pairs it is the *topic* of the hypothesis (places for entailment, moods for neutral, movements for contradiction), in the other half a meaningless *cue* at the start of the premise ("Again, ..."). `clean` has no such tie, and in `challenge` topic and cue point to a wrong label.

# %%
data = planted_nli(n_train=6000, n_eval=500, artifacts=("cue", "giveaway"))
words = pd.concat([label_statistics(data["train"], side).assign(side=side) for side in ("premise", "hypothesis")]).sort_values("z", ascending=False)
print(f"{words['significant'].sum()} ties of a word to a label; the strongest:")
shown(words.loc[words["significant"], ["side", "word", "label", "count", "share", "z"]].head(8).reset_index(drop=True), 2)

# %% [markdown]
# The same question to SNLI, 20,000 training pairs. Its hypotheses were written by people who had to invent an entailment, a neutral sentence and a contradiction to each caption, over and over; the words they fell back on are known ([Gururangan et al. 2018](https://aclanthology.org/N18-2017/)), and here they are.

# %%
#| fig-cap: "Words of SNLI hypotheses by frequency and by the share of a label. Coloured words are tied to the label beyond chance, after correction for all tests."
#| fig-alt: "Scatter of words; a grey funnel of harmless words around one third, and coloured words such as nobody, sleeping and outside above it."
if (snli := real_data("snli/train_balanced.jsonl.gz")):
    snli_words = label_statistics(load_nli(snli))
    assert {"sleeping", "nobody", "outdoors"} <= set(snli_words.loc[snli_words["significant"], "word"])
    plot_artifacts(snli_words, n_names=14, width=5)

# %% [markdown]
# ## 2. How far does the hypothesis alone lead?
#
# A label of an NLI pair is a relation of two texts; who sees one of them should not do better than guessing. `hypothesis_only` trains a model without premises, and checks that no premise reaches it.

# %%
#| slow
def arguments(folder, epochs):
    "Settings of the small models of this page."
    return IGTrainingArguments(folder, num_train_epochs=epochs, learning_rate=1e-3, per_device_train_batch_size=64, save_strategy="no",
                               report_to="none", disable_tqdm=True, logging_strategy="no", dataloader_pin_memory=False)
with tempfile.TemporaryDirectory() as folder:
    blind = hypothesis_only(data["train"], data["validation"], "tiny", arguments(folder, 2), progress=False)
print(f"planted: {interval_text(blind.metrics)} without premises, {blind.metrics['majority']:.3f} for the most frequent label")
snli_run = json.loads(Path("../api/_runs/snli_artifacts.json").read_text())["hypothesis_only"]
print(f"SNLI dev: {interval_text(snli_run)} without premises, {snli_run['majority']:.3f} for the most frequent label (measured once)")
assert blind.metrics["gain"] > 0.15 and blind.premise_effect < 1e-4

# %% [markdown]
# So cheating is *possible* on both. It does not follow that a model does it.

# %% [markdown]
# ## 3. What does the model do where cheating fails?
#
# Two small models: one trained on the suspect data, and one on the same grammar without the tie. The first is the suspect, the second shows what the architecture can do when it has to read.

# %%
#| slow
def train(dataset, epochs=4, seed=0):
    "A small model trained on planted pairs."
    set_seed(seed)
    model, tokenizer = tiny_model(seed)
    with tempfile.TemporaryDirectory() as folder:
        trainer = IGTrainer(model, arguments(folder, epochs), train_dataset=tokenize_nli(dataset, tokenizer), data_collator=nli_collator(tokenizer), processing_class=tokenizer)
        trainer.remove_callback(PrinterCallback)
        trainer.train()
    return model, tokenizer
suspect, tokenizer = train(data["train"])
honest, _ = train(planted_nli(n_train=6000, n_eval=10, strength=0, artifacts=("cue", "giveaway"))["train"])

# %%
#| fig-cap: "Accuracy with 95 % intervals. On `validation` the artifact helps, on `clean` it is absent, on `challenge` it misleads."
#| fig-alt: "Three rows of two points: the suspect is high on validation, lower on clean and lowest on challenge; the other model is about equal on all."
sets = {name: data[name] for name in ("validation", "clean", "challenge")}
reports = {name: challenge_report(model, tokenizer, sets, progress=False) for name, model in (("suspect", suspect), ("honest", honest))}
ax = plot_accuracy_by_split({name: report.metrics for name, report in reports.items()}, chance=1 / 3)
accuracy = {name: {s: m["accuracy"] for s, m in report.metrics.items()} for name, report in reports.items()}
lost = {name: round(100 * (a["validation"] - a["challenge"])) for name, a in accuracy.items()}
print(f"points lost from validation to challenge: {lost}")
assert accuracy["suspect"]["validation"] - accuracy["suspect"]["challenge"] > 0.2

# %% [markdown]
# Real challenge sets do the same for SNLI models: [HANS](https://aclanthology.org/P19-1334/), where word overlap misleads, and [counterfactual pairs](https://openreview.net/forum?id=Sklgs0NFvr), where people changed a few words and with them the label. MiniLM-L6, trained on 20,000 SNLI pairs:

# %%
run = json.loads(Path("../api/_runs/minilm_snli.json").read_text())
real = pd.DataFrame(run["challenge"])
keep = (real["slice"] == "all") | real["slice"].str.startswith("heuristic")
print(f"CAD: right on the original {run['consistency']['CAD revised']['original_accuracy']:.3f}, on original and revision {interval_text(run['consistency']['CAD revised'], 'consistency')}")
shown(real[keep][["set", "slice", "n", "accuracy", "low", "high"]])

# %% [markdown]
# ## 4. Is the difference more than chance?
#
# Compare the two models pair by pair on the set that matters. McNemar's test and the paired bootstrap use that both saw the same pairs; the interval speaks of *these two trained models*. For a claim about a method, train several seeds and use `over_seeds`.

# %%
result = compare(reports["suspect"].predictions["challenge"], reports["honest"].predictions["challenge"], names=("suspect", "honest"))
print(result.summary())
shown(result.table)

# %% [markdown]
# A cheating model is often sure of itself. On `challenge`, how often is it right when it says 95 %?

# %%
#| fig-cap: "Reliability on the challenge set: points far below the diagonal are confident errors."
#| fig-alt: "Accuracy against predicted probability for both models with a diagonal; the suspect's line is far below it."
figure = plot_reliability({name: report.predictions["challenge"] for name, report in reports.items()}, n_bins=6)

# %% [markdown]
# ## 5. Where does it look?
#
# [Integrated Gradients](../api/02_attribution.ipynb) say which words carried the decision. First for the eye: three challenge pairs that the suspect gets wrong.

# %%
few = data["challenge"].select(range(150))
found = {name: attribute(model, tokenizer, few["premise"], few["hypothesis"], progress=False) for name, model in (("suspect", suspect), ("honest", honest))}
wrong = [i for i in range(150) if found["suspect"][i].predicted != LABELS[few["label"][i]]][:3]
titles = [f"predicts {found['suspect'][i].predicted}, right is {LABELS[few['label'][i]]}" for i in wrong]
attribution_html([found["suspect"][i] for i in wrong], titles=titles)

# %% [markdown]
# Then as a number. In planted data the artifact's characters are columns, so we can ask whether the size of the attribution ranks them above other words (AUROC; 0.5 is chance), for each kind of artifact and for both models.

# %%
kinds = np.array(few["artifact"])
looks = {(kind, name): attribution_recovery([a for a, k in zip(found[name], kinds) if k == kind], few.filter(lambda r: r["artifact"] == kind)) for kind in ("cue", "giveaway") for name in found}
pd.DataFrame([{"artifact": kind, "model": name, "AUROC of planted words": interval_text(r, "auroc"), "share of attribution": interval_text(r, "mass"), "if spread evenly": f"{r['mass_uniform']:.3f}"} for (kind, name), r in looks.items()])

# %% [markdown]
# The two kinds teach different lessons. The *cue* means nothing: the suspect looks at it, and the honest model hardly does, so the attribution convicts. The *topic* words also say what the hypothesis is about, and a model that reads must look at them as well: **attention to a give-away is no proof**. For words like these (*sleeping*, *nobody* and *outdoors* are such words) only steps 3 and 4 can tell.

# %%
assert looks["cue", "suspect"]["auroc_low"] > looks["cue", "honest"]["auroc_high"]

# %% [markdown]
# Are the attributions true to the model? Deleting the words they rank highest must change the answer more than deleting random words (*comprehensiveness*), and keeping only those must keep it (*sufficiency*; lower is better). A cheat also shows here: a few words are enough for it.

# %%
#| slow
rows = {}
for name, model in (("suspect", suspect), ("honest", honest)):
    faith = faithfulness(model, tokenizer, found[name][:60], n_random=3, progress=False)
    rows[name] = {part: f"{faith[part]:.3f}, random words {faith[part + '_random']:.3f}" for part in ("comprehensiveness", "sufficiency")}
    assert faith["comprehensiveness_gain_low"] > 0
pd.DataFrame(rows)

# %% [markdown]
# ## 6. The verdict
#
# Put together by the numbers, not by taste:

# %%
def verdict(blind, metrics, comparison, suspect_looks, honest_looks):
    "Which of the signs of a cheat are there."
    validation, challenge = metrics["validation"], metrics["challenge"]
    gap = 100 * (validation["accuracy"] - challenge["accuracy"])
    signs = {"the hypothesis alone beats guessing (it could cheat)": blind["p"] < 0.01 and blind["gain"] > 0.05,
             "it loses more than 10 points where the artifact misleads, and the intervals do not touch": gap > 10 and challenge["accuracy_high"] < validation["accuracy_low"],
             "a model that had to read is better there": comparison.table.set_index("metric").loc["accuracy", "low"] > 0,
             "it looks at meaningless artifact words, and a model that had to read does so less": suspect_looks["auroc_low"] > max(0.5, honest_looks["auroc_high"])}
    for sign, holds in signs.items(): print("yes" if holds else "no ", "-", sign)
    return f"{sum(signs.values())} of {len(signs)} signs: " + ("the model relies on the artifacts." if all(signs.values()) else "look closer before you decide.")
print(verdict(blind.metrics, reports["suspect"].metrics, result, looks["cue", "suspect"], looks["cue", "honest"]))

# %% [markdown]
# What to do about it: remove or balance what gives the label away (step 1 names it), train with the penalty that puts a price on those words (`artifact_mass` takes the weights below), and run this page again.

# %%
print(artifact_weights(words, most=8))
