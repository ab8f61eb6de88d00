#!/bin/sh
# sbatch slurm.sh: four nodes train one run. It goes on from its last checkpoint after a node has
# failed, and after the job was requeued.
#SBATCH --job-name=train
#SBATCH --nodes=4
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=16
#SBATCH --time=04:00:00
#SBATCH --signal=TERM@120
#SBATCH --requeue
#SBATCH --open-mode=append

# 128 and above, but not 130: a process was lost. Anything else would happen again.
for _ in 1 2 3; do
	srun --cpus-per-task="$SLURM_CPUS_PER_TASK" --distribution=block \
		tftl fit --data photos --model vgg16 --output runs/photos --continue \
		--cluster slurm --threads "$SLURM_CPUS_PER_TASK" --workers "$SLURM_CPUS_PER_TASK"
	code=$?
	[ "$code" -ge 128 ] && [ "$code" -ne 130 ] || break
done
exit "$code"
