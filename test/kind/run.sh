#!/bin/sh
# The installation by hand (docs/install/by-hand.md) on kind, with N control-plane nodes: from a cluster
# without claviger to a Secret that is encrypted, and a rotation that a census has proven.
#   docker build -t claviger:0.1.0 . && sh test/kind/run.sh [N]
# Needs docker, kind, kubectl, and npm ci in this checkout. Nobody has run it yet.
set -eu
nodes=${1:-1}
cluster=claviger-$nodes
cd "$(dirname "$0")/../.."

fail() { echo "test/kind: $*" >&2; exit 1; }
say() { printf '\n== %s\n' "$*"; }
# Puts a file into a node: whole, of root, and closed to others.
put() {
  docker cp "$1" "$2:/etc/kubernetes/put.new"
  docker exec "$2" sh -c "chown root:root /etc/kubernetes/put.new && chmod 600 /etc/kubernetes/put.new && mv /etc/kubernetes/put.new $3"
}
# Repeats a command for three minutes, until it succeeds.
retry() {
  for _ in $(seq 90); do
    if "$@" > /dev/null 2>&1; then return; fi
    sleep 2
  done
  "$@"
}
for program in docker kind kubectl node; do
  command -v "$program" > /dev/null || fail "$program is needed and is not in PATH"
done
case $nodes in 1 | 3) ;; *) fail "usage: sh test/kind/run.sh [1|3]" ;; esac
docker image inspect claviger:0.1.0 > /dev/null 2>&1 || fail "there is no image claviger:0.1.0: docker build -t claviger:0.1.0 ."

work=$(mktemp -d)
KUBECONFIG=$work/kubeconfig
export KUBECONFIG
finish() {
  status=$?
  if [ $status -ne 0 ]; then
    kubectl get mk,kv,ka,ks -A 2>&1 || true
    kubectl -n kube-system logs -l app.kubernetes.io/name=claviger --tail=50 --prefix 2>&1 || true
  fi
  kind delete cluster --name "$cluster"
  rm -rf "$work"
  exit $status
}
trap finish EXIT

say "a cluster of $nodes control-plane nodes, without claviger"
sh test/kind/config.sh "$nodes" > "$work/kind.yaml"
kind create cluster --name "$cluster" --config "$work/kind.yaml" --wait 5m
kind load docker-image claviger:0.1.0 --name "$cluster"
machines=$(kind get nodes --name "$cluster" | grep control-plane)
kubectl create secret generic before --from-literal=text=stored-plain

say "steps 1 to 6: root key, rights, kubeconfigs, configuration, static pods"
(umask 077; head -c 32 /dev/urandom > "$work/root.key")
kubectl apply -f crds -f deploy/rbac.yaml -f deploy/admission.yaml
kubectl wait --for=condition=Established --timeout=60s -f crds
# Every API server can read what another writes before the first of them writes it: identity first.
sh test/kind/encryption.sh identity > "$work/enc-first.yaml"
sh test/kind/encryption.sh kms > "$work/enc.yaml"
for machine in $machines; do
  docker exec "$machine" install -d -m 700 /etc/claviger /var/lib/claviger /etc/kubernetes/enc
  docker exec "$machine" sh -c \
    "echo 'd /run/claviger 0700 root root -' > /etc/tmpfiles.d/claviger.conf && systemd-tmpfiles --create claviger.conf"
  put "$work/root.key" "$machine" /etc/claviger/root.key
  put deploy/claviger.yaml "$machine" /etc/claviger/claviger.yaml
  put "$work/enc-first.yaml" "$machine" /etc/kubernetes/enc/enc.yaml
  for user in node rewriter; do
    file=kubeconfig
    [ "$user" = node ] || file=rewriter.kubeconfig
    docker exec "$machine" sh -c "umask 077 && kubeadm kubeconfig user --config /kind/kubeadm.conf \
      --client-name claviger-$user:\$(hostname) --org claviger:${user}s | \
      sed 's|server: .*|server: https://127.0.0.1:6443|' > /etc/claviger/$file"
  done
  for part in plugin operator; do
    put "deploy/static-pod-$part.yaml" "$machine" "/etc/kubernetes/manifests/claviger-$part.yaml"
  done
done

say "step 7: the key"
for machine in $machines; do
  retry kubectl get ks "$machine"
done
kubectl apply -f examples/keys
kubectl wait --for=condition=Ready --timeout=120s -f examples/keys

say "step 8: the API servers, one after another"
for machine in $machines; do
  docker exec "$machine" cat /etc/kubernetes/manifests/kube-apiserver.yaml |
    sh bin/with-node.sh node test/kind/api-server.ts > "$work/kube-apiserver.yaml"
  put "$work/kube-apiserver.yaml" "$machine" /etc/kubernetes/manifests/kube-apiserver.yaml
  retry docker exec "$machine" sh -c \
    'ps -o args= -C kube-apiserver | grep -q encryption-provider-config= && curl -skf https://127.0.0.1:6443/readyz'
done
# They reload the file by themselves.
for machine in $machines; do
  put "$work/enc.yaml" "$machine" /etc/kubernetes/enc/enc.yaml
done

say "steps 9 and 10: a Secret, and what was stored before"
kubectl apply -f deploy/rewriter.yaml
kubectl wait mk/secrets -n claviger-system --timeout=20m \
  --for=jsonpath='{.status.conditions[?(@.type=="Reencrypted")].reason}'=Verified
kubectl create secret generic after --from-literal=text=stored-encrypted
first=$(echo "$machines" | head -n 1)
for name in before after; do
  kubectl -n kube-system exec "etcd-$first" -- etcdctl --endpoints=https://127.0.0.1:2379 \
    --cacert=/etc/kubernetes/pki/etcd/ca.crt --cert=/etc/kubernetes/pki/etcd/server.crt \
    --key=/etc/kubernetes/pki/etcd/server.key get "/registry/secrets/default/$name" --print-value-only > "$work/value"
  head -c 23 "$work/value" | grep -q '^k8s:enc:kms:v2:secrets:' || fail "Secret $name is not under claviger in etcd"
  ! grep -q 'stored-' "$work/value" || fail "the text of Secret $name is in etcd"
  kubectl get secret "$name" -o jsonpath='{.data.text}' | base64 -d | grep -q '^stored-'
done

say "step 11: a rotation, proven by a census"
sh bin/with-node.sh node bin/claviger.js rotate claviger-system/secrets --wait --kubeconfig "$KUBECONFIG"

say "a node restarts, and its Secrets are read"
docker restart "$first"
retry docker exec "$first" curl -skf https://127.0.0.1:6443/readyz
kubectl get secret after -o jsonpath='{.data.text}' | base64 -d | grep -q '^stored-encrypted'
for machine in $machines; do
  retry kubectl -n kube-system exec "claviger-operator-$machine" -- claviger doctor
done
say "done"
