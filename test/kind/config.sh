#!/bin/sh
# Prints the configuration of a kind cluster with $1 control-plane nodes.
set -eu
printf 'kind: Cluster\napiVersion: kind.x-k8s.io/v1alpha4\nnodes:\n'
for _ in $(seq "$1"); do printf '  - role: control-plane\n'; done
