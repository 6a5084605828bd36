import { mkdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { gzipSync } from "node:zlib";
import { logPaths } from "../audit/log/log-paths.ts";
import { signCheckpoint } from "../audit/notes/checkpoint.ts";
import { type NoteSigner, noteSigner, verifierText } from "../audit/notes/signed-note.ts";
import { leafHash } from "../audit/tree/hashes.ts";
import { RightEdge } from "../audit/tree/right-edge.ts";

export const AUDIT_ORIGIN = "kms.claviger.dev/audit/prod/node-1";

export interface AuditFilesOptions {
  readonly path: string;
  /** The number of lines. */
  readonly lines: number;
  /** The lines of a file before another is begun. */
  readonly fileLines?: number;
  /** The lines that a signing key signs. */
  readonly keyLines?: number;
  /** Lines that no checkpoint covers. */
  readonly unsigned?: number;
  /** Makes the seeds of the keys others. */
  readonly seed?: number;
  /** Makes the texts others. */
  readonly text?: (number: number) => string;
}

export interface AuditFiles {
  /** The keys as text, the oldest first. */
  readonly keys: readonly string[];
  readonly signers: readonly NoteSigner[];
  readonly lines: readonly string[];
  readonly leaves: readonly Buffer[];
  /** Checkpoints as notes, the newest last. */
  readonly checkpoints: readonly string[];
}

const event = (number: number, eventName: string, details: object): string =>
  JSON.stringify({
    eventTime: timeOfLine(number),
    eventName,
    eventID: eventIdOf(number),
    eventType: "AwsServiceEvent",
    additionalEventData: { door: "log" },
    serviceEventDetails: details,
  });

/** Returns the time of a line: one each ten seconds. */
export const timeOfLine = (number: number): string =>
  `${new Date(Date.UTC(2026, 10, 1) + number * 10_000).toISOString().slice(0, 19)}Z`;

/** Returns the id of a line's event. */
export const eventIdOf = (number: number): string =>
  `00000000-0000-4000-8000-${String(number).padStart(12, "0")}`;

const usual = (number: number): string =>
  JSON.stringify({
    eventVersion: "1.11",
    userIdentity: {
      type: "IAMUser",
      userName: number % 3 === 0 ? "alice" : "bob",
      arn: `arn:aws:iam::111122223333:user/${number % 3 === 0 ? "alice" : "bob"}`,
    },
    eventTime: timeOfLine(number),
    eventSource: "kms.amazonaws.com",
    eventName: number % 2 === 0 ? "Encrypt" : "Decrypt",
    ...(number % 10 === 7 && { errorCode: "AccessDeniedException", errorMessage: "no" }),
    requestParameters: { keyId: "alias/app" },
    additionalEventData: { door: "aws" },
    eventID: eventIdOf(number),
    resources: [
      {
        accountId: "111122223333",
        type: "AWS::KMS::Key",
        ARN: `arn:aws:kms:eu-central-1:111122223333:key/${number % 4}`,
      },
    ],
    eventType: "AwsApiCall",
  });

/** Writes a log of a node, with files, keys and checkpoints as docs/formats.md has them. */
export function writeAuditFiles(options: AuditFilesOptions): AuditFiles {
  const { path, fileLines = Number.POSITIVE_INFINITY, keyLines = Number.POSITIVE_INFINITY } = options;
  const { unsigned = 0, seed = 1, text = usual } = options;
  const paths = logPaths(path);
  mkdirSync(dirname(path), { recursive: true });
  const signerOf = (at: number) => noteSigner(AUDIT_ORIGIN, Buffer.alloc(32, seed + at));
  const signers = [signerOf(0)];
  const keyOf = (at: number) => verifierText((signers[at] ?? signerOf(at)).verifier);
  const edge = new RightEdge();
  const lines: string[] = [];
  const leaves: Buffer[] = [];
  const kept: string[] = [];
  let file: string[] = [];
  let first = 0;
  const note = (...by: readonly NoteSigner[]) =>
    signCheckpoint({ origin: AUDIT_ORIGIN, size: edge.size, root: edge.root() }, ...by);
  const newest = () => signers.slice(-1);
  let checkpoint = "";
  for (let number = 0; number < options.lines; number += 1) {
    const changesKey = number > 0 && number % keyLines === 0;
    if (changesKey) signers.push(signerOf(signers.length));
    if (file.length >= fileLines) {
      kept.push(note(...(changesKey ? signers.slice(-2, -1) : newest())));
      const isCompressed = first === 0;
      const content = Buffer.from(`${file.join("\n")}\n`);
      writeFileSync(
        `${paths.closed(first)}${isCompressed ? ".gz" : ""}`,
        isCompressed ? gzipSync(content) : content,
      );
      file = [];
      first = number;
    }
    const line =
      number === 0
        ? event(0, "AuditLogStarted", {
            origin: AUDIT_ORIGIN,
            firstLine: 0,
            reason: "FirstFile",
            signingKey: keyOf(0),
          })
        : changesKey
          ? event(number, "AuditSigningKeyChanged", {
              previousKey: keyOf(signers.length - 2),
              signingKey: keyOf(signers.length - 1),
            })
          : file.length === 0
            ? event(number, "AuditFileStarted", {
                origin: AUDIT_ORIGIN,
                firstLine: number,
                reason: "PreviousFileFull",
              })
            : text(number);
    lines.push(line);
    file.push(line);
    const leaf = leafHash(Buffer.from(line));
    leaves.push(leaf);
    edge.append(leaf);
    if (changesKey) kept.push(note(...signers.slice(-2)));
    if (number === options.lines - 1 - unsigned) checkpoint = note(...newest());
  }
  writeFileSync(path, `${file.join("\n")}\n`);
  writeFileSync(paths.leaves, Buffer.concat(leaves));
  writeFileSync(paths.checkpoint, checkpoint);
  writeFileSync(paths.checkpoints, kept.join(""));
  return {
    keys: signers.map((_, at) => keyOf(at)),
    signers,
    lines,
    leaves,
    checkpoints: [...kept, checkpoint],
  };
}
