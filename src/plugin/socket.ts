import { chownSync, lchownSync, lstatSync, mkdirSync, rmSync, statSync } from "node:fs";
import { connect } from "node:net";
import { dirname } from "node:path";
import { ClavigerError, messageOf } from "../errors.ts";
import { flawOfFolder, flawOnTheWay, octal } from "../files/private-path.ts";
import { FileLock } from "../keyring/file-lock.ts";
import type { Log } from "../log.ts";

/** sockaddr_un.sun_path holds 108 bytes with its final zero (unix(7)). */
const MAX_SOCKET_PATH_BYTES = 107;
const OTHERS = 0o007;
const GROUP = 0o070;
const GROUP_WRITE = 0o020;

/** The file that a plugin locks for as long as it holds the socket at `path`. */
export const socketLock = (path: string): string => `${path}.lock`;

/** A socket path that only this process may bind until `release`. */
export interface ClaimedSocket {
  readonly path: string;
  /** Releases the path and removes the socket. Throws the system's error if the socket cannot be removed. */
  release(): void;
}

/**
 * Prepares a path to be bound: its folder exists and is closed to others, no other claviger holds it, and a
 * socket that a killed process left is removed after a connection to it was refused.
 *
 * Throws InUse if another process serves it, ConfigInvalid if the path cannot be a socket or its folder is
 * open to others.
 */
export async function claimSocket(path: string, group: number | undefined): Promise<ClaimedSocket> {
  if (Buffer.byteLength(path) > MAX_SOCKET_PATH_BYTES) {
    throw new ClavigerError(
      "ConfigInvalid",
      `socket path ${path} has ${Buffer.byteLength(path)} bytes and the system allows ${MAX_SOCKET_PATH_BYTES}: choose a shorter one`,
    );
  }
  preparePrivateFolder(dirname(path), group);
  // Held until release, so that between the probe and the bind nobody else can do the same.
  const lock = FileLock.acquire(socketLock(path), `another claviger plugin serves ${path}: stop it first`);
  try {
    await removeStaleSocket(path);
  } catch (error) {
    lock.release();
    throw error;
  }
  return {
    path,
    release: () => {
      try {
        rmSync(path, { force: true });
      } finally {
        lock.release();
      }
    },
  };
}

/**
 * Lets a group use a provider's socket, which the system gave to the group of its process. Logs the reason if
 * the system does not allow this. Without a group only the owner can use the socket; root's API server can
 * use it all the same.
 */
export function giveToGroup(provider: string, path: string, group: number | undefined, log: Log): void {
  try {
    if (group !== undefined && lstatSync(path).gid !== group) lchownSync(path, -1, group);
  } catch (error) {
    log(
      "warn",
      `provider ${provider}: its socket ${path} could not be given to group ${group}: ${messageOf(error)};` +
        ` run chmod g+s ${dirname(path)} and restart, or let claviger run in that group`,
    );
  }
}

/**
 * The folder protects the socket: it gets its mode when it is created, never by a chmod after the bind.
 * Throws ConfigInvalid if the folder is open to others, or if another user could replace it or the socket:
 * the API server would send the seeds of its data keys to that user's socket.
 */
export function preparePrivateFolder(folder: string, group: number | undefined): void {
  // Checked before anything is created there, and again afterwards.
  refuseReplaceable(folder, flawOnTheWay(folder));
  const made = mkdirSync(folder, { recursive: true, mode: group === undefined ? 0o700 : 0o750 });
  if (made !== undefined && group !== undefined) {
    for (let each = folder; each.length >= made.length; each = dirname(each)) chownSync(each, -1, group);
  }
  const { mode, gid } = statSync(folder);
  if ((mode & (group === undefined ? GROUP | OTHERS : GROUP_WRITE | OTHERS)) !== 0) {
    throw new ClavigerError(
      "ConfigInvalid",
      `socket folder ${folder} has mode ${octal({ mode: mode & 0o777 })} and is open to others:` +
        ` run chmod ${group === undefined ? "700" : "750"} ${folder}, or choose a folder of the socket's own`,
    );
  }
  if (group !== undefined && gid !== group) {
    throw new ClavigerError(
      "ConfigInvalid",
      `socket folder ${folder} belongs to group ${gid} and not to ${group}`,
    );
  }
  refuseReplaceable(folder, flawOfFolder(folder));
}

function refuseReplaceable(folder: string, flaw: string | undefined): void {
  if (flaw !== undefined) throw new ClavigerError("ConfigInvalid", `socket folder ${folder}: ${flaw}`);
}

/** Throws InUse if another process listens there, ConfigInvalid if it is no socket. */
export async function removeStaleSocket(path: string): Promise<void> {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (stat === undefined) return;
  if (!stat.isSocket()) {
    throw new ClavigerError(
      "ConfigInvalid",
      `${path} exists and is not a socket: move it away or choose another path`,
    );
  }
  if (await somebodyListens(path)) {
    throw new ClavigerError("InUse", `another process serves ${path}: stop it first`);
  }
  rmSync(path);
}

/** Only a refused connection proves that nobody listens; after any other failure, somebody may. */
function somebodyListens(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect(path);
    probe.once("connect", () => {
      probe.destroy();
      resolve(true);
    });
    probe.once("error", (error) => resolve(!("code" in error && error.code === "ECONNREFUSED")));
  });
}
