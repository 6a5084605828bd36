import type { NodeConfig } from "../../config/config.ts";
import { fieldsOf, parseJson } from "../../json.ts";
import type { KeyringReader } from "../../keyring/reader.ts";
import { nameText, type ObjectName } from "../../names.ts";
import {
  type KnownObject,
  type ManifestProblem,
  manifestProblems,
} from "../../store/manifests/manifest-verdicts.ts";
import { readKeyring } from "./read-keyring.ts";

/**
 * Returns the manifests that are refused or gone in standalone mode, or undefined if an API server has the
 * objects. Throws ConfigInvalid if the folder of manifests is missing, or the error of reading the keyring.
 */
export function reportManifests(config: NodeConfig): readonly ManifestProblem[] | undefined {
  const { resources } = config;
  if (resources.kind !== "manifests") return undefined;
  return readKeyring(config, (keyring) => {
    const { keys, aliases } = keyring.snapshot();
    return manifestProblems(resources.folder, [
      ...[...keys.values()].map((name) => knownObject(keyring, "MasterKey", name)),
      ...[...aliases.values()].map((name) => knownObject(keyring, "KeyAlias", name)),
      ...keyring.objectsOf("KeyGrant").map((name) => knownObject(keyring, "KeyGrant", name)),
    ]);
  });
}

function knownObject(
  keyring: KeyringReader,
  kind: KnownObject["kind"],
  { namespace, name }: ObjectName,
): KnownObject {
  const json = keyring.object(kind, { namespace, name });
  if (json === undefined) return { kind, namespace, name };
  const what = `${kind} ${nameText({ namespace, name })} in the keyring`;
  return { kind, namespace, name, spec: fieldsOf(parseJson(json, what, "KeyringCorrupt")).spec };
}
