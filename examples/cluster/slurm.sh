#!/bin/sh
#SBATCH --job-name=heteromem
#SBATCH --array=1-4
#SBATCH --cpus-per-task=2
#SBATCH --output=shard-%a.log
# Each task of the array runs its shard; all write to one directory, since files are written whole or not at all.
exec heteromem sweep "${SPEC:-policies.yaml}" --out "${OUT:-policies}" --quiet \
  --shard "$SLURM_ARRAY_TASK_ID/$SLURM_ARRAY_TASK_COUNT" --workers "${SLURM_CPUS_PER_TASK:-1}"
