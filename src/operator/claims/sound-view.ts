import { parseKeyId } from "../../crypto/ids.ts";
import { messageOf } from "../../errors.ts";
import { isVersionNumber } from "../../keyring/version-number.ts";
import type { Problem } from "../../keys/version-tester.ts";
import { toVersionRow } from "../../resources/key-version-rows.ts";
import { objectText } from "../../resources/object-text.ts";
import type { KeyVersion, MasterKey } from "../../resources/resources.ts";
import { hasMaterial } from "../../resources/versions.ts";
import type { View } from "../../store/view.ts";
import { parseTime } from "../../times.ts";
import { toTombstoneRow } from "../node/decide-erasure.ts";

/**
 * Splits a view into the objects that a node can read and a problem for each of the others. An unreadable
 * object is treated as deleted: the node erases nothing because of it, and no other object waits for it.
 */
export function soundView(view: View): { readonly view: View; readonly problems: readonly Problem[] } {
  const problems: Problem[] = [];
  const sound = <T extends object>(objects: readonly T[], faultOf: (object: T) => string | undefined) =>
    objects.filter((object) => {
      const message = faultOnce(object, faultOf);
      if (message !== undefined) problems.push({ reason: "ObjectUnreadable", message });
      return message === undefined;
    });
  const keyVersions = sound(view.keyVersions, versionFault);
  const masterKeys = sound(view.masterKeys, masterKeyFault);
  return { view: problems.length === 0 ? view : { ...view, keyVersions, masterKeys }, problems };
}

/** The result for an object, which never changes: another state of it is another JavaScript object. */
const known = new WeakMap<object, string | false>();

function faultOnce<T extends object>(
  object: T,
  faultOf: (object: T) => string | undefined,
): string | undefined {
  const before = known.get(object);
  if (before !== undefined) return before === false ? undefined : before;
  const fault = faultOf(object);
  known.set(object, fault ?? false);
  return fault;
}

function versionFault(version: KeyVersion): string | undefined {
  const { metadata, spec } = version;
  return faultOf(`KeyVersion ${metadata.name}`, () => {
    if (!isVersionNumber(spec.number)) throw new Error(`${spec.number} is not the number of a version`);
    if (spec.validTo !== undefined && parseTime(spec.validTo) === undefined)
      throw new Error("its validTo is not a time");
    if (hasMaterial(version)) toVersionRow(version);
    else toTombstoneRow(version);
  });
}

const masterKeyFault = (masterKey: MasterKey): string | undefined =>
  faultOf(`status of MasterKey ${objectText(masterKey)}`, () => {
    const { keyId } = masterKey.status ?? {};
    if (keyId !== undefined) parseKeyId(keyId);
  });

function faultOf(name: string, read: () => void): string | undefined {
  try {
    read();
    return undefined;
  } catch (error) {
    return `${name} cannot be used and is passed over: ${messageOf(error)}; delete it or put it right`;
  }
}
