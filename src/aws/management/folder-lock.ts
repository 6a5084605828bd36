import { codeOf } from "../../errors.ts";
import { FileLock } from "../../keyring/file-lock.ts";
import { AwsError } from "../aws-error.ts";
import { until } from "./until.ts";

/** An edit takes some milliseconds. */
const MOST_MILLISECONDS = 5_000;

/** Lets one process of the API at a time edit the folder of manifests: each reads a file and writes it again. */
export class FolderLock {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  /** Does the work, which does not pause, while no other process does. Throws DependencyTimeoutException. */
  async hold(work: () => void): Promise<void> {
    const done = await until(() => this.#attempt(work), MOST_MILLISECONDS);
    if (!done)
      throw new AwsError(
        "DependencyTimeoutException",
        "Another process of claviger api has been editing the manifests for seconds: retry.",
      );
  }

  #attempt(work: () => void): boolean {
    const lock = this.#acquire();
    if (lock === undefined) return false;
    try {
      work();
      return true;
    } finally {
      lock.release();
    }
  }

  #acquire(): FileLock | undefined {
    try {
      return FileLock.acquire(this.#path, "another process edits the manifests");
    } catch (error) {
      if (codeOf(error) === "InUse") return undefined;
      throw error;
    }
  }
}
