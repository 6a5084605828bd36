import { SETTLE_MILLISECONDS } from "../../api-server-times.ts";
import type { KeyServer } from "../../resources/resources.ts";

/**
 * Remembers since when the nodes' reports about their API servers are unchanged. A count of stored objects
 * that began earlier says nothing about writes until the change. Times are in milliseconds, by a clock that
 * never goes back.
 */
export class GroundWatch {
  #seen:
    | { readonly keyServers: readonly KeyServer[]; readonly ground: ReadonlyMap<string, string> }
    | undefined;
  #since = 0;

  /** Compares the nodes' reports and returns since when they are unchanged, which may be in the future. */
  since(keyServers: readonly KeyServer[], now: number): number {
    if (this.#seen?.keyServers === keyServers) return this.#since;
    const before = this.#seen?.ground;
    const ground = groundOf(keyServers);
    this.#seen = { keyServers, ground };
    if (before === undefined) this.#since = now;
    // If no node reports a socket any more, its API server may still write for as long as it takes to settle.
    else if (isLeft(before, ground)) this.#since = now + SETTLE_MILLISECONDS;
    else if (isChanged(before, ground)) this.#since = Math.max(this.#since, now);
    return this.#since;
  }

  /** Forgets the reports, because nobody knows what other leaders saw since. */
  forget(): void {
    this.#seen = undefined;
  }
}

/** Returns what each socket shows about its API server, by node and provider. */
function groundOf(keyServers: readonly KeyServer[]): ReadonlyMap<string, string> {
  return new Map(
    keyServers.flatMap(({ metadata: { name: node }, status }) => [
      [node, JSON.stringify([status?.providers !== undefined, status?.apiServer?.encryptionConfig])] as const,
      ...(status?.providers ?? []).map((provider) => {
        const { name, serves, kmsKeyId, episode, encrypts, settled, editNotTakenUp } = provider;
        const shown = [serves, kmsKeyId, episode, encrypts, settled, editNotTakenUp];
        return [JSON.stringify([node, name]), JSON.stringify(shown)] as const;
      }),
    ]),
  );
}

type Ground = ReadonlyMap<string, string>;

const isLeft = (before: Ground, after: Ground): boolean =>
  [...before.keys()].some((place) => !after.has(place));

const isChanged = (before: Ground, after: Ground): boolean =>
  before.size !== after.size || [...after].some(([place, shown]) => before.get(place) !== shown);
