#!/usr/bin/env node
// In a checkout the sources run as they are (Node strips the types); an
// installed package has them built, as Node strips none under node_modules.
import { existsSync } from "node:fs";
import { enableCompileCache } from "node:module";
import { fileURLToPath } from "node:url";

enableCompileCache?.();
const source = new URL("../src/cli/main.ts", import.meta.url);
const built = new URL("../dist/cli/main.js", import.meta.url);
await import((existsSync(fileURLToPath(source)) ? source : built).href);
