import { existsSync, readFileSync } from "node:fs";
import { TurnLock } from "../../keyring/file-lock.ts";
import { writePoint } from "../../write-points.ts";
import { signCheckpoint } from "../notes/checkpoint.ts";
import { type NoteSigner, verifierText } from "../notes/signed-note.ts";
import type { AuditSite } from "../record/api-call.ts";
import { leafHash } from "../tree/hashes.ts";
import { LogFiles } from "./log-files.ts";
import { logPaths } from "./log-paths.ts";
import { type LogState, parseState, stateText } from "./log-state.ts";
import { type FileReason, fileStarted, keyChanged, logStarted } from "./own-events.ts";
import { recoverLog } from "./recover-log.ts";
import { SigningKeyFile, type SigningKeys } from "./signing-key.ts";

export interface LogWriterOptions {
  /** The file of the newest lines. */
  readonly path: string;
  /** The file of the signing key. */
  readonly keyPath: string;
  readonly origin: string;
  readonly site: AuditSite;
  /** A file of this size is closed, and another is begun. */
  readonly segmentBytes: number;
  /** How long another process may hold the lock. */
  readonly lockMilliseconds: number;
}

/** A checkpoint costs a signature and two syncs. */
const CHECKPOINT_MILLISECONDS = 1_000;
const CHECKPOINT_LINES = 1_000;
const KEEP_MILLISECONDS = 3_600_000;

/**
 * Writes a log, in turn with other processes. All calls are synchronous and wait for the disk: they are made on a
 * thread of their own. They throw what the disk throws.
 */
export class LogWriter {
  readonly #options: LogWriterOptions;
  readonly #lock: TurnLock;
  readonly #files: LogFiles;
  readonly #keys: SigningKeyFile;
  #closed = 0;

  constructor(options: LogWriterOptions) {
    const paths = logPaths(options.path);
    this.#options = options;
    this.#lock = TurnLock.open(paths.lock, options.lockMilliseconds);
    this.#files = new LogFiles(paths);
    this.#keys = new SigningKeyFile(options.keyPath, options.origin);
  }

  /**
   * Appends lines, none of which has a newline. They are on the disk when it returns. Returns a reason if it had to
   * begin a file because somebody has touched the former file. `now` is in epoch milliseconds.
   */
  append(lines: readonly string[], now: number): FileReason | undefined {
    return this.#lock.during(() => {
      const { state, newFile } = this.#load();
      const ready = this.#ready(state, newFile, now);
      const fitting = this.#rotated(ready, sizeOf(lines), now);
      this.#written(fitting, lines);
      return newFile;
    });
  }

  /**
   * Signs a checkpoint of all lines if one is due: a second or 1,000 lines after the newest checkpoint, or, `at` "once",
   * if there are lines after it.
   */
  checkpoint(now: number, at: "once" | "time"): void {
    this.#lock.during(() => {
      const { state, newFile } = this.#load();
      if (newFile !== undefined || !hasNewLines(state)) return;
      if (at === "once" || isTime(state, now))
        this.#signed(state, now, { isKept: false, signers: [this.#keys.of(now).today] });
    });
  }

  /** The number of files that this writer has closed. */
  get closed(): number {
    return this.#closed;
  }

  close(): void {
    this.#files.close();
    this.#lock.close();
  }

  #load(): { readonly state: LogState; readonly newFile?: FileReason } {
    this.#files.refresh();
    const state = this.#stored();
    return state === undefined ? recoverLog(this.#files) : { state };
  }

  /** Returns the state that was written last, if the files are as it says. */
  #stored(): LogState | undefined {
    const { paths, linesFile, leavesBytes } = this.#files;
    if (linesFile === undefined || !existsSync(paths.state)) return undefined;
    const state = parseState(readFileSync(paths.state, "utf8"));
    if (state === undefined || leavesBytes !== 32 * state.edge.size) return undefined;
    const { inode, bytes } = state.file;
    return inode === linesFile.inode && bytes === linesFile.bytes ? state : undefined;
  }

  /** Begins the log or a file of it if need be, and changes the signing key on a new day. */
  #ready(state: LogState, newFile: FileReason | undefined, now: number): LogState {
    const { exists } = this.#keys;
    const keys = exists ? this.#keys.of(now) : this.#keys.create(now);
    const begun = newFile === undefined ? state : this.#begun(state, newFile, keys, now);
    if (newFile === "FirstFile") {
      // The log says its first key itself: the keys of a log before it are none of its own.
      if (keys.former !== undefined) this.#keys.forgetFormer();
      return begun;
    }
    if (exists) return this.#keyEnded(begun, keys, now);
    return this.#written(begun, [keyChanged(this.#event(now), null, verifierText(keys.today.verifier))]);
  }

  #begun(state: LogState, reason: FileReason, { today }: SigningKeys, now: number): LogState {
    if (reason === "PreviousFileAltered") this.#files.closeLines(state.file.first);
    const { origin } = this.#options;
    const event = this.#event(now);
    const first = state.edge.size;
    const line =
      first === 0
        ? logStarted(event, origin, verifierText(today.verifier))
        : fileStarted(event, origin, first, reason);
    const written = this.#written({ ...state, file: { inode: 0, bytes: 0, first } }, [line]);
    this.#files.syncFolder();
    return written;
  }

  /** The last checkpoint of a key is signed by the next key too, and the former key is forgotten. */
  #keyEnded(state: LogState, { today, former }: SigningKeys, now: number): LogState {
    if (former === undefined) return state;
    writePoint("audit.key", "before");
    const [before, after] = [former, today].map(({ verifier }) => verifierText(verifier));
    const written = this.#written(state, [keyChanged(this.#event(now), before ?? null, after ?? "")]);
    const signed = this.#signed(written, now, { isKept: true, signers: [former, today] });
    this.#keys.forgetFormer();
    writePoint("audit.key", "after");
    return signed;
  }

  /** Closes the file if lines of this size would make it too large. */
  #rotated(state: LogState, bytes: number, now: number): LogState {
    const { file } = state;
    if (file.bytes + bytes <= this.#options.segmentBytes || state.edge.size === file.first + 1) return state;
    const keys = this.#keys.of(now);
    const signed = this.#signed(state, now, { isKept: true, signers: [keys.today] });
    writePoint("audit.file", "before");
    this.#files.closeLines(file.first);
    this.#closed += 1;
    const begun = this.#begun(signed, "PreviousFileFull", keys, now);
    writePoint("audit.file", "after");
    return begun;
  }

  /** Writes lines, and what follows from them. Nothing that follows is lost for good by a crash. */
  #written(state: LogState, lines: readonly string[]): LogState {
    if (lines.length === 0) return state;
    const bytes = Buffer.from(`${lines.join("\n")}\n`);
    writePoint("audit.lines", "before");
    this.#files.appendLines(bytes, state.file.bytes);
    writePoint("audit.lines", "after");
    const hashes = lines.map((line) => leafHash(Buffer.from(line)));
    this.#files.appendLeaves(Buffer.concat(hashes));
    writePoint("audit.leaves", "after");
    const edge = state.edge.copy();
    for (const leaf of hashes) edge.append(leaf);
    const { inode = 0 } = this.#files.linesFile ?? {};
    return this.#kept({
      ...state,
      edge,
      file: { ...state.file, inode, bytes: state.file.bytes + bytes.length },
    });
  }

  #kept(state: LogState): LogState {
    writePoint("audit.state", "before");
    this.#files.writeState(stateText(state));
    writePoint("audit.state", "after");
    return state;
  }

  #signed(state: LogState, now: number, { isKept, signers }: Signing): LogState {
    const { size } = state.edge;
    const checkpoint = { origin: this.#options.origin, size, root: state.edge.root() };
    const note = signCheckpoint(checkpoint, ...signers);
    writePoint("audit.checkpoint", "before");
    // A checkpoint must not cover hashes that a power cut takes away.
    this.#files.syncLeaves();
    const keeps = isKept || now - state.keptAt >= KEEP_MILLISECONDS;
    if (keeps) this.#files.keepCheckpoint(note);
    this.#files.replaceCheckpoint(note);
    writePoint("audit.checkpoint", "after");
    return this.#kept({ ...state, checkpoint: { size, at: now }, keptAt: keeps ? now : state.keptAt });
  }

  #event(now: number) {
    return { site: this.#options.site, at: now };
  }
}

interface Signing {
  /** True if the checkpoint is kept among the earlier ones. */
  readonly isKept: boolean;
  readonly signers: readonly NoteSigner[];
}

const hasNewLines = ({ edge, checkpoint }: LogState): boolean => edge.size > checkpoint.size;

/** A clock that was set back makes a checkpoint due too. */
const isTime = ({ edge, checkpoint }: LogState, now: number): boolean =>
  edge.size - checkpoint.size >= CHECKPOINT_LINES || Math.abs(now - checkpoint.at) >= CHECKPOINT_MILLISECONDS;

const sizeOf = (lines: readonly string[]): number =>
  lines.reduce((bytes, line) => bytes + Buffer.byteLength(line) + 1, 0);
