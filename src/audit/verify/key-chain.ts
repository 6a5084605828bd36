import { fieldsOf, parsedJson } from "../../json.ts";
import { KEY_CHANGED, LOG_STARTED } from "../log/own-events.ts";
import { type NoteVerifier, parseVerifier } from "../notes/signed-note.ts";

/** A line of the log that names a signing key (docs/formats.md, "Audit log"). */
export interface KeyEvent {
  readonly number: number;
  /** Undefined for the first line of a log, null if the former key was lost. */
  readonly previousKey: string | null | undefined;
  readonly signingKey: string;
}

const NAMES: readonly string[] = [LOG_STARTED, KEY_CHANGED];

/** Returns the key event of a line, or undefined if it is another line. */
export function keyEventOf(line: Buffer, number: number): KeyEvent | undefined {
  if (!NAMES.some((name) => line.includes(`"${name}"`))) return undefined;
  const record = fieldsOf(parsedJson(line.toString("utf8")));
  if (record.eventType !== "AwsServiceEvent" || !NAMES.includes(String(record.eventName))) return undefined;
  const { previousKey, signingKey } = fieldsOf(record.serviceEventDetails);
  if (typeof signingKey !== "string") return undefined;
  return {
    number,
    previousKey: typeof previousKey === "string" ? previousKey : nullOf(previousKey),
    signingKey,
  };
}

const nullOf = (value: unknown): null | undefined => (value === null ? null : undefined);

/** A change of the key that does not follow from the key before it. */
export interface BrokenLink {
  readonly number: number;
  readonly reason: "lost" | "other";
}

/** The signing keys of a log, from its first line to its newest. */
export class KeyChain {
  readonly events: readonly KeyEvent[];
  readonly broken: readonly BrokenLink[];

  /** `isAway` says if lines between two numbers are not there, so that changes may be unknown. */
  constructor(events: readonly KeyEvent[], isAway: (from: number, to: number) => boolean) {
    this.events = events.toSorted((a, b) => a.number - b.number);
    this.broken = this.events.flatMap((event, at): BrokenLink[] => {
      const before = this.events[at - 1];
      if (before === undefined || follows(before, event)) return [];
      if (event.previousKey !== null && isAway(before.number + 1, event.number)) return [];
      return [{ number: event.number, reason: event.previousKey === null ? "lost" : "other" }];
    });
  }

  /** Returns the key that signs checkpoints of this many lines. */
  keyAt(size: number): NoteVerifier | undefined {
    const event = this.events.findLast(({ number }) => number < size);
    const [first] = this.events;
    return parseVerifier(event?.signingKey ?? first?.previousKey ?? "");
  }

  /** Returns the number of the last line that names this key, or undefined if no line does. */
  lastNumberOf(key: string): number | undefined {
    return this.events.findLast(({ signingKey, previousKey }) => signingKey === key || previousKey === key)
      ?.number;
  }

  /** Returns the changes of the key that the former key must have signed. */
  get changes(): readonly (KeyEvent & { readonly previousKey: string })[] {
    return this.events.flatMap((event, at) => {
      const { previousKey } = event;
      const next = this.events[at + 1];
      // A change is begun again after a crash.
      const isRepeated = next?.previousKey === previousKey && next?.signingKey === event.signingKey;
      return typeof previousKey === "string" && !isRepeated ? [{ ...event, previousKey }] : [];
    });
  }
}

const follows = (before: KeyEvent, event: KeyEvent): boolean =>
  event.previousKey === before.signingKey ||
  (event.previousKey === before.previousKey && event.signingKey === before.signingKey);
