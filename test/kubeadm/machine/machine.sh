#!/bin/bash
# A machine made of namespaces: its own mounts, processes, network, host name, IPC and cgroups. Its disks are
# folders below FOLDER; /run is lost when the machine halts.
#
#   machine.sh keep FOLDER NAME ADDRESS PACKAGES   boots the machine, prints the id of its first process, and
#                                                  halts it at the end of standard input. A line "halt" there
#                                                  keeps FOLDER; without that line FOLDER is removed.
#   machine.sh sh ID CGROUP COMMAND                runs a command in the machine.
set -u
HIERARCHIES="cpu cpuacct cpuset memory devices freezer blkio pids systemd unified"

make_cgroups() {
  local name d
  for name in $HIERARCHIES; do
    d=/sys/fs/cgroup/$name/$1
    mkdir -p "$d"
    [ "$name" = cpuset ] || continue
    echo 1 > "$d/cgroup.clone_children"
    cat /sys/fs/cgroup/cpuset/cpuset.cpus > "$d/cpuset.cpus"
    cat /sys/fs/cgroup/cpuset/cpuset.mems > "$d/cpuset.mems"
  done
}

enter_cgroups() {
  local d
  for d in /sys/fs/cgroup/*/"$1"; do echo "$BASHPID" > "$d/cgroup.procs"; done
}

# A killed machine's processes need a moment to leave their cgroups.
remove_cgroups() {
  local d
  for _ in $(seq 300); do
    for d in /sys/fs/cgroup/*/"$1"; do
      [ -d "$d" ] && find "$d" -depth -type d -exec rmdir {} + 2> /dev/null
    done
    ls -d /sys/fs/cgroup/*/"$1" > /dev/null 2>&1 || return 0
    sleep 0.1
  done
}

keep() {
  local folder=$1 name=$2 address=$3 packages=$4 cgroup order="" keeper
  cgroup=claviger-$(basename "$(dirname "$folder")")-$name
  mkdir -p "$folder"/{etc,var-lib,var-log,opt,usr}/{upper,work} "$folder"/{containerd,kubelet,etcd,pods}
  rm -f "$folder/booted"
  make_cgroups "$cgroup"
  (
    enter_cgroups "$cgroup"
    exec setpriv --pdeathsig KILL -- unshare --mount --pid --fork --kill-child --uts --ipc --net --cgroup \
      --propagation private bash "$0" init "$folder" "$name" "$address" "$packages"
  ) < /dev/null > "$folder/boot.log" 2>&1 &
  keeper=$!
  # A machine that fails to boot ends.
  { wait_for_boot "$folder" "$keeper" && echo "$(tr -d ' ' < /proc/$keeper/task/$keeper/children) $cgroup"; } || cat "$folder/boot.log" >&2
  read -r order
  kill -9 "$keeper" 2> /dev/null
  wait "$keeper" 2> /dev/null
  remove_cgroups "$cgroup"
  [ "$order" = halt ] && return
  rm -rf "$folder"
  rmdir "$(dirname "$folder")" 2> /dev/null
}

wait_for_boot() {
  for _ in $(seq 600); do
    [ -e "$1/booted" ] && return 0
    kill -0 "$2" 2> /dev/null || return 1
    sleep 0.05
  done
  return 1
}

init() {
  set -e
  local folder=$1 name=$2 address=$3 packages=$4 p k x c f s
  mount -t proc proc /proc
  for p in etc var/lib var/log opt; do
    k=${p//\//-}
    mount -t overlay -o "lowerdir=/$p,upperdir=$folder/$k/upper,workdir=$folder/$k/work" overlay "/$p"
  done
  mount -t overlay -o "lowerdir=$packages/usr:/usr,upperdir=$folder/usr/upper,workdir=$folder/usr/work" overlay /usr
  # containerd, the kubelet and etcd need a real file system: overlayfs cannot lie on overlayfs.
  mkdir -p /var/lib/{containerd,kubelet,etcd} /var/log/pods
  for x in containerd kubelet etcd; do mount --bind "$folder/$x" "/var/lib/$x"; done
  chmod 700 /var/lib/etcd
  mount --bind "$folder/pods" /var/log/pods
  mount -t tmpfs -o mode=755 tmpfs /run
  mount --make-rshared /
  for c in cpu cpuacct cpuset memory devices freezer blkio pids; do
    umount "/sys/fs/cgroup/$c"
    mount -t cgroup -o "$c" cgroup "/sys/fs/cgroup/$c"
  done
  umount /sys/fs/cgroup/systemd
  mount -t cgroup -o none,name=systemd cgroup /sys/fs/cgroup/systemd
  umount /sys/fs/cgroup/unified
  mount -t cgroup2 cgroup2 /sys/fs/cgroup/unified
  # The kubelet sets these for the whole kernel: let it set copies.
  mkdir /run/sysctl /run/home
  for s in vm/overcommit_memory vm/panic_on_oom kernel/panic kernel/panic_on_oops kernel/keys/root_maxkeys kernel/keys/root_maxbytes; do
    f=/run/sysctl/${s//\//.}
    cat "/proc/sys/$s" > "$f"
    mount --bind "$f" "/proc/sys/$s"
  done
  hostname "$name"
  echo "$name" > /etc/hostname
  printf '127.0.0.1 localhost\n%s %s\n' "$address" "$name" > /etc/hosts
  ip link set lo up
  ip link add node0 type bridge
  ip addr add "$address/24" dev node0
  ip link set node0 up
  ip route add default dev node0
  echo 1 > /proc/sys/net/ipv4/ip_forward
  # A network for pods of this machine alone, so that the kubelet calls the node ready.
  mkdir -p /etc/cni/net.d
  cp "$(dirname "$0")/pods.conflist" /etc/cni/net.d/10-pods.conflist
  touch "$folder/booted"
  # The first process of a machine reaps the orphans.
  while :; do
    sleep 3600 &
    wait $!
  done
}

case $1 in
  keep) shift; keep "$@" ;;
  init) shift; init "$@" ;;
  sh)
    enter_cgroups "$3"
    exec nsenter --target "$2" --mount --pid --uts --ipc --net --cgroup --wd=/ \
      env -i "PATH=$PATH" HOME=/run/home KUBECONFIG=/etc/kubernetes/admin.conf bash -c "$4"
    ;;
esac
