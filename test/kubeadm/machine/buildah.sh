#!/bin/bash
# Runs buildah without installing it: its files lie over /usr in a mount namespace of its own, because buildah
# starts itself again, without an environment.
#
#   buildah.sh PACKAGES STORAGE COMMAND ARGUMENT...
set -eu
if [ "${CLAVIGER_BUILDAH:-}" != inside ]; then
  export CLAVIGER_BUILDAH=inside
  exec unshare --mount --propagation private bash "$0" "$@"
fi
packages=$1 storage=$2
shift 2
mount -t overlay -o "lowerdir=$packages/usr:/usr" overlay /usr
mkdir -p "$storage"
mount -t overlay -o "lowerdir=$packages/etc:/etc" overlay /etc
export BUILDAH_ISOLATION=chroot
exec buildah --root "$storage/root" --runroot "$storage/run" --storage-driver overlay "$@"
