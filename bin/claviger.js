#!/usr/bin/env -S node --max-semi-space-size=1
// The flag keeps the plugin, which lives for months, small (docs/benchmarks.md): V8 otherwise
// lets short-lived garbage grow to tens of megabytes more.
//
// In a checkout the sources run as they are (Node strips the types); an
// installed package has them built, as Node strips none under node_modules.
import { existsSync, statSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** As package.json's engines has it. An older one has no enableCompileCache to import, and strips no types. */
const NEEDED = 24;
const source = new URL("../src/cli/main.ts", import.meta.url);
const inCheckout = existsSync(fileURLToPath(source));

if (Number.parseInt(process.versions.node, 10) < NEEDED) {
  const advice = inCheckout
    ? "in this checkout, npm ci installs one for it, which npm start and npm run claviger -- COMMAND use; else put a newer node first in PATH"
    : "put a newer node first in PATH";
  process.stderr.write(
    `claviger needs Node.js ${NEEDED} or newer, and ${process.execPath} is ${process.versions.node}: ${advice}\n`,
  );
  process.exitCode = 1;
} else {
  const { enableCompileCache } = await import("node:module");
  // The compile cache lies beside the code: its content is run, so nobody may write the cache who
  // cannot write the code. The state folder or the system's temporary one could have other writers.
  // A read-only installation uses the files that lie there already, and writes none.
  const cache = fileURLToPath(new URL("../node_modules/.cache/claviger", import.meta.url));
  process.umask(process.umask() | 0o022);
  const found = statSync(cache, { throwIfNoEntry: false });
  const isOurs =
    found === undefined || ((found.mode & 0o022) === 0 && [0, process.getuid()].includes(found.uid));
  if (isOurs) enableCompileCache(cache);
  await import((inCheckout ? source : new URL("../dist/cli/main.js", import.meta.url)).href);
}
