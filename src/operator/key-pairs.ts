import type { Secret } from "../crypto/secret.ts";
import { messageOf } from "../errors.ts";
import type { Log } from "../log.ts";
import { nameText, type ObjectName } from "../names.ts";
import { RateLimiter } from "../rate-limiter.ts";
import { FairLanes } from "./fair-lanes.ts";

/** An RSA-4096 pair costs a second or two of one core: a namespace gets thirty at once, then one every ten seconds. */
const RATE = { burst: 30, intervalMilliseconds: 10_000 };
/** Nobody will take a pair that is older than this: its MasterKey was deleted, for example. */
const KEPT_MILLISECONDS = 60_000;

/** A generated pair; the public half is its type's own affair. */
interface Pair {
  readonly privateKey: Secret;
}

/** A pair that waits to be taken. */
interface Ready<S, P> {
  readonly spec: S;
  readonly pair: P;
  readonly discard: NodeJS.Timeout;
}

/**
 * Generates RSA key pairs for MasterKeys, one at a time and in Node's thread pool, so that the leader's queue does not
 * wait. Namespaces take turns. A caller that requested a pair takes it when it is ready.
 */
export class KeyPairs<S extends string, P extends Pair> {
  readonly #what: string;
  readonly #onReady: (masterKey: ObjectName) => void;
  readonly #log: Log;
  readonly #generate: (spec: S) => Promise<P>;
  readonly #rate: RateLimiter;
  readonly #waiting = new FairLanes<ObjectName>(({ namespace }) => namespace, nameText);
  readonly #wanted = new Map<string, S>();
  readonly #ready = new Map<string, Ready<S, P>>();
  /** Requests whose namespace has used up its rate. */
  readonly #later = new Map<string, NodeJS.Timeout>();
  #generating: string | undefined;

  constructor(options: {
    /** Names the pairs in the log: "wrapping key pair". */
    readonly what: string;
    /** Called when `take` will return a pair. */
    readonly onReady: (masterKey: ObjectName) => void;
    readonly log: Log;
    readonly generate: (spec: S) => Promise<P>;
    readonly rate?: ConstructorParameters<typeof RateLimiter>[0];
  }) {
    this.#what = options.what;
    this.#onReady = options.onReady;
    this.#log = options.log;
    this.#generate = options.generate;
    this.#rate = new RateLimiter(options.rate ?? RATE);
  }

  /** Returns a pair for the MasterKey, once; or asks for one and returns undefined. */
  take(masterKey: ObjectName, spec: S): P | undefined {
    const ready = this.#ready.get(nameText(masterKey));
    if (ready !== undefined) {
      this.#ready.delete(nameText(masterKey));
      clearTimeout(ready.discard);
      if (ready.spec === spec) return ready.pair;
      ready.pair.privateKey.wipe();
    }
    this.#wanted.set(nameText(masterKey), spec);
    if (nameText(masterKey) !== this.#generating) this.#enqueue(masterKey);
    return undefined;
  }

  /** Drops the requests, and wipes the pairs that nobody took. */
  close(): void {
    for (const timer of this.#later.values()) clearTimeout(timer);
    for (const { discard } of this.#ready.values()) clearTimeout(discard);
    for (const { pair } of this.#ready.values()) pair.privateKey.wipe();
    this.#later.clear();
    this.#ready.clear();
    this.#wanted.clear();
    this.#waiting.clear();
  }

  #enqueue(masterKey: ObjectName): void {
    if (this.#waiting.has(masterKey) || this.#later.has(nameText(masterKey))) return;
    const { namespace } = masterKey;
    const now = performance.now();
    if (this.#rate.take(namespace, now)) {
      this.#waiting.add(masterKey);
      void this.#work();
      return;
    }
    const again = () => {
      this.#later.delete(nameText(masterKey));
      if (this.#wanted.has(nameText(masterKey))) this.#enqueue(masterKey);
    };
    this.#later.set(nameText(masterKey), setTimeout(again, this.#rate.waitFor(namespace, now)).unref());
  }

  /**
   * Generates one pair at a time: other work in the operator's thread pool, and the API server on the same
   * machine, need cores too.
   */
  async #work(): Promise<void> {
    if (this.#generating !== undefined) return;
    for (;;) {
      const masterKey = this.#waiting.take();
      this.#generating = masterKey && nameText(masterKey);
      if (masterKey === undefined) return;
      const spec = this.#wanted.get(nameText(masterKey));
      if (spec !== undefined) await this.#make(masterKey, spec);
    }
  }

  async #make(masterKey: ObjectName, spec: S): Promise<void> {
    try {
      const pair = await this.#generate(spec);
      if (this.#wanted.delete(nameText(masterKey))) this.#keep(masterKey, spec, pair);
      else pair.privateKey.wipe();
    } catch (error) {
      this.#wanted.delete(nameText(masterKey));
      this.#log("warn", `no ${this.#what} for MasterKey ${nameText(masterKey)}: ${messageOf(error)}`);
    }
    this.#onReady(masterKey);
  }

  #keep(masterKey: ObjectName, spec: S, pair: P): void {
    const discard = setTimeout(() => {
      this.#ready.delete(nameText(masterKey));
      pair.privateKey.wipe();
    }, KEPT_MILLISECONDS);
    this.#ready.set(nameText(masterKey), { spec, pair, discard: discard.unref() });
  }
}
