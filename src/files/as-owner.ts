import { statSync } from "node:fs";
import { ClavigerError, messageOf } from "../errors.ts";

/**
 * Does the work, which must not pause, with the rights of the folder's owner if this process is root: that owner can
 * put a link to any file into the folder, and root would follow it. New files belong to the owner. Throws
 * KeyringUnavailable if this process may not act as another user.
 */
export function asOwner<T>(folder: string, work: () => T): T {
  const { getuid, getegid, getgroups, setgroups, setegid, seteuid } = process;
  if (!(getuid && getegid && getgroups && setgroups && setegid && seteuid) || getuid() !== 0) return work();
  const { uid, gid } = statSync(folder);
  if (uid === 0) return work();
  const [group, groups] = [getegid(), getgroups()];
  try {
    become(uid, () => {
      setgroups([gid]);
      setegid(gid);
      seteuid(uid);
    });
    return work();
  } finally {
    seteuid(0);
    setegid(group);
    setgroups(groups);
  }
}

function become(uid: number, change: () => void): void {
  try {
    change();
  } catch (cause) {
    throw new ClavigerError(
      "KeyringUnavailable",
      `this process may not act as user ${uid}, who owns the state folder (${messageOf(cause)}): run it as that user`,
      { cause },
    );
  }
}
