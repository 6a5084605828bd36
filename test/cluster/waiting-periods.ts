import { DatabaseSync } from "node:sqlite";
import { eventually, type Patience } from "../controlplane/wait.ts";

/**
 * Waits until the operators of these nodes have recorded that somebody waits: for the deletion of the key
 * with the keyId `subject`, or for the end of the retention of what the key_id `subject` replaced. Only then may a
 * test let time pass, because an operator counts the time that it has seen since its record.
 */
export async function periodIsRecorded(
  nodes: readonly { readonly keyringPath: string }[],
  subject: string,
  patience?: Patience,
): Promise<void> {
  await eventually(
    `every node has recorded the waiting period of ${subject}`,
    async () => nodes.every(({ keyringPath }) => hasPeriod(keyringPath, subject)),
    patience,
  );
}

function hasPeriod(path: string, subject: string): boolean {
  const db = new DatabaseSync(path, { readOnly: true });
  try {
    return db.prepare("SELECT 1 FROM waiting_periods WHERE subject = ?").get(subject) !== undefined;
  } finally {
    db.close();
  }
}
