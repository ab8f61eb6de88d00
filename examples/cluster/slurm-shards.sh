#!/bin/sh
# sbatch slurm-shards.sh: ten tasks evaluate a run, each a shard, and need no network. Then:
#
#     tftl merge --model runs/photos shards/*
#SBATCH --job-name=evaluate
#SBATCH --array=1-10
#SBATCH --cpus-per-task=16

mkdir -p shards
tftl evaluate --model runs/photos --shard "$SLURM_ARRAY_TASK_ID/10" \
	--threads "$SLURM_CPUS_PER_TASK" --workers "$SLURM_CPUS_PER_TASK" \
	>"shards/$SLURM_ARRAY_TASK_ID"
