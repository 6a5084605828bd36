import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseAllDocuments } from "yaml";
import type { KubeObject } from "../changes.ts";

/** The package's own folder: this file is in src/install/objects of a checkout, or in dist/install/objects. */
const PACKAGE = fileURLToPath(new URL("../../..", import.meta.url));

/** Returns the text of a file of the package. */
export const packagedText = (path: string): string => readFileSync(join(PACKAGE, path), "utf8");

/** The manifests that were parsed before: a step is planned again and again. */
const parsed = new Map<string, readonly KubeObject[]>();

/** Returns the objects in a manifest of the package. The package's own files need no check. */
export function packagedObjects(path: string): readonly KubeObject[] {
  const known = parsed.get(path);
  if (known !== undefined) return known;
  const objects = parseAllDocuments(packagedText(path))
    .map((document) => document.toJS() as KubeObject | null)
    .filter((object) => object !== null);
  parsed.set(path, objects);
  return objects;
}

/** Returns the custom resource definitions. */
export const packagedDefinitions = (): KubeObject[] =>
  readdirSync(join(PACKAGE, "crds"))
    .filter((name) => name.endsWith(".yaml"))
    .sort()
    .flatMap((name) => packagedObjects(`crds/${name}`));

/** The static pods of a node, plugin, operator and API, by the names of their files in the kubelet's folder. */
export const packagedPods = (): ReadonlyMap<string, string> =>
  new Map(
    readdirSync(join(PACKAGE, "deploy"))
      .filter((name) => /^static-pod-(plugin|operator|api)\.yaml$/.test(name))
      .sort()
      .map((name) => [name.replace(/^static-pod/, "claviger"), packagedText(`deploy/${name}`)]),
  );
