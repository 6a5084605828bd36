#!/bin/sh
# Prints the EncryptionConfiguration of docs/install/by-hand.md, with $1 (identity or kms) first.
set -eu
kms='      - kms:
          apiVersion: v2
          name: secrets
          endpoint: unix:///var/run/claviger/secrets.sock
          timeout: 3s'
identity='      - identity: {}'
case $1 in
  identity) providers="$identity
$kms" ;;
  kms) providers="$kms
$identity" ;;
  *) echo "usage: encryption.sh identity|kms" >&2; exit 2 ;;
esac
cat <<END
apiVersion: apiserver.config.k8s.io/v1
kind: EncryptionConfiguration
resources:
  - resources: ["*.kms.claviger.dev"]
    providers:
      - identity: {}
  - resources: [secrets]
    providers:
$providers
END
