import { shown, type Tone, type VersionRow, word } from "../overview.ts";

/**
 * A list as kubectl get asks for it (meta.k8s.io/v1 Table). It has the columns of the CRD only, so that no
 * sealed material leaves the API server for the page.
 */
export interface Table {
  readonly columnDefinitions: readonly { readonly name: string }[];
  readonly rows: readonly { readonly cells: readonly unknown[] }[];
}

const TONES: Readonly<Record<string, Tone>> = { Pending: "moving", Current: "good" };

/** Returns the rows of the KeyVersions: by key, the latest version first. */
export function versionRows({ columnDefinitions, rows }: Table): VersionRow[] {
  const names = columnDefinitions.map(({ name }) => name);
  const all = rows.map(({ cells }) => {
    const cell = (name: string): string => String(cells[names.indexOf(name)] ?? "");
    const state = cell("State") || "Pending";
    return {
      key: shown(`${cell("Namespace")}/${cell("MasterKey")}`),
      version: shown(cell("Version")),
      state: word(state, TONES[state] ?? "plain"),
      kmsKeyId: shown(cell("Key_ID")),
      age: shown(cell("Age")),
    };
  });
  return all.toSorted(byKeyAndAge);
}

function byKeyAndAge(a: VersionRow, b: VersionRow): number {
  if (a.key !== b.key) return a.key < b.key ? -1 : 1;
  return Number(b.version) - Number(a.version);
}
