# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown]
# # Train on many GPUs or machines
#
# > The same command behind a launcher, and what to mind
#
# After this page you can start a penalised run on all GPUs of a machine or on several machines, let a cluster kill and requeue it, and know which kinds of parallelism the penalty works with. The commands are run below with two processes on the CPU; with GPUs they are the same.
#
# ## One machine
#
# A run that you start with `vbig train ...` uses one device. To use four GPUs, put a launcher before it:
#
# ```bash
# torchrun --nproc-per-node 4 --no-python vbig train --dataset snli --ig_mode variance --output_dir runs/snli
# ```
#
# or, with the settings that `accelerate config` once asked you for,
#
# ```bash
# accelerate launch --no_python vbig train --dataset snli --ig_mode variance --output_dir runs/snli
# ```
#
# Each process trains on its own share of each batch, and [DDP](https://pytorch.org/docs/stable/notes/ddp.html) averages the gradients. Here, a small run by one process and by two:

# %%
#| hide
import json, os, socket, subprocess, sys, tempfile
from pathlib import Path
import matplotlib.pyplot as plt, pandas as pd, seaborn as sns
from fastcore.test import test_eq, test_close
home = os.getcwd(); folder = tempfile.TemporaryDirectory(); os.chdir(folder.name)
bin = Path(sys.executable).parent

# %%
def shell(command, port=None):
    "Run a command line; returns what it printed."
    words = command.split()
    if words[0] == "torchrun": words[1:1] = ["--master-addr", "127.0.0.1", "--master-port", str(free_port())]
    done = subprocess.run([str(bin/words[0]), *[str(bin/w) if w == "vbig" else w for w in words[1:]]], capture_output=True, text=True, timeout=300,
                          env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"})
    return done.returncode, done.stdout + done.stderr

def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]

# %%
train = ("vbig train --model tiny --dataset planted --max_train_samples 1600 --max_eval_samples 400 --num_train_epochs 1 --learning_rate 1e-3 "
         "--ig_mode variance --lambda_reg 1 --alpha_scale 10 --ig_steps 8 --use_cpu --disable_tqdm true --logging_steps 5 --save_strategy no --report_to none")
status, text = shell(f"{train} --per_device_train_batch_size 32 --output_dir one")
assert status == 0, text[-3000:]
status, text = shell(f"torchrun --nproc-per-node 2 --no-python {train} --per_device_train_batch_size 16 --output_dir two")
assert status == 0, text[-3000:]

# %%
runs = {name: json.loads(Path(name, "run.json").read_text()) for name in ("one", "two")}
pd.DataFrame({f"{name} process{'es' * (name == 'two')}": {"steps": run["steps"], "accuracy": run["metrics"]["validation"]["accuracy"],
              "last loss": [row["loss"] for row in run["log_history"] if "loss" in row][-1]} for name, run in runs.items()}).round(4)

# %%
#| fig-cap: "Loss of the same run by one process (batches of 32) and by two (batches of 16 each)."
#| fig-alt: "Line plot of loss against step; the curves of one and two processes lie on each other."
blue, orange, *_ = sns.color_palette("colorblind")
_, axis = plt.subplots(figsize=(6, 3))
for (name, run), colour, style, width in zip(runs.items(), (blue, orange), ("-", "--"), (4, 1.5)):
    axis.plot(*zip(*[(row["step"], row["loss"]) for row in run["log_history"] if "loss" in row]), style, color=colour, lw=width, label=f"{name} process{'es' * (name == 'two')}")
axis.set(xlabel="step", ylabel="loss (nats)", title="One process and two"); axis.legend(); plt.show()

# %%
losses = [[row["loss"] for row in run["log_history"] if "loss" in row] for run in runs.values()]
test_close(losses[0], losses[1], eps=1e-2)

# %% [markdown]
# Two rules follow from this. **The batch is what all processes see together**: `per_device_train_batch_size` x processes x `gradient_accumulation_steps`. To repeat a run on more GPUs, divide the batch size; to use the larger batch, choose the learning rate anew. **The penalty is that of the whole batch**, over all processes, as [two processes equal one](../guarantees/two_processes.ipynb) shows to the last digits.
#
# ## Several machines
#
# The same command on each machine, with the address of the first:
#
# ```bash
# torchrun --nnodes 4 --nproc-per-node 8 --rdzv-backend c10d --rdzv-endpoint $FIRST:29500 --no-python \
#     vbig train --dataset mnli --ig_mode normalized_variance --bf16 --output_dir /shared/runs/mnli
# ```
#
# `output_dir` should be on a disk that all machines see: only the first process writes weights and metrics, but on resumption every process reads the checkpoint and its own random state. Nodes without a network read models and data from the cache that you filled beforehand (`HF_HOME` on the shared disk, `HF_HUB_OFFLINE=1`); each corpus is tokenised by one process and read by the others from its file, never as a whole into memory.
#
# ## Jobs that are killed and requeued
#
# With `--resume_from_checkpoint auto` the same command starts a run or goes on with it, so that a script may be put back into the queue as it is:
#
# ```bash
# #!/bin/bash
# #SBATCH --nodes 2 --gpus-per-node 8 --ntasks-per-node 1 --requeue --signal B:TERM@60
# srun torchrun --nnodes $SLURM_NNODES --nproc-per-node 8 --rdzv-backend c10d --rdzv-endpoint $(scontrol show hostnames | head -1):29500 \
#     --no-python vbig train --dataset mnli --ig_mode variance --bf16 --output_dir /shared/runs/mnli \
#     --save_strategy steps --save_steps 500 --save_total_limit 2 --resume_from_checkpoint auto
# ```
#
# A checkpoint that the kill left half written is passed over with a warning. What is lost is the steps since the last whole one; on one process the run ends bit for bit [where it would have ended](../guarantees/kill_and_resume.ipynb). Here with two processes: a run of 20 steps, then the same command with 50.

# %%
options = f"{train.replace('--save_strategy no', '--save_strategy steps')} --per_device_train_batch_size 16 --save_steps 20 --resume_from_checkpoint auto --output_dir queued"
for steps in (20, 50):
    status, text = shell(f"torchrun --nproc-per-node 2 --no-python {options} --max_steps {steps}")
    assert status == 0, text[-3000:]
    print(steps, "steps asked for:", sorted(p.name for p in Path("queued").glob("checkpoint-*")))
history = json.loads(Path("queued/run.json").read_text())["log_history"]
test_eq(max(row["step"] for row in history), 50)

# %% [markdown]
# ## What the penalty works with
#
# | setting | ig_mode none | with a penalty |
# |---|---|---|
# | one device; DDP on one or more machines (`torchrun`, `accelerate launch`) | yes | yes |
# | `--bf16`, `--fp16` | yes | yes; the penalty itself is computed in float32, without TF32 |
# | `--gradient_accumulation_steps` | yes | yes; the penalty is the mean over micro-batches |
# | `--activation_checkpointing` | yes | yes; the penalty's own passes do not use it, see below |
# | `--torch_compile` | yes | yes; the penalty's own passes are not compiled |
# | FSDP, DeepSpeed, tensor, pipeline, context or sequence parallelism | as in the Trainer | refused: it needs whole parameters in every process |
# | several GPUs without a launcher (`DataParallel`) | as in the Trainer | refused: use `torchrun` |
# | LOMO and layer-wise GaLore (they step during the backward pass), `--ddp_static_graph` | as in the Trainer | refused |
# | weights loaded in half precision | as in the Trainer | refused: load in float32 and use `--bf16` |
#
# A refusal comes before the first step and says what to do instead:

# %%
status, text = shell(f"torchrun --nproc-per-node 2 --no-python {train} --output_dir sharded --fsdp full_shard")
assert status != 0
print(next(line for line in text.splitlines() if "FSDP shards" in line).strip())

# %% [markdown]
# ## Memory and time
#
# The penalty's passes hold the activations of one group of rows at a time. `--ig_batch_size` makes the groups smaller where memory is short; results stay the same. To spend less time, `--ig_estimator sampled` (the default) regularises the fraction `--ig_fraction` of each batch, and `--ig_every k` every k-th step with k times the weight; the [speed and memory](../guarantees/speed_and_memory.ipynb) page measures each. `--train_sampling_strategy group_by_length` saves padding, which the penalty would pay for at every node.
#
# ## When it hangs
#
# - All processes wait for one that has died: look for the first error in the log, not the last. `torchrun` ends the others.
# - Processes wait for each other at the start: the port of `--master-port` or `--rdzv-endpoint` is closed or taken. On machines with several networks NCCL may choose the wrong one: `NCCL_SOCKET_IFNAME`, `NCCL_DEBUG=INFO`.
# - Tokenising takes longer than half an hour on the first process: raise `--ddp_timeout`, or run once with one process; the result is cached.
# - On a machine without accelerator, `torchrun` alone lets each process train for itself; `vbig` sets `--use_cpu` there, so that they train together.

# %%
#| hide
os.chdir(home); folder.cleanup()
