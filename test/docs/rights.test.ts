import { globSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { parseAllDocuments } from "yaml";
import { actions } from "../../src/access/actions.ts";
import { read } from "./markdown.ts";

interface Rule {
  readonly apiGroups?: readonly string[];
  readonly resources?: readonly string[];
  readonly nonResourceURLs?: readonly string[];
  readonly resourceNames?: readonly string[];
  readonly verbs: readonly string[];
}

interface Role {
  readonly kind: string;
  readonly metadata: {
    readonly namespace?: string;
    readonly name: string;
    readonly labels?: Readonly<Record<string, string>>;
  };
  readonly rules: readonly Rule[];
}

const rolesOf = (path: string): readonly Role[] =>
  parseAllDocuments(read(path))
    .map((document) => document.toJS() as Role | null)
    .filter((one): one is Role => one?.kind === "Role" || one?.kind === "ClusterRole");

const FOR_PEOPLE = "deploy/roles.yaml";
const own = globSync("deploy/*.yaml", { cwd: new URL("../..", import.meta.url).pathname })
  .filter((path) => path !== FOR_PEOPLE)
  .flatMap(rolesOf);
const forPeople = new Map(rolesOf(FOR_PEOPLE).map((role) => [role.metadata.name, role]));

const spans = (list: readonly string[]): string => list.map((one) => `\`${one}\``).join(", ");

/** The cells of a rule's row, without the reason. */
function rowOf({ metadata: { namespace, name } }: Role, rule: Rule): string {
  const { apiGroups = [], resources = [], nonResourceURLs = [], resourceNames = [], verbs } = rule;
  const full = resources.flatMap((resource) =>
    apiGroups.map((group) => (group === "" ? resource : `${resource}.${group}`)),
  );
  const role = namespace === undefined ? name : `${namespace}/${name}`;
  return [spans([role]), spans([...full, ...nonResourceURLs]), spans(resourceNames), verbs.join(", ")].join(
    " | ",
  );
}

const rowsOf = (roles: readonly Role[]): readonly string[] =>
  roles.flatMap((role) => role.rules.map((rule) => rowOf(role, rule)));

/** The rows of the table of claviger's own rights, each with its reason. */
const documented = [
  ...(read("docs/rights.md").split("## Claviger's own rights")[1] ?? "").matchAll(/^\| (`.*) \| (.*) \|$/gm),
].map(([, cells = "", reason = ""]) => ({
  cells: cells
    .split("|")
    .map((cell) => cell.trim())
    .join(" | "),
  reason,
}));

describe("docs/rights.md", () => {
  it("has a row with a reason for each rule of claviger's own roles, and no other", () => {
    expect(documented.map(({ cells }) => cells).sort()).toEqual([...rowsOf(own)].sort());
    expect(documented.filter(({ reason }) => reason === "")).toEqual([]);
  });

  it("would miss a verb, a resource or a rule that a role gets in addition", () => {
    const [role, ...others] = own;
    const [rule, ...rules] = role?.rules ?? [];
    if (role === undefined || rule === undefined) throw new Error("there is no role");
    const planted: readonly (readonly Rule[])[] = [
      [{ ...rule, verbs: [...rule.verbs, "delete"] }, ...rules],
      [{ ...rule, resources: [...(rule.resources ?? []), "secrets"] }, ...rules],
      [rule, ...rules, { apiGroups: [""], resources: ["secrets"], verbs: ["get"] }],
    ];
    const known = new Set(documented.map(({ cells }) => cells));
    for (const changed of planted)
      expect(rowsOf([{ ...role, rules: changed }, ...others]).filter((row) => !known.has(row))).toHaveLength(
        1,
      );
  });

  it("names each role for people and applications", () => {
    for (const name of forPeople.keys()) expect(read("docs/rights.md")).toContain(`| \`${name}\` |`);
  });
});

describe("claviger's roles", () => {
  it("have no wildcard", () => {
    for (const { rules } of [...own, ...forPeople.values()])
      for (const { apiGroups = [], resources = [], verbs } of rules)
        expect([...apiGroups, ...resources, ...verbs]).not.toContain("*");
  });

  const verbsOf = (name: string): readonly string[] =>
    (forPeople.get(name)?.rules ?? []).flatMap(({ verbs }) => verbs);
  const all = Object.values(actions).map(({ verb }) => verb);

  it("share out the verbs of the AWS KMS API between users and administrators of keys, but for describe-key", () => {
    const users = verbsOf("claviger-key-user");
    const administrators = verbsOf("claviger-key-administrator").filter(
      (verb) => verb.includes("-") || verb === "grant",
    );
    expect(users.filter((verb) => administrators.includes(verb))).toEqual(["describe-key"]);
    expect([...new Set([...users, ...administrators])].sort()).toEqual([...all].sort());
  });

  it("give a built-in role nothing but to read MasterKeys, KeyAliases and KeyGrants", () => {
    const aggregated = [...forPeople.values(), ...own].filter(({ metadata }) =>
      Object.keys(metadata.labels ?? {}).some((label) => label.includes("aggregate-to-")),
    );
    expect(aggregated.map(({ metadata }) => metadata)).toEqual([
      {
        name: "claviger-key-viewer",
        labels: { "rbac.authorization.k8s.io/aggregate-to-view": "true" },
      },
    ]);
    expect(aggregated[0]?.rules).toEqual([
      {
        apiGroups: ["kms.claviger.dev"],
        resources: ["masterkeys", "keyaliases", "keygrants"],
        verbs: ["get", "list", "watch"],
      },
    ]);
    expect(verbsOf("claviger-auditor")).toEqual(["get", "list", "watch"]);
  });
});
