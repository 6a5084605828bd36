import { enableCompileCache } from "node:module";
import { join } from "node:path";

// Each file of tests is a process of its own, which loads some hundred modules: from this folder they come stripped
// of types and compiled.
enableCompileCache(join(import.meta.dirname, "..", "node_modules", ".cache", "tests"));
