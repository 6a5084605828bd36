import { isIP } from "node:net";
import { hostname, networkInterfaces } from "node:os";
import { codeOf, messageOf } from "../../errors.ts";
import type { ApiServerWord } from "../../kube/api-server-metrics.ts";
import { KubeError } from "../../kube/kube-error.ts";
import { retryAfterOf } from "../../kube/unanswered.ts";
import { type Heard, idOf, isOwnWord, type Machine } from "./decide-api-server.ts";

/** How often an API server is asked. */
const USUAL_MILLISECONDS = 15_000;
/** How often while it uses another file than the file on the disk, and while it is being started. */
const AWAITED_MILLISECONDS = 5_000;
const STARTING_MILLISECONDS = 2_000;
/** A start does not wait longer for its first answer. */
const FIRST_MILLISECONDS = 20_000;
/**
 * How long the last answer is used if no other comes: the API server is being restarted, or is asked through
 * a load balancer.
 */
const LINGER_MILLISECONDS = 300_000;

/** Asks this node's API server again and again which EncryptionConfiguration it uses. */
export class ApiServerWatch {
  readonly #ask: (signal: AbortSignal) => Promise<ApiServerWord>;
  readonly #machine: Machine;
  readonly #uptime: () => number;
  readonly #first = Promise.withResolvers<void>();
  #word: Extract<Heard, { kind: "word" }> | undefined;
  #why = "it was not asked yet";
  #askedAt = Number.NEGATIVE_INFINITY;
  #pause = 0;
  /** The time until which the API server asked to be left alone. */
  #notBefore = Number.NEGATIVE_INFINITY;
  #asking = false;

  constructor(options: {
    readonly ask: (signal: AbortSignal) => Promise<ApiServerWord>;
    readonly machine: Machine;
    /** By a clock that never steps. */
    readonly uptime: () => number;
  }) {
    this.#ask = options.ask;
    this.#machine = options.machine;
    this.#uptime = options.uptime;
    setTimeout(() => this.#first.resolve(), FIRST_MILLISECONDS).unref();
  }

  get heard(): Heard {
    const isFresh = this.#word !== undefined && this.#uptime() - this.#word.at < LINGER_MILLISECONDS;
    return isFresh && this.#word !== undefined ? this.#word : { kind: "unknown", why: this.#why };
  }

  /** Resolves once it has answered, or after some time; a decision without its answer knows less. */
  get first(): Promise<void> {
    return this.#first.promise;
  }

  /** Makes the next tick ask, because something happened that changes the answer. */
  hurry(): void {
    this.#pause = 0;
  }

  /**
   * Asks if it is time; `isAwaited` is true if another answer is expected. Returns true if there is another
   * answer. Never rejects.
   */
  async tick(isAwaited: boolean, signal: AbortSignal): Promise<boolean> {
    const pause = isAwaited ? Math.min(this.#pause, AWAITED_MILLISECONDS) : this.#pause;
    if (this.#asking || this.#uptime() < Math.max(this.#notBefore, this.#askedAt + pause)) return false;
    const before = textOf(this.heard);
    this.#asking = true;
    this.#askedAt = this.#uptime();
    this.#pause = USUAL_MILLISECONDS;
    try {
      this.#take(await this.#ask(signal));
      this.#first.resolve();
    } catch (error) {
      this.#fail(error);
    } finally {
      this.#asking = false;
    }
    return textOf(this.heard) !== before;
  }

  /** An API server that is not running yet is asked again soon. */
  #fail(error: unknown): void {
    this.#why = whyNot(error);
    this.#notBefore = this.#uptime() + (retryAfterOf(error) ?? 0);
    const isAnswered = error instanceof KubeError;
    if (isAnswered) this.#first.resolve();
    else this.#pause = STARTING_MILLISECONDS;
  }

  #take(word: ApiServerWord): void {
    const doubt = isOwnWord(word, this.#machine, this.#word?.word);
    if (doubt !== undefined) {
      this.#why = doubt;
      return;
    }
    const id = idOf(word, this.#machine);
    this.#word = { kind: "word", word, ...(id !== undefined && { id }), at: this.#uptime() };
  }
}

const textOf = (heard: Heard): string =>
  heard.kind === "unknown" ? heard.why : JSON.stringify({ ...heard.word, address: undefined });

function whyNot(error: unknown): string {
  const isRefused = error instanceof KubeError && (error.httpStatus === 401 || error.httpStatus === 403);
  if (isRefused) return `claviger may not read its metrics: apply deploy/rbac.yaml (${messageOf(error)})`;
  return `its metrics cannot be read: ${messageOf(error)} (${codeOf(error)})`;
}

/**
 * Returns this machine. Its API server may run under the host's name or, if the operator is in a container,
 * under the node's name.
 */
export function thisMachine(nodeName: string): Machine {
  return { hostnames: [...new Set([hostname(), nodeName])], isOwnAddress };
}

function isOwnAddress(address: string): boolean {
  const plain = address.replace(/^::ffff:/, "");
  if (isIP(plain) === 0) return false;
  if (plain === "::1" || plain.startsWith("127.")) return true;
  return Object.values(networkInterfaces()).some((list) => list?.some((one) => one.address === plain));
}
