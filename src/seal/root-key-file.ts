import { randomUUID } from "node:crypto";
import {
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname } from "node:path";
import { Secret } from "../crypto/secret.ts";
import { ClavigerError, messageOf } from "../errors.ts";
import { flawOnTheWay, isWritableByOthers, octal } from "../files/private-path.ts";
import { syncFile } from "../files/sync-file.ts";

const ROOT_KEY_BYTES = 32;
const GROUP_OR_OTHERS = 0o077;

/**
 * Reads the root key: exactly 32 bytes, in a file that only its owner may open (0600 or stricter), on a path
 * that only root and our user may change. Throws SealUnavailable, which says what is wrong with which file
 * and what to do; the latter depends on whether anything on this node is sealed under a root key.
 */
export function readRootKey(path: string, anySealed = true): Secret {
  const fd = openForReading(path, anySealed);
  try {
    // fstat of the open file, so that the checked file is the file that is read.
    const stat = fstatSync(fd);
    if (!stat.isFile()) throw unsafe(path, "is not a regular file");
    if ((stat.mode & GROUP_OR_OTHERS) !== 0) {
      throw unsafe(path, `has mode ${octal(stat)} and can be opened by others; run: chmod 600 ${path}`);
    }
    const owner = process.geteuid?.();
    if (owner !== undefined && stat.uid !== owner && stat.uid !== 0) {
      throw unsafe(path, `belongs to user ${stat.uid}, who can change it; run: chown ${owner} ${path}`);
    }
    refuseUnsafeWay(path);
    if (stat.size !== ROOT_KEY_BYTES) {
      const size = `has ${stat.size} bytes instead of ${ROOT_KEY_BYTES}`;
      const advice = anySealed
        ? "; restore it from your backup"
        : "; it must hold the raw bytes (docs/install/by-hand.md, step 1)";
      throw unsafe(path, `${size}${advice}`);
    }
    const bytes = new Uint8Array(ROOT_KEY_BYTES);
    if (readSync(fd, bytes) !== ROOT_KEY_BYTES) throw unsafe(path, "could not be read whole");
    return Secret.take(bytes);
  } finally {
    closeSync(fd);
  }
}

/**
 * Creates a new root key file (0600, its folder 0700) and never replaces one: the bytes are complete and
 * synced under another name before the name appears. Throws SealUnavailable if the file exists or cannot be
 * written.
 */
export function createRootKey(path: string): void {
  using key = Secret.random(ROOT_KEY_BYTES);
  storeRootKey(path, key);
}

/** Stores a root key that another node gave, in the same way. */
export function storeRootKey(path: string, key: Secret): void {
  const draft = `${path}.${randomUUID()}`;
  try {
    if (key.size !== ROOT_KEY_BYTES) throw new Error(`a root key has ${ROOT_KEY_BYTES} bytes`);
    const flaw = flawOnTheWay(dirname(path));
    if (flaw !== undefined) throw new Error(flaw);
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    const fd = openSync(draft, "wx", 0o600);
    try {
      writeFileSync(fd, key.exposeSecretBytes());
      fsyncSync(fd);
      linkSync(draft, path);
      syncFile(dirname(path));
    } finally {
      closeSync(fd);
      rmSync(draft, { force: true });
    }
  } catch (cause) {
    throw new ClavigerError("SealUnavailable", `root key ${path} could not be made: ${messageOf(cause)}`, {
      cause,
    });
  }
}

function openForReading(path: string, anySealed: boolean): number {
  try {
    // O_NONBLOCK: a pipe in its place must not block the start for ever.
    return openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (cause) {
    const missing = cause instanceof Error && "code" in cause && cause.code === "ENOENT";
    const advice = missing ? (anySealed ? LOST : NEVER_THERE) : `cannot be opened: ${messageOf(cause)}`;
    throw new ClavigerError("SealUnavailable", `root key ${path} ${advice}`, { cause });
  }
}

const LOST =
  "does not exist; restore it from your backup (without it nothing sealed under it can ever be opened)";
const NEVER_THERE =
  "does not exist, and this node has no version yet; if this is the first node of a new installation, make one (docs/install/by-hand.md, step 1), else copy it from another node or from its backup";

/** Whoever can change a folder on the path, also that of a link, can replace the key. */
function refuseUnsafeWay(path: string): void {
  const folder = dirname(realpathSync(path));
  const stat = statSync(folder);
  if (isWritableByOthers(stat)) {
    throw unsafe(path, `lies in a folder of mode ${octal(stat)}; run: chmod 700 ${folder}`);
  }
  const flaw = flawOnTheWay(path);
  if (flaw !== undefined) throw unsafe(path, `can be replaced: ${flaw}`);
}

const unsafe = (path: string, what: string): ClavigerError =>
  new ClavigerError("SealUnavailable", `root key ${path} ${what}`);
