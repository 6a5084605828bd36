import { MissingRecords } from "../../audit/missing-records.ts";
import type { NodeConfig } from "../../config/config.ts";
import { messageOf } from "../../errors.ts";
import type { LiveKeyring } from "../../keyring/live/live-keyring.ts";
import type { Log } from "../../log.ts";
import { RepeatedLog } from "../../repeated-log.ts";
import type { CallRecorder } from "./call-recorder.ts";
import type { SocketCall } from "./socket-call.ts";

/** Records that wait for the disk: 2 MB. An API server sends some hundred calls when it starts, and few afterwards. */
const MOST_WAITING = 2_000;
/** A disk that hangs must not keep a plugin from ending. */
const CLOSE_MILLISECONDS = 3_000;

/**
 * Records the calls at the sockets of a plugin. No call waits for its record: a record that cannot be written, or for
 * which too many others wait, is lost and counted.
 */
export class SocketAudit {
  readonly #log: RepeatedLog;
  readonly #now: () => number;
  /** Resolves once the log is open; calls wait for it. */
  readonly #recorder: Promise<CallRecorder | undefined>;
  #openWith: (recorder: Promise<CallRecorder | undefined>) => void = () => undefined;
  #opened: CallRecorder | undefined;
  #waiting = 0;
  readonly #lost = new Map<string, number>();
  /** The calls without a record that the log itself does not tell of yet. */
  readonly #missing = new MissingRecords({ backlog: 0, failed: 0 });

  constructor(log: Log, now: () => number) {
    this.#log = new RepeatedLog(log);
    this.#now = now;
    this.#recorder = new Promise((resolve) => {
      this.#openWith = resolve;
    });
    this.#recorder.then(
      (opened) => {
        this.#opened = opened;
      },
      () => undefined,
    );
  }

  /** Loads the code of the audit log, and opens the log. Calls that are recorded before wait in memory. */
  open(config: NodeConfig, keyring: Pick<LiveKeyring, "material">, log: Log): void {
    this.openWith(
      import("./call-recorder.ts").then(({ openRecorder }) => openRecorder(config, keyring, log)),
    );
  }

  /** The same with a recorder of the caller's. */
  openWith(recorder: Promise<CallRecorder | undefined>): void {
    this.#openWith(recorder);
  }

  /** Records a call, or counts it as lost. Returns at once, and never throws. */
  record(call: SocketCall): void {
    if (this.#waiting >= MOST_WAITING) {
      this.#lose(call, "backlog", `${MOST_WAITING} records wait for the disk`);
      return;
    }
    this.#waiting += 1;
    void this.#write(call);
  }

  /** The number of a provider's calls that have no record. */
  lost(provider: string): number {
    return this.#lost.get(provider) ?? 0;
  }

  /**
   * Writes how many calls have no record since the last note, if there are any: the log then says itself that it has a
   * gap. Never rejects. Call this once a second.
   */
  async noteGap(): Promise<void> {
    const opened = this.#opened;
    if (opened === undefined) return;
    await this.#missing.note(opened.fails, (counts) => opened.writeGap(counts, this.#now()));
  }

  /** Writes what waits, for three seconds at most. Never rejects. */
  async close(): Promise<void> {
    // A plugin that could not start has never opened the log.
    this.#openWith(Promise.resolve(undefined));
    const closed = this.#recorder.then((recorder) => recorder?.close()).catch(() => undefined);
    let timer: NodeJS.Timeout | undefined;
    const insisting = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, CLOSE_MILLISECONDS);
    });
    await Promise.race([closed, insisting]);
    clearTimeout(timer);
    this.#log.close();
  }

  async #write(call: SocketCall): Promise<void> {
    try {
      const recorder = this.#opened ?? (await this.#recorder);
      await recorder?.write(call);
    } catch (error) {
      this.#lose(call, "failed", messageOf(error));
    } finally {
      this.#waiting -= 1;
    }
  }

  #lose({ provider }: SocketCall, why: "backlog" | "failed", text: string): void {
    this.#lost.set(provider, this.lost(provider) + 1);
    this.#missing.add(why);
    this.#log.note({
      kind: why,
      level: "error",
      message: `a call at provider ${provider} was answered and has no record in the audit log: ${text}`,
    });
  }
}
