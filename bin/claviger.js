#!/usr/bin/env -S node --max-semi-space-size=1
// The flag keeps the plugin, which lives for months, small (docs/benchmarks.md): V8 otherwise
// lets short-lived garbage grow to tens of megabytes more.
//
// In a checkout the sources run as they are (Node strips the types); an
// installed package has them built, as Node strips none under node_modules.
import { existsSync } from "node:fs";
import { enableCompileCache } from "node:module";
import { fileURLToPath } from "node:url";

const source = new URL("../src/cli/main.ts", import.meta.url);
if (existsSync(fileURLToPath(source))) {
  // Within the checkout: code from a folder that others may write, such as the
  // system's temporary one, must not be run.
  enableCompileCache(fileURLToPath(new URL("../node_modules/.cache/claviger", import.meta.url)));
  await import(source.href);
} else {
  await import(new URL("../dist/cli/main.js", import.meta.url).href);
}
