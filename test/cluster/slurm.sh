#!/bin/bash
# Runs a command on a Slurm of its own: munged, slurmctld and slurmd of this machine, on the loopback. They need no
# root, write below one folder, and end with the command.
#
#   slurm.sh COMMAND [ARGUMENT…]       in which sbatch, squeue and their like are this Slurm's
set -euo pipefail
export PATH="$PATH:/usr/sbin:/sbin"

folder=$(mktemp -d "${TMPDIR:-/tmp}/heteromem-slurm-XXXXXX")
chmod 755 "$folder"
daemons=()
take_down() {
  for pid in "${daemons[@]}"; do kill "$pid" 2>/dev/null || true; done
  for pid in "${daemons[@]}"; do wait "$pid" 2>/dev/null || true; done
  rm -rf "$folder"
}
trap take_down EXIT

# Two free ports of the loopback.
read -r control node < <(node -e '
  const { createServer } = require("node:net");
  const servers = [1, 2].map(() => createServer().listen(0, "127.0.0.1"));
  let left = 2;
  for (const server of servers) server.on("listening", () => {
    if (--left > 0) return;
    console.log(servers.map((one) => one.address().port).join(" "));
    for (const one of servers) one.close();
  });')

mkdir "$folder"/{munge,state,spool}
chmod 711 "$folder/munge"
head -c 1024 /dev/urandom >"$folder/munge/key"
chmod 600 "$folder/munge/key"
cat >"$folder/slurm.conf" <<EOF
ClusterName=heteromem
SlurmctldHost=$(hostname -s)(127.0.0.1)
SlurmctldPort=$control
SlurmdPort=$node
SlurmUser=$(id -un)
SlurmdUser=$(id -un)
AuthType=auth/munge
AuthInfo=socket=$folder/munge/socket
CryptoType=crypto/munge
CredType=cred/munge
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd.pid
SlurmctldLogFile=$folder/slurmctld.log
SlurmdLogFile=$folder/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
ReturnToService=2
SlurmdParameters=config_overrides
SchedulerParameters=sched_interval=1,batch_sched_delay=0
NodeName=$(hostname -s) NodeAddr=127.0.0.1 CPUs=2 State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
EOF
export SLURM_CONF="$folder/slurm.conf"

munged --foreground --force --key-file="$folder/munge/key" --socket="$folder/munge/socket" \
  --pid-file="$folder/munge/pid" --log-file="$folder/munge/log" --seed-file="$folder/munge/seed" 2>>"$folder/munge/err" &
daemons+=($!)
until [[ -S $folder/munge/socket ]]; do sleep 0.05; done
slurmctld -D -c &>"$folder/slurmctld.out" &
daemons+=($!)
slurmd -D -N "$(hostname -s)" &>"$folder/slurmd.out" &
daemons+=($!)
for ((i = 0; ; i++)); do
  if [[ $(sinfo -h -o %T 2>/dev/null) == idle ]]; then break; fi
  if ((i == 300)); then
    echo "slurm.sh: no node of Slurm after 30 s" >&2
    tail -n 20 "$folder"/*.log "$folder"/*.out >&2
    exit 1
  fi
  sleep 0.1
done
"$@"
