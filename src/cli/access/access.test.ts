import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { Access } from "../../aws/service/access.ts";
import { standaloneRbac } from "../../aws/service/standalone-rbac.ts";
import type { KeyGrant, MasterKey } from "../../resources/resources.ts";
import { AwsKeyring, SITE } from "../../testing/aws-keyring.ts";
import { FakeApiServer, failure, json } from "../../testing/fake-api-server.ts";
import { APP, grantRow, keyGrant } from "../../testing/grants.ts";
import { condition, keyAlias, keyId, masterKey } from "../../testing/objects.ts";
import { access } from "./access.ts";
import { callerNamed } from "./caller.ts";

const ARN = `arn:aws:kms:us-local-1:000000000000:key/${keyId(1)}`;
const ROOT = "arn:aws:iam::000000000000:root";
const ACCOUNT = { Effect: "Allow", Principal: { AWS: ROOT }, Action: "kms:*", Resource: "*" };

let printed = "";
beforeEach(() => {
  printed = "";
  vi.spyOn(process.stdout, "write").mockImplementation((text) => {
    printed += String(text);
    return true;
  });
});
afterEach(() => vi.restoreAllMocks());

const accepted = (grant: KeyGrant): KeyGrant => ({ ...grant, status: { phase: "Active", keyId: keyId(1) } });

describe("in a cluster", () => {
  let server: FakeApiServer;
  beforeAll(async () => {
    server = await FakeApiServer.start();
  });
  afterAll(() => server.stop());

  interface Objects {
    readonly key?: MasterKey;
    readonly grants?: readonly KeyGrant[];
    /** The users whom RBAC allows everything; RBAC may not be asked if left out. */
    readonly allowed?: readonly string[];
    readonly other?: Readonly<Record<string, readonly object[]>>;
  }
  const secrets = (policy?: object) =>
    masterKey({ status: { keyId: keyId(1), arn: ARN }, ...(policy && { spec: { policy: { ...policy } } }) });

  /** Runs the command against these objects, of which the API server answers one for each page. */
  async function run(
    { key = secrets(), grants = [], allowed, other = {} }: Objects,
    ...args: readonly string[]
  ) {
    const collections: Readonly<Record<string, readonly object[]>> = {
      ...{ keygrants: grants, keyaliases: [keyAlias({})], masterkeys: [key], ...other },
    };
    server.answer(async (call) => {
      const [last = "", before] = call.path.split("/").toReversed();
      if (last === "subjectaccessreviews") {
        if (allowed === undefined) return failure(403, "subjectaccessreviews is forbidden")(call);
        const { user } = JSON.parse(await call.body).spec;
        return json({ status: { allowed: allowed.includes(user) } })(call);
      }
      if (before === "masterkeys") return json(key)(call);
      if (before === "keyaliases") return json(keyAlias({}))(call);
      const items = collections[last];
      if (items === undefined) return failure(403, `${last} is forbidden`)(call);
      const at = Number(call.query.get("continue") ?? 0);
      const more = at + 1 < items.length ? { continue: String(at + 1) } : {};
      json({ metadata: more, items: items.slice(at, at + 1) })(call);
    });
    await access.run([...args, "--kubeconfig", server.kubeconfig]);
    return printed;
  }
  const EXPLAIN = ["explain", "apps/secrets", "Encrypt", "--as", APP];

  test("RBAC allows a ServiceAccount => ALLOW, with each rule", async () => {
    const text = await run({ allowed: ["system:serviceaccount:shop:app"] }, ...EXPLAIN);
    expect(text).toContain(`ALLOW: kms:Encrypt with apps/secrets for ${APP}, because RBAC allows the verb`);
    for (const rule of ["1 explicit deny", "2 grants", "3 grant tokens", "4 key policy", "5 RBAC"])
      expect(text).toMatch(new RegExp(`^${rule} `, "m"));
    expect(text).toContain(
      "allows the verb encrypt on masterkeys.kms.claviger.dev/secrets in namespace apps",
    );
  });

  test("RBAC may not be asked => UNKNOWN, and the command fails", async () => {
    await expect(run({}, ...EXPLAIN)).rejects.toThrow(/subjectaccessreviews is forbidden/);
    expect(printed).toMatch(/^UNKNOWN: /);
  });

  test("the KeyGrants may not be listed => an error, and no answer", async () => {
    const read = run({ allowed: [], other: { keygrants: undefined as unknown as object[] } }, ...EXPLAIN);
    await expect(read).rejects.toThrow(/keygrants is forbidden/);
    expect(printed).toBe("");
  });

  test("each grant to the principal is explained, on whatever page it is", async () => {
    const named = (name: string, spec: Partial<KeyGrant["spec"]> = {}) =>
      keyGrant({ metadata: { name }, spec });
    const waiting = named("waiting");
    const grants = [
      accepted(named("old", { expiresAt: "2026-01-01T00:00:00Z" })),
      accepted(named("gone", { ended: "Revoked" })),
      accepted(named("reader", { operations: ["Decrypt"] })),
      accepted(named("bound", { constraints: { encryptionContextSubset: { tenant: "a" } } })),
      accepted(named("other", { granteePrincipal: ROOT })),
      { ...waiting, status: { conditions: [condition("Ready", { status: "False", message: "no right" })] } },
    ];
    const text = await run({ grants, allowed: [] }, ...EXPLAIN);
    expect(text).toMatch(/^DENY: /);
    for (const line of [
      /apps\/old .* expired at 2026-01-01T00:00:00/,
      /apps\/gone .* it was revoked/,
      /apps\/reader .* it grants Decrypt only/,
      /apps\/bound .* it needs that the encryption context has at least {"tenant":"a"}/,
      /apps\/waiting is not accepted: no right/,
    ])
      expect(text).toMatch(line);
    expect(text).not.toContain("apps/other");
    printed = "";
    expect(await run({ grants }, ...EXPLAIN, "--encryption-context", "tenant=a")).toMatch(/^ALLOW: .*grant/);
  });

  test("a condition that depends on the connection is named, and may be given", async () => {
    const Deny = {
      ...{ Sid: "outside", Effect: "Deny", Principal: "*", Action: "*", Resource: "*" },
      Condition: { NotIpAddress: { "aws:SourceIp": "10.0.0.0/8" } },
    };
    const key = secrets({ Statement: [ACCOUNT, Deny] });
    const allowed = ["system:serviceaccount:shop:app"];
    const text = await run({ key, allowed }, ...EXPLAIN);
    expect(text).toMatch(/^DENY: .*explicit deny.*"outside"/);
    expect(text).toContain("depends on aws:sourceip, taken as absent");
    printed = "";
    const given = await run({ key, allowed }, ...EXPLAIN, "--condition", "aws:SourceIp=10.1.2.3");
    expect(given).toMatch(/^ALLOW: /);
    expect(given).toContain('statement "outside" does not apply: the request does not fulfil NotIpAddress');
    expect(given).not.toContain("depends on");
  });

  test("a key that is named by its alias has kms:RequestAlias", async () => {
    const Statement = {
      ...{ ...ACCOUNT, Principal: { AWS: APP }, Action: "kms:Encrypt" },
      Condition: { StringEquals: { "kms:RequestAlias": "alias/main" } },
    };
    const key = secrets({ Statement });
    expect(await run({ key }, "explain", "alias/apps/main", "Encrypt", "--as", APP)).toMatch(/^ALLOW: /);
    printed = "";
    expect(await run({ key }, ...EXPLAIN)).toMatch(/^DENY: /);
    printed = "";
    const json = await run({ key }, "explain", ARN, "Encrypt", "--as", APP, "-o", "json");
    expect(JSON.parse(json)).toMatchObject({
      ...{ effect: "deny", key: "apps/secrets", keyArn: ARN, operation: "kms:Encrypt", principal: APP },
      assumptions: [{ conditionKey: "kms:requestalias", values: [] }],
      steps: expect.arrayContaining([{ rule: "rbac", outcome: "not-reached", why: [] }]),
    });
  });

  test("a group of the policy, given by --as-group", async () => {
    const Principal = { AWS: "arn:aws:iam::000000000000:group/ops" };
    const key = secrets({ Statement: { ...ACCOUNT, Principal } });
    const asked = ["explain", "apps/secrets", "kms:Decrypt", "--as", "alice", "--as-group", "ops"];
    expect(await run({ key }, ...asked)).toMatch(/^ALLOW: .*user\/alice/);
  });

  const role = (verbs: readonly string[], rule: object = {}) => [
    { apiGroups: ["kms.claviger.dev"], resources: ["masterkeys"], verbs, ...rule },
  ];
  const named = (name: string, rest: object) => ({ metadata: { name }, ...rest });
  const bind = (name: string, kind: string, of: string, ...subjects: readonly object[]) =>
    named(name, { roleRef: { kind, name: of }, subjects });
  const rbac = {
    clusterroles: [
      named("all", { rules: [{ apiGroups: ["*"], resources: ["*"], verbs: ["*"] }] }),
      named("pods", { rules: [{ apiGroups: [""], resources: ["pods"], verbs: ["*"] }] }),
      named("users", { rules: role(["encrypt", "decrypt"]) }),
      named("empty", { rules: null }),
    ],
    clusterrolebindings: [
      bind("root", "ClusterRole", "all", { kind: "Group", name: "ops" }),
      bind("pods", "ClusterRole", "pods", { kind: "User", name: "pod" }),
      bind("none", "ClusterRole", "empty", { kind: "User", name: "none" }),
    ],
    roles: [
      named("here", { rules: role(["encrypt"], { resourceNames: ["secrets"] }) }),
      named("other", { rules: role(["encrypt"], { resourceNames: ["others"] }) }),
    ],
    rolebindings: [
      bind("here", "Role", "here", { kind: "ServiceAccount", namespace: "shop", name: "web" }),
      bind("other", "Role", "other", { kind: "User", name: "other" }),
      bind("users", "ClusterRole", "users", { kind: "User", name: "alice" }),
      bind("lost", "Role", "lost", { kind: "User", name: "lost" }),
    ],
  };

  test("who may encrypt, by grants and RBAC's rules for this very key, on whatever page they are", async () => {
    const answer = await run(
      { grants: [accepted(keyGrant())], other: rbac },
      ...["who", "apps/secrets", "Encrypt", "-o", "json"],
    );
    const { allowed, complete } = JSON.parse(answer);
    expect(complete).toBe(true);
    expect(
      allowed.map((row: { subject?: string; principal: string }) => row.subject ?? row.principal),
    ).toEqual([...[APP, "Group system:masters", "Group ops", "ServiceAccount shop/web", "User alice"]]);
    expect(allowed[3]).toMatchObject({ by: "RoleBinding here of Role here", operations: ["Encrypt"] });
  });

  test("who may do anything => all operations, in one row for each binding", async () => {
    const text = await run({ other: rbac }, "who", "apps/secrets");
    expect(text).toMatch(/^Group ops +all +rbac +ClusterRoleBinding root of ClusterRole all$/m);
    expect(text).toMatch(/^User alice +Decrypt, Encrypt +rbac +RoleBinding users of ClusterRole users$/m);
  });

  test("a Deny is shown, and takes those away whom it names", async () => {
    const deny = { Sid: "no", Effect: "Deny", Action: "kms:*", Resource: "*" };
    const Principal = { AWS: "arn:aws:iam::000000000000:user/alice" };
    const key = secrets({ Statement: [ACCOUNT, { ...deny, Principal }] });
    const text = await run({ key, other: rbac }, "who", "apps/secrets", "Encrypt");
    expect(text).toContain("ServiceAccount shop/web");
    expect(text).not.toContain("User alice");
    expect(text).toMatch(/^arn:aws:iam::000000000000:user\/alice +Encrypt +statement "no"$/m);
  });

  test("a part of RBAC may not be read => the rest, and an error that names it", async () => {
    const { clusterroles: _, ...other } = rbac;
    await expect(run({ other }, "who", "apps/secrets", "Encrypt")).rejects.toThrow(
      /incomplete.*clusterroles is forbidden/,
    );
    expect(printed).toContain("ServiceAccount shop/web");
    expect(printed).toContain("THIS LIST IS INCOMPLETE");
  });

  test("a policy that leaves nothing to RBAC => RBAC is not read", async () => {
    const key = secrets({ Statement: { ...ACCOUNT, Principal: { AWS: APP } } });
    expect(await run({ key }, "who", "apps/secrets")).toMatch(/^arn:.*role\/shop\/app +all +policy/m);
  });

  test.each([
    [["who", "apps/secrets", "Encrypt", "--as", "a"], /--as is an option of access explain/],
    [["who"], /access who takes/],
    [["explain", "apps/secrets", "Encryt", "--as", "a"], /no operation "Encryt" \(did you mean Encrypt\?\)/],
    [["explain", "apps/secrets", "ReEncrypt", "--as", "a"], /ReEncryptFrom/],
    [["explain", "apps/secrets", "CreateKey", "--as", "a"], /can-i create-key/],
    [["explain", "apps/secrets", "Encrypt"], /--as PRINCIPAL is needed/],
    [["explain", "apps/secrets", "Encrypt", "--as", ROOT], /nobody comes as/],
    [["explain", "apps/secrets"], /OPERATION/],
    [["explian"], /did you mean explain/],
    [[...EXPLAIN, "--encryption-context", "a"], /NAME=VALUE/],
    [[...EXPLAIN, "--condition", "aws:Foo=1"], /no condition key/],
    [[...EXPLAIN, "--grant", "g"], /RetireGrant/],
  ])("claviger access %j => wrong usage", async (args, message) => {
    await expect(run({ allowed: [] }, ...args)).rejects.toThrow(message);
    expect(printed).toBe("");
  });
});

describe("standalone, by the keyring", () => {
  let keyring: AwsKeyring;
  let config: string;
  beforeEach(async () => {
    keyring = new AwsKeyring();
    config = join(keyring.folder, "claviger.yaml");
    const fields = { apiVersion: "config.claviger.dev/v1alpha1", kind: "NodeConfig", nodeName: "node-1" };
    const paths = { stateDir: "./state", seal: { file: { path: "./root.key" } }, manifests: "./keys" };
    writeFileSync(config, JSON.stringify({ ...fields, ...paths, providers: [] }));
    const { keyId: id, namespace, name } = await keyring.add("orders");
    keyring.grant(grantRow(1, { namespace, masterKey: name, keyId: id, operations: ["Encrypt"] }));
    keyring.start();
    await vi.waitFor(() => expect(keyring.grants.complete).toBe(true));
  });
  afterEach(() => keyring.close());

  test.each([
    [APP, [], "Encrypt"],
    [APP, [], "Decrypt"],
    ["alice", [], "Encrypt"],
    ["alice", ["system:masters"], "Decrypt"],
  ] as const)("%s of groups %j, %s => what the API decides", async (principal, groups, action) => {
    const asGroups = groups.flatMap((group) => ["--as-group", group]);
    const asked = ["explain", "apps/orders", action, "--as", principal, ...asGroups];
    await access.run([...asked, "--config", config, "-o", "json"]);
    const caller = callerNamed(principal, groups, { account: SITE.account, isCluster: false });
    const key = keyring.keys.named({ namespace: "apps", name: "orders" });
    const request = { id: "r", caller, input: {}, now: Date.now() };
    const decided = new Access(keyring.grants, standaloneRbac)
      .check(request, [{ action, ...(key && { key }) }], keyring.keys)
      .then(
        () => "allow",
        ({ type }) => (type === "AccessDeniedException" ? "deny" : type),
      );
    expect(JSON.parse(printed).effect).toBe(await decided);
  });

  test("who: grantees, and the group that may do everything", async () => {
    await access.run(["who", "apps/orders", "Encrypt", "--config", config]);
    expect(printed).toMatch(/^arn:aws:iam::000000000000:role\/shop\/app +Encrypt +grant +apps\/grant-1$/m);
    expect(printed).toMatch(/^Group system:masters +Encrypt +rbac/m);
  });

  test("a key that is not there => what to do", async () => {
    await expect(
      access.run(["explain", "apps/none", "Encrypt", "--as", "a", "--config", config]),
    ).rejects.toThrow(/apps\/none.* is not in this node's keyring/);
  });
});
