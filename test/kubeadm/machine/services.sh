#!/bin/bash
# Starts what systemd would start at a boot, or one of them: tmpfiles, containerd, kubelet. Each service is a
# loop that restarts its program, as Restart=always does; `stop` ends the loop and the program.
#
#   services.sh start|stop containerd|kubelet
set -u
HERE=$(dirname "$(realpath "$0")")

containerd_loop() {
  while :; do
    containerd --config "$HERE/containerd.toml" >> /var/log/containerd.log 2>&1 &
    echo $! > /run/containerd.pid
    wait $!
    sleep 1
  done
}

# The flags of kubeadm's kubelet.service and its drop-in file.
kubelet_loop() {
  while :; do
    local flags=""
    # kubeadm writes it. Until then kubelet.service starts and fails, again and again.
    until [ -e /var/lib/kubelet/config.yaml ]; do sleep 0.2; done
    [ -e /var/lib/kubelet/kubeadm-flags.env ] && flags=$(sed -n 's/^KUBELET_KUBEADM_ARGS="\(.*\)"$/\1/p' /var/lib/kubelet/kubeadm-flags.env)
    # shellcheck disable=SC2086  # several flags
    kubelet --bootstrap-kubeconfig=/etc/kubernetes/bootstrap-kubelet.conf --kubeconfig=/etc/kubernetes/kubelet.conf \
      --config=/var/lib/kubelet/config.yaml $flags >> /var/log/kubelet.log 2>&1 &
    echo $! > /run/kubelet.pid
    wait $!
    sleep 1
  done
}

case "$1 $2" in
  "start containerd" | "start kubelet")
    setsid bash "$0" "loop" "$2" > /dev/null 2>&1 < /dev/null &
    echo $! > "/run/$2.loop"
    ;;
  "loop containerd") containerd_loop ;;
  "loop kubelet") kubelet_loop ;;
  "stop containerd" | "stop kubelet")
    kill -9 "$(cat "/run/$2.loop")"
    [ -e "/run/$2.pid" ] || exit 0
    kill "$(cat "/run/$2.pid")"
    while kill -0 "$(cat "/run/$2.pid")" 2> /dev/null; do sleep 0.1; done
    ;;
esac
