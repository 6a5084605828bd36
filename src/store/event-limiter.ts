import { nameText } from "../names.ts";
import { RateLimiter } from "../rate-limiter.ts";
import type { ObjectRef, ResourceEvent } from "./events.ts";

/** client-go's figures for one object (EventSourceObjectSpamFilter). */
const PER_OBJECT = { burst: 25, intervalMilliseconds: 300_000 };
const PER_NAMESPACE = { burst: 500, intervalMilliseconds: 2_000 };
/** These are always reported, because they cannot be undone, and each used up a version. */
const ALWAYS = new Set(["VersionDestroyed"]);
/** The number of objects that are remembered because an event of theirs was left out. */
const MOST_REMEMBERED = 10_000;

/**
 * Limits the Events and log lines about an object and about a namespace, because their editors can cause as
 * many as they like.
 */
export class EventLimiter {
  readonly #objects = new RateLimiter(PER_OBJECT);
  readonly #namespaces = new RateLimiter(PER_NAMESPACE);
  /** The number of events of each object that were left out since its last event. */
  readonly #leftOut = new Map<string, number>();

  /**
   * Returns the event to report, or undefined if there were too many. `now` is by a clock that never goes
   * back.
   */
  admit({ kind, metadata }: ObjectRef, event: ResourceEvent, now: number): ResourceEvent | undefined {
    if (ALWAYS.has(event.reason)) return event;
    const { namespace = "", name } = metadata;
    const object = `${kind} ${nameText({ namespace, name })}`;
    const before = this.#leftOut.get(object) ?? 0;
    // Grants come and go by the thousands, and must not silence the namespace's keys.
    const all = kind === "KeyGrant" ? `KeyGrants of ${namespace}` : namespace;
    if (!this.#objects.take(object, now) || !this.#namespaces.take(all, now)) {
      if (before > 0 || this.#leftOut.size < MOST_REMEMBERED) this.#leftOut.set(object, before + 1);
      return undefined;
    }
    this.#leftOut.delete(object);
    if (before === 0) return event;
    return {
      ...event,
      message: `${event.message} (${before} events of this object before it were left out)`,
    };
  }
}
