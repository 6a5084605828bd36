import { createHash } from "node:crypto";
import { dirname, join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { ClavigerError, codeOf, messageOf } from "../../errors.ts";
import { createFile } from "../../files/whole-file.ts";
import { parseJson } from "../../json.ts";
import { openTrusted } from "../../keyring/live/trusted-reader.ts";
import { nameText, type ObjectName } from "../../names.ts";
import { printable } from "../../printable.ts";
import { API_VERSION, type ResourceOf } from "../../resources/resources.ts";
import { editManifestFile } from "../../store/manifests/edit-manifest-file.ts";
import { FolderLock } from "../../store/manifests/folder-lock.ts";
import { newMetadata } from "../../store/manifests/kept-objects.ts";
import { ManifestCache } from "../../store/manifests/manifest-cache.ts";
import { newManifest } from "../../store/manifests/manifest-edit.ts";
import { judgeManifest } from "../../store/manifests/manifest-verdicts.ts";
import type { Manifest } from "../../store/manifests/manifests.ts";
import { isFields, merged, type SpecPatch } from "../../store/manifests/merge-patch.ts";
import { AwsError } from "../aws-error.ts";
import type { Caller } from "../caller.ts";
import type { ManagedKind, ManagedObjects } from "./managed-objects.ts";
import { until } from "./until.ts";

/** An operator may run as another user, and a manifest holds nothing secret. */
const MODE = 0o644;
/** The operator follows the folder twice a second. */
const SETTLE_MILLISECONDS = 2_000;
/** File systems allow 255 bytes, and a draft's name is longer than the file's. */
const MAX_FILE_NAME = 200;

/**
 * Standalone mode's custom resources: a folder of manifests has the specs, the operator's records in the keyring
 * have the rest. There is no RBAC: the API has allowed the caller before.
 */
export class FolderObjects implements ManagedObjects {
  readonly standalone = true;
  readonly #folder: string;
  readonly #manifests: ManifestCache;
  readonly #keyring: string;
  readonly #lock: FolderLock;

  /** `keyring` is the path of keyring.db. */
  constructor({ folder, keyring }: { readonly folder: string; readonly keyring: string }) {
    this.#folder = folder;
    this.#manifests = new ManifestCache(folder);
    this.#keyring = keyring;
    this.#lock = new FolderLock(dirname(keyring));
  }

  async read<K extends ManagedKind>(kind: K, name: ObjectName): Promise<ResourceOf[K] | undefined> {
    const manifest = await this.#settled(kind, name);
    if (manifest === undefined) return undefined;
    const recorded = this.#recorded(kind, name);
    const { value, problems } = judgeManifest(manifest, recorded?.spec);
    const [problem] = problems;
    if (problem !== undefined) throw refusedManifest(manifest, problem);
    const { namespace } = name;
    const before = recorded?.metadata ?? newMetadata(name.name, namespace);
    const isNew = recorded !== undefined && !isDeepStrictEqual(recorded.spec, value);
    const metadata = { ...before, generation: before.generation + (isNew ? 1 : 0) };
    // The schema has accepted the spec.
    return { ...recorded, apiVersion: API_VERSION, kind, metadata, spec: value } as ResourceOf[K];
  }

  async create(
    caller: Caller,
    kind: ManagedKind,
    { namespace, name }: ObjectName,
    spec: SpecPatch,
  ): Promise<void> {
    const source = join(this.#folder, fileNameOf(kind, { namespace, name }));
    accept({ kind, namespace, name, spec, source }, undefined);
    const comment = `Created by the AWS KMS API for ${printable(caller.arn, 512)}.`;
    await this.#settled(kind, { namespace, name });
    await this.#edited(() => {
      const object = { namespace, name };
      if (this.#find(kind, object) !== undefined || this.#recorded(kind, object) !== undefined)
        throw alreadyExists(kind, object);
      createManifest(source, newManifest({ kind, namespace, name }, spec, comment));
    });
  }

  change(_: Caller, object: ResourceOf[ManagedKind], patch: SpecPatch): Promise<void> {
    return this.#edited(() => this.#edit(object, patch));
  }

  remove(_: Caller, object: ResourceOf[ManagedKind]): Promise<void> {
    return this.#edited(() => this.#edit(object, undefined));
  }

  #edit({ kind, metadata, spec }: ResourceOf[ManagedKind], patch: SpecPatch | undefined): void {
    const name = { namespace: metadata.namespace ?? "", name: metadata.name };
    const manifest = this.#find(kind, name);
    if (manifest === undefined || !isDeepStrictEqual(judgeManifest(manifest, undefined).value, spec))
      throw new ClavigerError("Conflict", `the manifest of ${kind} ${nameText(name)} has changed`);
    const given = isFields(manifest.spec) ? manifest.spec : {};
    if (patch !== undefined) accept({ ...manifest, spec: merged(given, patch) }, spec);
    editManifestFile(manifest.source, { kind, ...name }, patch);
  }

  /** Works while no other process edits the folder. Throws DependencyTimeoutException if another one does for seconds. */
  async #edited(work: () => void): Promise<void> {
    try {
      await this.#lock.hold(work);
    } catch (error) {
      throw codeOf(error) === "InUse"
        ? new AwsError("DependencyTimeoutException", `${messageOf(error)}.`)
        : error;
    }
  }

  /**
   * Returns the manifest of an object. If the operator has recorded the object and no file has it, somebody is writing
   * the file, or has removed it a moment ago.
   */
  async #settled(kind: ManagedKind, name: ObjectName): Promise<Manifest | undefined> {
    let manifest = this.#find(kind, name);
    const isSettled = () => {
      manifest = this.#find(kind, name);
      return manifest !== undefined || this.#recorded(kind, name) === undefined;
    };
    if (manifest === undefined) await until(isSettled, SETTLE_MILLISECONDS);
    return manifest;
  }

  #find(kind: ManagedKind, { namespace, name }: ObjectName): Manifest | undefined {
    return this.#manifests.find({ kind, namespace, name });
  }

  /** Returns the object as the operator has recorded it; undefined if it has not seen the manifest yet. */
  #recorded<K extends ManagedKind>(kind: K, name: ObjectName): ResourceOf[K] | undefined {
    const reader = openTrusted(this.#keyring);
    try {
      const json = reader.object(kind, name);
      if (json === undefined) return undefined;
      // The operator has validated the object.
      return parseJson(json, `${kind} ${nameText(name)} in the keyring`, "KeyringCorrupt") as ResourceOf[K];
    } finally {
      reader.close();
    }
  }
}

/** A file of this name may have something else in it. */
function createManifest(path: string, text: string): void {
  try {
    createFile(path, text, MODE);
  } catch (error) {
    if (codeOf(error) !== "InUse") throw error;
    throw new AwsError("AlreadyExistsException", `${path} exists already: rename that file first`);
  }
}

/** Throws ValidationException for a spec that the schema refuses. */
function accept(manifest: Manifest, old: unknown): void {
  const { problems } = judgeManifest(manifest, old);
  if (problems.length > 0) throw new AwsError("ValidationException", printable(problems.join("; "), 1024));
}

const refusedManifest = ({ kind, namespace, name, source }: Manifest, problem: string): AwsError =>
  new AwsError(
    "KMSInvalidStateException",
    `the manifest of ${kind} ${namespace}/${name} in ${source} is refused: ${printable(problem, 1024)}; correct it first`,
  );

const alreadyExists = (kind: ManagedKind, name: ObjectName): AwsError =>
  new AwsError("AlreadyExistsException", `${kind} ${nameText(name)} already exists`);

function fileNameOf(kind: ManagedKind, name: ObjectName): string {
  const text = `${name.namespace}.${name.name}.${kind.toLowerCase()}.yaml`;
  if (text.length <= MAX_FILE_NAME) return text;
  return `${createHash("sha256").update(text).digest("hex")}.${kind.toLowerCase()}.yaml`;
}
