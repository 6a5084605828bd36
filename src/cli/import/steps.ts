import { type WrappingAlgorithm, wrapMaterial } from "../../crypto/import-wrapping.ts";
import { importedMaterial, materialText } from "../../crypto/imported-material.ts";
import { Secret } from "../../crypto/secret.ts";
import { ClavigerError, messageOf } from "../../errors.ts";
import { FileTooLarge, readRegularFile } from "../../files/regular-file.ts";
import { nameText } from "../../names.ts";
import { offerOf } from "../../operator/import/import-offer.ts";
import { conditionOf } from "../../resources/conditions.ts";
import type { MasterKey } from "../../resources/resources.ts";
import type { ImportSpec } from "../../resources/schemas/import.ts";
import { timeOf } from "../../times.ts";
import { type Pace, POLL_MILLISECONDS, readPatiently } from "../terminal/patience.ts";
import type { ImportTarget } from "./target.ts";

const PATIENCE_MILLISECONDS = 300_000;
/** A public key and token that end sooner than this are not used. */
const ENOUGH_MILLISECONDS = 600_000;
/** A wrapped RSA-4096 key has 3 KiB, a token 3.3 KiB in base64. */
const MAX_FILE_BYTES = 8192;

/** The material to import: to be wrapped here, or wrapped elsewhere. */
export interface ImportRequest {
  readonly kind: "material" | "wrapped";
  readonly file: string;
  /** Only for material that was wrapped elsewhere. */
  readonly tokenFile?: string;
  readonly algorithm: WrappingAlgorithm;
  readonly rest: Pick<Partial<ImportSpec>, "importType" | "expirationModel" | "validTo">;
}

/** An import in progress. */
export interface Importing {
  /** NAMESPACE/NAME. */
  readonly name: string;
  readonly target: ImportTarget;
  readonly requestToken: string;
  readonly say: Say;
  /** Shows what is waited for, again and again while it lasts. */
  readonly waitFor: Say;
  readonly pace: Pace;
  readonly signal: AbortSignal;
}

type Say = (text: string) => void;
type Wrapped = Required<Pick<ImportSpec, "wrappedMaterial" | "wrappingAlgorithm" | "importToken">>;

/** Returns an offer of material that was wrapped elsewhere. */
export function wrappedOffer({ file, tokenFile = "", algorithm }: ImportRequest): Wrapped {
  return {
    wrappedMaterial: readSmall(file).toString("base64"),
    wrappingAlgorithm: algorithm,
    importToken: readSmall(tokenFile).toString("ascii").trim(),
  };
}

/**
 * Wraps material on this machine. Throws InvalidArgument if it is not the material that the key needs.
 */
export async function wrapHere(importing: Importing, { file, algorithm }: ImportRequest): Promise<Wrapped> {
  using material = Secret.take(readSmall(file));
  const { keySpec, keyUsage } = (await importing.target.read()).spec;
  using checked = importedMaterial(keySpec, keyUsage, material);
  if (checked === undefined) {
    throw new ClavigerError(
      "InvalidArgument",
      `${file} has ${material.size} bytes and ${keySpec} needs ${materialText(keySpec)}: the raw bytes, without a newline`,
    );
  }
  const { publicKey, importToken } = await parametersOf(importing);
  const wrapped = wrapMaterial(publicKey, algorithm, checked.exposeSecretBytes());
  return { wrappedMaterial: wrapped.toString("base64"), wrappingAlgorithm: algorithm, importToken };
}

function readSmall(file: string): Buffer {
  try {
    return readRegularFile(file, { maxBytes: MAX_FILE_BYTES, pipes: true });
  } catch (cause) {
    if (cause instanceof FileTooLarge) {
      throw new ClavigerError(
        "ConfigInvalid",
        `${file} is too large to be key material, wrapped or not, or a token`,
      );
    }
    throw new ClavigerError("ConfigInvalid", `${file} cannot be read: ${messageOf(cause)}`, { cause });
  }
}

/** Returns the public key and the token: the present ones, or new ones that it requests. */
export async function parametersOf(importing: Importing) {
  const { target, requestToken, say } = importing;
  const there = parametersIn(await target.read());
  if (there !== undefined) return there;
  await target.write({ requestToken });
  say("a public key and an import token were asked for; waiting for them");
  return until(
    importing,
    {
      what: "an operator to publish a public key",
      otherwise:
        "no operator published a public key; see in kubectl get keyservers whether operators report, and in their logs whether one leads",
    },
    (key) => {
      return key.status?.import?.requestToken === requestToken ? parametersIn(key) : undefined;
    },
  );
}

function parametersIn({ metadata, spec, status }: MasterKey) {
  if (spec.origin !== "EXTERNAL") {
    const name = nameText({ namespace: metadata.namespace ?? "", name: metadata.name });
    throw new ClavigerError(
      "InvalidArgument",
      `MasterKey ${name} has origin ${spec.origin}: material is imported into keys of origin EXTERNAL`,
    );
  }
  const { publicKey, importToken, algorithms = [], validTo } = status?.import ?? {};
  if (publicKey === undefined || importToken === undefined || validTo === undefined) return undefined;
  if (!(timeOf(validTo) - Date.now() >= ENOUGH_MILLISECONDS)) return undefined;
  return { publicKey, importToken, algorithms, validTo };
}

/** Waits until the leader has accepted or refused this very import. */
export function untilProcessed(importing: Importing, spec: Partial<ImportSpec>): Promise<MasterKey> {
  const told = once(importing.say);
  const digest = offerOf(spec)?.digest;
  return until(
    importing,
    {
      what: "the leading operator to import it",
      otherwise: "the import was not accepted; spec.import stays and may still be accepted",
    },
    (key) => {
      if (key.status?.import?.processed?.digest === digest) return key;
      const imported = conditionOf(key.status?.conditions, "Imported");
      const ofThis = imported?.observedGeneration === key.metadata.generation;
      if (ofThis && imported?.status === "False") told(imported.message);
      return undefined;
    },
  );
}

/** Waits until the version is current, which means that it is on every node. */
export async function untilCurrent(importing: Importing, number: number): Promise<void> {
  const told = once(importing.say);
  const wait = {
    what: `version ${number} to be on every node`,
    otherwise: `version ${number} has the material and is not current yet`,
  };
  await until(importing, wait, ({ status }) => {
    if ((status?.currentVersion?.number ?? 0) >= number) return true;
    const distributed = conditionOf(status?.conditions, "Distributed");
    if (distributed?.status === "False") told(distributed.message);
    return undefined;
  });
  importing.say(`version ${number} is on every node`);
}

/** Passes a text on only if it differs from the last. */
function once(say: Say): Say {
  let last: string | undefined;
  return (text) => {
    if (text !== last) say(text);
    last = text;
  };
}

interface Wait {
  /** Names what is waited for. */
  readonly what: string;
  /** The message of the error if it does not come. */
  readonly otherwise: string;
}

/** Reads the key again and again until `check` returns a value. Throws NotReady after five minutes. */
async function until<T>(
  { name, target, say, waitFor, pace, signal }: Importing,
  { what: awaited, otherwise }: Wait,
  check: (key: MasterKey) => T | undefined,
): Promise<T> {
  const started = pace.now();
  const attempt = {
    what: `MasterKey ${name}`,
    read: () => target.read(signal),
    say: once(say),
    pace,
    signal,
  };
  while (pace.now() - started < PATIENCE_MILLISECONDS) {
    const found = check(await readPatiently(attempt));
    if (found !== undefined) return found;
    waitFor(`MasterKey ${name}: waiting for ${awaited}`);
    await pace.pause(POLL_MILLISECONDS, signal);
  }
  throw new ClavigerError("NotReady", otherwise);
}

/** Withdraws an interrupted import, so that the leader cannot accept it later unseen. */
export async function takeBack({ name, target, requestToken }: Importing, digest: string | undefined) {
  try {
    const { processed } = (await target.read()).status?.import ?? {};
    const done = digest !== undefined && processed?.digest === digest;
    if (!(await target.takeOut(requestToken)) && !done) return "nothing was asked for yet";
    return done
      ? "it was accepted before; see the condition Imported for the outcome"
      : `spec.import of ${name} was taken back; see its condition Imported if a leader took it up at this moment`;
  } catch (error) {
    return `spec.import of ${name} could not be taken back (${messageOf(error)}): remove it from the MasterKey, or it may still be accepted`;
  }
}
