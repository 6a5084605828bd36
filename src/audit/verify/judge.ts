import { isSignedBy, type NoteVerifier, parseVerifier, verifierText } from "../notes/signed-note.ts";
import { checkTree, type TreeVerdict } from "./check-tree.ts";
import type { SignedCheckpoint } from "./checkpoint-notes.ts";
import type { ClaimedLeaves } from "./claimed-leaves.ts";
import type { ComparedFiles } from "./compare-files.ts";
import { Findings, rangeText } from "./finding.ts";
import { KeyChain } from "./key-chain.ts";
import { addAway, addLines, awayRanges } from "./line-findings.ts";
import type { Checkpoints, Verification, VerifyOptions } from "./verification.ts";

interface Facts extends VerifyOptions {
  readonly checkpoints: Checkpoints;
  readonly leaves: ClaimedLeaves;
  readonly compared: ComparedFiles;
  readonly hasLeaves: boolean;
}

/** Lines of a living log are signed within seconds. */
const ALIVE_MILLISECONDS = 60_000;

/** Makes findings of what was read, after the tree and the signatures were checked. */
export function judge(facts: Facts): Verification {
  const { checkpoints, leaves, compared, onProgress } = facts;
  const findings = new Findings();
  const { newest, earlier, elsewhere } = checkpoints;
  const away = awayRanges(compared, [...earlier, ...(newest === undefined ? [] : [newest])]);
  const chain = new KeyChain(compared.keyEvents, (from, to) =>
    away.some((range) => range.from < to && range.to > from),
  );
  const own = [...earlier, ...(newest === undefined ? [] : [newest])];
  addMalformed(facts, findings);
  const trusted = own.filter((checkpoint) => addSignature(checkpoint, chain, findings));
  for (const checkpoint of elsewhere) addSignature(checkpoint, chain, findings);
  const verdicts = checkTree([...trusted, ...elsewhere], {
    leaves,
    lines: compared.edited,
    onProgress: (lines) => onProgress?.("tree", lines),
  });
  const signed = newest?.size ?? Math.max(0, ...trusted.map(({ size }) => size));
  const lineFacts = { signed, isLeafAltered: alteredLeaves(verdicts) };
  addAway(away, findings);
  addLines(compared, { ...lineFacts, away }, findings);
  addNoFiles(facts, findings);
  addLeaves(facts, signed, findings);
  addVerdicts(verdicts, elsewhere, findings);
  addKeys(facts, chain, own, findings);
  addUnsigned(facts, signed, findings);
  const good = [...verdicts].filter(([, verdict]) => verdict === "good" || verdict === "lines");
  return {
    origin: newest?.origin ?? own[0]?.origin,
    lines: compared.end,
    signed: Math.max(0, ...good.map(([{ size }]) => size)),
    checkpoints: good.length,
    keys: keysOf(chain),
    findings: findings.list,
    moreFindings: findings.more,
    faults: findings.faults,
  };
}

const keysOf = ({ events }: KeyChain): string[] => [...new Set(events.map(({ signingKey }) => signingKey))];

function addMalformed({ checkpoints }: Facts, findings: Findings): void {
  for (const { file, line, isTorn } of checkpoints.malformed)
    findings.add({
      kind: "checkpointMalformed",
      isFault: !isTorn,
      file,
      line,
      message: isTorn
        ? `${file} ends with a checkpoint that is not whole, as a crash leaves it`
        : `${file} has no checkpoint at line ${line}: the file was altered or damaged`,
    });
}

/** Returns false if the checkpoint is not signed by the key that it should be signed by. */
function addSignature(checkpoint: SignedCheckpoint, chain: KeyChain, findings: Findings): boolean {
  const { file, line, size, note } = checkpoint;
  const key = chain.keyAt(size);
  if (key === undefined) {
    findings.add({
      kind: "keyUnknown",
      isFault: true,
      file,
      line,
      message: `the checkpoint of ${size} lines in ${file} cannot be verified: no line of the log names its key`,
    });
    return true;
  }
  if (isSignedBy(note, key)) return true;
  findings.add({
    kind: "checkpointUnsigned",
    isFault: true,
    file,
    line,
    message: `the checkpoint of ${size} lines in ${file} has no good signature by the log's key of that time, ${verifierText(key)}: the checkpoint or the line that names the key was altered`,
  });
  return false;
}

/** Returns a function that says if it is the leaf hash of a line that was altered, not the line. */
function alteredLeaves(verdicts: ReadonlyMap<SignedCheckpoint, TreeVerdict>): (number: number) => boolean {
  const sorted = [...verdicts].sort(([a], [b]) => a.size - b.size);
  return (number) =>
    sorted.find(([{ size }, verdict]) => size > number && verdict !== "bad")?.[1] === "lines";
}

function addLeaves({ leaves, hasLeaves, path }: Facts, signed: number, findings: Findings): void {
  const { size } = leaves.stored;
  if (size >= signed && hasLeaves) return;
  if (signed === 0 && !hasLeaves) return;
  const message = hasLeaves
    ? `${path}.leaves ends after ${size} of ${signed} lines: it was cut`
    : `${path}.leaves is not there`;
  findings.add({
    kind: "leavesMissing",
    isFault: true,
    from: size,
    to: signed,
    message: `${message}; lines ${rangeText(size, signed)} are compared with checkpoints only`,
  });
}

/** Says of each checkpoint that has another root between which lines the fault is. */
function addVerdicts(
  verdicts: ReadonlyMap<SignedCheckpoint, TreeVerdict>,
  elsewhere: readonly SignedCheckpoint[],
  findings: Findings,
): void {
  const sorted = [...verdicts].sort(([a], [b]) => a.size - b.size);
  const lastGood = sorted.findLast(([, verdict]) => verdict === "good" || verdict === "lines")?.[0].size ?? 0;
  const isKept = new Set(elsewhere);
  let isNamed = false;
  for (const [checkpoint, verdict] of sorted) {
    const { size, file, line } = checkpoint;
    if (verdict === "short") addShort(checkpoint, findings);
    if (verdict !== "bad") continue;
    if (isKept.has(checkpoint) || size <= lastGood)
      findings.add({
        kind: "contradiction",
        isFault: true,
        file,
        line,
        from: 0,
        to: size,
        message: `the checkpoint of ${size} lines in ${file} contradicts the log: its first ${size} lines have another root; the log was rewritten since, or the checkpoint is of another log`,
      });
    else if (!isNamed) {
      isNamed = true;
      findings.add({
        kind: "rewritten",
        isFault: true,
        file,
        line,
        from: lastGood,
        to: size,
        message: `lines ${rangeText(lastGood, size)} of the log do not have the root of the checkpoint of ${size} lines in ${file}: lines or leaf hashes among them were altered, removed or inserted`,
      });
    }
  }
}

function addShort({ size, file, line }: SignedCheckpoint, findings: Findings): void {
  findings.add({
    kind: "cut",
    isFault: true,
    file,
    line,
    to: size,
    message: `the checkpoint in ${file} is of ${size} lines, and the log has fewer: lines at its end were removed`,
  });
}

function addKeys(facts: Facts, chain: KeyChain, own: readonly SignedCheckpoint[], findings: Findings): void {
  const { key, compared } = facts;
  const trustedAt = key && chain.lastNumberOf(verifierText(key));
  if (key !== undefined && trustedAt === undefined) addForeignKey(key, findings);
  for (const { number, reason } of chain.broken) {
    const isBefore = trustedAt !== undefined && trustedAt >= number;
    findings.add({
      kind: "keyBroken",
      isFault: !isBefore,
      from: number,
      to: number + 1,
      message:
        reason === "lost"
          ? `at line ${number} of the log its signing key was lost, and another was begun: nothing ties the lines before it to the new key, unless you trust a key since then (--key)`
          : `the signing key that line ${number} of the log names does not follow from the key before it`,
    });
  }
  const newest = facts.checkpoints.newest?.size ?? 0;
  for (const { number, previousKey } of chain.changes) {
    if (number >= newest || number >= compared.end) continue;
    const former = parseVerifier(previousKey);
    const next = chain.events.find((event) => event.number > number)?.number ?? Number.POSITIVE_INFINITY;
    const isSigned = own.some(
      ({ size, note }) => size > number && size <= next && former !== undefined && isSignedBy(note, former),
    );
    if (!isSigned)
      findings.add({
        kind: "checkpointMissing",
        isFault: true,
        from: number,
        to: number + 1,
        message: `the change of the signing key at line ${number} of the log is signed by the new key only: the checkpoint that the former key signed was removed or altered`,
      });
  }
}

function addForeignKey(key: NoteVerifier, findings: Findings): void {
  findings.add({
    kind: "keyUnknown",
    isFault: true,
    message: `the key ${verifierText(key)} is none of this log's: the log is another, or was rewritten`,
  });
}

/** Adds a finding if no file of lines is there. */
function addNoFiles({ compared, leaves }: Facts, findings: Findings): void {
  if (compared.files.length > 0 || leaves.size === 0) return;
  findings.add({
    kind: "cut",
    isFault: true,
    from: 0,
    to: leaves.size,
    message: `no file of lines is there: lines ${rangeText(0, leaves.size)} of the log were removed`,
  });
}

function addUnsigned({ checkpoints, compared, now }: Facts, signed: number, findings: Findings): void {
  const { end } = compared;
  if (checkpoints.newest === undefined && end > 0)
    findings.add({
      kind: "checkpointMissing",
      isFault: true,
      message: "the newest checkpoint is not there: nobody can tell if lines at the end were removed",
    });
  if (end <= signed) return;
  const last = compared.files.at(-1)?.segment.changedAt ?? 0;
  const isAlive = now - last < ALIVE_MILLISECONDS;
  findings.add({
    kind: "notSigned",
    isFault: !isAlive,
    from: signed,
    to: end,
    message: isAlive
      ? `lines ${rangeText(signed, end)} of the log are not yet signed`
      : `lines ${rangeText(signed, end)} of the log are signed by no checkpoint, and nothing was written since ${new Date(last).toISOString()}: start claviger, which signs them, if it was stopped by force; otherwise somebody added them`,
  });
}
