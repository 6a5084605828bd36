import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { AwsError } from "../../src/aws/aws-error.ts";
import { deleteImportedKeyMaterial } from "../../src/aws/management/import/delete-imported-key-material.ts";
import { createAlias } from "../../src/aws/management/operations/create-alias.ts";
import { createKey } from "../../src/aws/management/operations/create-key.ts";
import { deleteAlias } from "../../src/aws/management/operations/delete-alias.ts";
import { disableKey } from "../../src/aws/management/operations/disable-key.ts";
import { updateKeyDescription } from "../../src/aws/management/operations/update-key-description.ts";
import { encrypt } from "../../src/aws/operations/encrypt.ts";
import { wrapMaterial } from "../../src/crypto/import-wrapping.ts";
import { messageOf } from "../../src/errors.ts";
import type { GrantRow } from "../../src/keyring/grant-row.ts";
import { KeyringReader } from "../../src/keyring/reader.ts";
import { conditionOf } from "../../src/resources/conditions.ts";
import type { KeyAlias, KeyGrant, KeyServer, KeyVersion, MasterKey } from "../../src/resources/resources.ts";
import { controlPlaneBinaries } from "../controlplane/binaries.ts";
import { eventually, Hopeless } from "../controlplane/wait.ts";

import { AsCallers, serviceAccount, user } from "./as-callers.ts";
import { AuditLog } from "./audit-log.ts";
import { ADMISSION, type Cluster, startCluster } from "./cluster.ts";

import { manifests } from "./manifests.ts";

const binaries = await controlPlaneBinaries();
const TENANT = "tenant";
const SHOP = "shop";
const LIMITS = {
  masterKeysPerNamespace: 45,
  keyVersionsPerNamespace: 16,
  keyAliasesPerNamespace: 4,
  rotationsPerKeyPerHour: 5,
};
/** The user of claviger api. */
const API = "claviger-api";
const AS_NODE = ["--as=claviger-node", "--as-group=claviger:nodes"];

const deployed = (name: string): string => join(import.meta.dirname, "..", "..", "deploy", name);
const object = (kind: string, namespace: string, name: string, spec: object): object => ({
  ...{ apiVersion: "kms.claviger.dev/v1alpha1", kind },
  ...{ metadata: { namespace, name }, spec },
});
const namespace = (name: string): object => ({ apiVersion: "v1", kind: "Namespace", metadata: { name } });
const RBAC = "rbac.authorization.k8s.io";
/** Gives users every verb on some resources of the tenant's namespace. */
const rights = (name: string, resources: readonly string[], users: readonly string[]): readonly object[] => [
  {
    ...{ apiVersion: `${RBAC}/v1`, kind: "Role", metadata: { namespace: TENANT, name } },
    rules: [{ apiGroups: ["kms.claviger.dev"], resources, verbs: ["*"] }],
  },
  {
    ...{ apiVersion: `${RBAC}/v1`, kind: "RoleBinding", metadata: { namespace: TENANT, name } },
    roleRef: { apiGroup: RBAC, kind: "Role", name },
    subjects: users.map((user) => ({ apiGroup: RBAC, kind: "User", name: user })),
  },
];
/** Users who may write KeyGrants and have no right to any key. */
const CLERK = "clerk";
const APP = "app";
/** The rights of an editor of one namespace's keys: specs, and no status. */
const tenantRights: readonly object[] = [
  ...rights("keys", ["masterkeys", "keyaliases"], [TENANT]),
  ...rights("grants", ["keygrants"], [TENANT, CLERK, APP]),
];
/** Gives the ServiceAccount of an application every verb on the keys of its namespace. */
const applicationRights = (where: string, name: string): readonly object[] => [
  {
    ...{ apiVersion: `${RBAC}/v1`, kind: "Role", metadata: { namespace: where, name: "keys" } },
    rules: [{ apiGroups: ["kms.claviger.dev"], resources: ["masterkeys", "keyaliases"], verbs: ["*"] }],
  },
  {
    ...{ apiVersion: `${RBAC}/v1`, kind: "RoleBinding", metadata: { namespace: where, name: "keys" } },
    roleRef: { apiGroup: RBAC, kind: "Role", name: "keys" },
    subjects: [{ kind: "ServiceAccount", namespace: where, name }],
  },
];

describe.skipIf(binaries === undefined)("an editor of one namespace's MasterKeys and KeyAliases", () => {
  let cluster: Cluster;
  let kubeconfig: string;

  beforeAll(async () => {
    cluster = await startCluster({
      serves: { alias: `${TENANT}/main` },
      users: [
        ...[TENANT, CLERK, APP].map((name) => ({
          ...{ name, token: randomBytes(16).toString("hex"), groups: ["staff"] },
        })),
        { name: API, token: randomBytes(16).toString("hex"), groups: ["claviger:api"] },
      ],
      limits: LIMITS,
      flags: (_, dir) => audit.flags(dir),
    });
    kubeconfig = (await cluster.plane.apiServers[0]?.kubeconfig(TENANT)) ?? "";
    await cluster.kubectl(
      ["apply", "-f", "-"],
      manifests(namespace(TENANT), namespace(SHOP), ...tenantRights),
    );
    await apply(
      object("MasterKey", TENANT, "good", {}),
      object("KeyAlias", TENANT, "main", { masterKey: "good" }),
    );
    await cluster.ready();
  });
  afterAll(() => cluster?.stop());
  const audit = new AuditLog();

  /** Runs kubectl as the tenant, who may do no more than its Role allows. */
  async function tenant(args: readonly string[], stdin = ""): Promise<string> {
    const { code, stdout, stderr } = await cluster.plane.kubectl(["-n", TENANT, ...args], {
      stdin,
      kubeconfig,
    });
    if (code !== 0) throw new Error(`kubectl ${args.join(" ")}: ${stderr}`);
    return stdout;
  }
  const apply = (...objects: readonly object[]) => tenant(["apply", "-f", "-"], manifests(...objects));
  const key = async (name: string, where = TENANT): Promise<MasterKey> =>
    JSON.parse(await cluster.kubectl(["get", "mk", "-n", where, name, "-o", "json"]));
  const keys = async (): Promise<readonly MasterKey[]> =>
    JSON.parse(await cluster.kubectl(["get", "mk", "-n", TENANT, "-o", "json"])).items;
  const alias = async (name: string): Promise<KeyAlias> =>
    JSON.parse(await cluster.kubectl(["get", "keyalias", "-n", TENANT, name, "-o", "json"]));
  const versions = async (): Promise<readonly KeyVersion[]> =>
    JSON.parse(await cluster.kubectl(["get", "kv", "-o", "json"])).items.filter(
      ({ spec }: KeyVersion) => spec.masterKey.namespace === TENANT,
    );
  const server = async (): Promise<KeyServer> =>
    JSON.parse(await cluster.kubectl(["get", "keyserver", "node-1", "-o", "json"]));
  const servedKeyId = async () => (await server()).status?.providers?.[0]?.kmsKeyId;
  const isReady = async (name: string, where = TENANT) =>
    conditionOf((await key(name, where)).status?.conditions, "Ready")?.status === "True";
  const ready = (name: string, where = TENANT) =>
    eventually(`MasterKey ${where}/${name} is ready`, () => isReady(name, where));
  const aliasSays = (name: string, reason: string) =>
    eventually(`KeyAlias ${name} says ${reason}`, async () => {
      const condition = conditionOf((await alias(name)).status?.conditions, "Ready");
      return condition?.reason === reason && condition;
    });
  const keySays = (name: string, type: string, reason: string) =>
    eventually(`MasterKey ${name} says ${type} ${reason}`, async () => {
      const condition = conditionOf((await key(name)).status?.conditions, type);
      return condition?.reason === reason && condition;
    });
  /** Waits until another namespace's new key is current. */
  const shopGetsKey = async (name: string): Promise<void> => {
    await cluster.kubectl(["apply", "-f", "-"], manifests(object("MasterKey", SHOP, name, {})));
    await ready(name, SHOP);
  };

  const tenantUser = user(TENANT, TENANT);
  async function connectApi(): Promise<AsCallers> {
    const [node] = cluster.nodes;
    if (node === undefined) throw new Error("no node");
    return new AsCallers((await cluster.plane.apiServers[0]?.kubeconfig(API)) ?? "", node);
  }

  describe("by the AWS KMS API, which acts as its callers and has no rights of its own,", () => {
    const shop = serviceAccount(SHOP, "app");
    let api: AsCallers;

    beforeAll(async () => {
      await cluster.kubectl(["apply", "-f", deployed("api.yaml")]);
      api = await connectApi();
    });
    afterAll(() => api?.[Symbol.dispose]());

    /** Repeats a call until the API server has seen the rights that were just given. */
    const once = <T>(what: string, call: () => Promise<T>): Promise<T> =>
      eventually(what, () =>
        call().catch((error) => {
          if (error instanceof AwsError && error.type === "AccessDeniedException") return undefined;
          throw error;
        }),
      ) as Promise<T>;
    const denied = (message: RegExp) => ({
      ...{ type: "AccessDeniedException", message: expect.stringMatching(message) },
    });

    it("a caller without rights makes no key", async () => {
      await once("claviger api may act as others", async () => {
        await api.run(updateKeyDescription(api.objects), tenantUser, {
          ...{ KeyId: (await key("good")).status?.keyId ?? "", Description: "by the API" },
        });
        return true;
      });
      expect((await key("good")).spec.description).toBe("by the API");
      await expect(api.run(createKey(api.objects), shop, {})).rejects.toMatchObject(
        denied(/User "system:serviceaccount:shop:app" cannot create resource "masterkeys"/),
      );
    });

    it("a caller with rights makes a key that encrypts, and the API server's audit log says who made it", async () => {
      await cluster.kubectl(["apply", "-f", "-"], manifests(...applicationRights(SHOP, "app")));
      const made = await once("the key is made", () =>
        api.run(createKey(api.objects), shop, { Description: "made by the API" }),
      );
      const { KeyId, Arn, KeyState } = made.KeyMetadata;
      expect(KeyState).toBe("Enabled");
      expect(await api.run(encrypt, shop, { KeyId, Plaintext: Buffer.from("x") })).toMatchObject({
        KeyId: Arn,
      });
      const all: readonly MasterKey[] = JSON.parse(
        await cluster.kubectl(["get", "mk", "-n", SHOP, "-o", "json"]),
      ).items;
      const stored = all.find(({ spec }) => spec.description === "made by the API");
      expect(stored?.status?.keyId).toBe(KeyId);
      expect(await audit.of(API)).toContainEqual(
        expect.objectContaining({
          verb: "create",
          impersonatedUser: expect.objectContaining({ username: shop.user }),
          objectRef: expect.objectContaining({ resource: "masterkeys", name: stored?.metadata.name }),
        }),
      );
    });

    it("the API and kubectl see each other's changes, and the caller its own at once", async () => {
      const { KeyMetadata } = await api.run(createKey(api.objects), shop, {});
      const { KeyId } = KeyMetadata;
      await api.run(createAlias(api.objects), shop, { AliasName: "alias/app", TargetKeyId: KeyId });
      const encryptNow = () => api.run(encrypt, shop, { KeyId: "alias/app", Plaintext: Buffer.from("x") });
      expect(await encryptNow()).toMatchObject({ KeyId: KeyMetadata.Arn });
      await api.run(disableKey(api.objects), shop, { KeyId });
      await expect(encryptNow()).rejects.toMatchObject({ type: "DisabledException" });
      const { name } = api.keys.find(KeyId, shop);
      expect((await key(name, SHOP)).spec.enabled).toBe(false);
      const enable = ["patch", "mk", "-n", SHOP, name, "--type=merge", "-p", '{"spec":{"enabled":true}}'];
      await cluster.kubectl(enable);
      await eventually("the API has seen it", () => encryptNow().catch(() => undefined));
      await api.run(deleteAlias(api.objects), shop, { AliasName: "alias/app" });
      await expect(encryptNow()).rejects.toMatchObject({ type: "NotFoundException" });
    });

    it("a caller changes nothing in a namespace in which it has no rights", async () => {
      const KeyId = (await key("good")).status?.keyId ?? "";
      await expect(api.run(disableKey(api.objects), shop, { KeyId })).rejects.toMatchObject(
        denied(/cannot patch resource "masterkeys".* in the namespace "tenant"/),
      );
      expect((await key("good")).spec.enabled).toBe(true);
    });

    it("whoever has its credentials reads no Secret, as itself or as anybody, and changes nothing as itself", async () => {
      const secrets = { method: "GET", path: "/api/v1/namespaces/default/secrets" } as const;
      const refused = expect.objectContaining({ httpStatus: 403 });
      await expect(api.client.request(secrets)).rejects.toEqual(refused);
      for (const impersonate of [
        { user: "admin", groups: ["system:masters"] },
        { user: shop.user, groups: [] },
        { user: "system:node:node-1", groups: [] },
      ])
        await expect(api.client.request({ ...secrets, impersonate })).rejects.toEqual(refused);
      const body = object("MasterKey", SHOP, "own", {});
      const path = "/apis/kms.claviger.dev/v1alpha1/namespaces/shop/masterkeys";
      await expect(api.client.request({ method: "POST", path, body })).rejects.toEqual(refused);
    });
  });

  it("may not write status, nor read KeyVersions", async () => {
    const patch = ["patch", "mk", "good", "--type=merge", "-p", '{"status":{"keyId":null}}'];
    await expect(tenant([...patch, "--subresource=status"])).rejects.toThrow(
      /cannot \w+ resource "masterkeys\/status"/,
    );
    await expect(tenant(["get", "kv"])).rejects.toThrow(/cannot list/);
  });

  describe("imports material that it knows", () => {
    let served: string | undefined;

    beforeAll(async () => {
      served = await eventually("the provider serves the alias", servedKeyId);
      await apply(
        object("MasterKey", TENANT, "known", {
          ...{ origin: "EXTERNAL", import: { wrappingKeySpec: "RSA_3072" } },
        }),
      );
      const published = await eventually("a public key", async () => {
        const found: MasterKey = JSON.parse(await tenant(["get", "mk", "known", "-o", "json"]));
        return found.status?.import?.publicKey === undefined ? undefined : found.status.import;
      });
      const wrapped = wrapMaterial(published.publicKey ?? "", "RSAES_OAEP_SHA_256", Buffer.alloc(32, 7));
      const offer = {
        ...{ wrappedMaterial: wrapped.toString("base64"), wrappingAlgorithm: "RSAES_OAEP_SHA_256" },
        importToken: published.importToken,
      };
      await tenant([
        "patch",
        "mk",
        "known",
        "--type=merge",
        "-p",
        JSON.stringify({ spec: { import: offer } }),
      ]);
      await ready("known");
    });

    it("and moves the alias that a provider serves there => refused, with the remedy", async () => {
      await apply(object("KeyAlias", TENANT, "main", { masterKey: "known" }));
      const { message } = await aliasSays("main", "ImportedNotAllowed");
      expect(message).toMatch(/set allowImported on that provider.*; the nodes still serve good$/);
      expect(await servedKeyId()).toBe(served);
    });

    it("and deletes the alias and makes it again for that key => refused", async () => {
      await tenant(["delete", "keyalias", "main"]);
      await apply(object("KeyAlias", TENANT, "main", { masterKey: "known" }));
      await aliasSays("main", "ImportedNotAllowed");
      expect(await servedKeyId()).toBe(served);
    });

    it("and a node's identity moves the status for it => the node refuses by itself, says so, and is well when it is put right", async () => {
      const moved = { masterKey: "known", keyId: (await key("known")).status?.keyId };
      const patch = (status: object) => [
        ...["patch", "keyalias", "-n", TENANT, "main", "--type=merge", "--subresource=status"],
        ...["-p", JSON.stringify({ status }), ...AS_NODE],
      ];
      await cluster.kubectl(patch(moved));
      await eventually("the node contradicts", async () => {
        const condition = conditionOf((await server()).status?.conditions, "Ready");
        return condition?.reason === "Contradiction" && /whose material is imported/.test(condition.message);
      });
      expect(await servedKeyId()).toBe(served);
      await apply(object("KeyAlias", TENANT, "main", { masterKey: "good" }));
      await aliasSays("main", "Pointing");
      await eventually("the node is well", async () => {
        const { conditions } = (await server()).status ?? {};
        return conditionOf(conditions, "Ready")?.status === "True";
      });
      expect(await servedKeyId()).toBe(served);
      await cluster.kubectl(["create", "secret", "generic", "s", "--from-literal=a=b"]);
    });

    it("and deletes it by the AWS KMS API => the key waits for an import once nothing stored was found under it, and the served key goes on", async () => {
      using api = await connectApi();
      const KeyId = (await key("known")).status?.keyId ?? "";
      const call = () => api.run(encrypt, tenantUser, { KeyId, Plaintext: Buffer.from("x") });
      await call();
      // It waits for as long as the API server may still write under a key that the provider has left.
      const deleted = await eventually(
        "the material is deleted",
        () =>
          api.run(deleteImportedKeyMaterial(api.objects), tenantUser, { KeyId }).catch((error) => {
            if (error instanceof AwsError && error.type === "DependencyTimeoutException") return undefined;
            throw new Hopeless(messageOf(error));
          }),
        { deadline: 600_000 },
      );
      expect(deleted.KeyMaterialId).toMatch(/^[0-9a-f]{64}$/);
      await expect(call()).rejects.toMatchObject({ type: "KMSInvalidStateException" });
      await keySays("known", "Imported", "MaterialDeleted");
      expect((await key("known")).spec.import).toBeUndefined();
      expect(await servedKeyId()).toBe(served);
    }, 700_000);
  });

  describe("grants the use of a key", () => {
    const POLICY = "validatingadmissionpolicy/keygrant-granted.kms.claviger.dev";
    const arn = (user: string) => `arn:aws:iam::000000000000:user/${user}`;
    const TERMS = { masterKey: "good", granteePrincipal: arn(APP), operations: ["Decrypt", "CreateGrant"] };
    /** Runs kubectl as one of the users. Returns what it says on stderr. */
    async function as(user: string, args: readonly string[], stdin = ""): Promise<string> {
      const config = (await cluster.plane.apiServers[0]?.kubeconfig(user)) ?? "";
      const { stderr } = await cluster.plane.kubectl(["-n", TENANT, ...args], { stdin, kubeconfig: config });
      return stderr;
    }
    const by = (user: string, groups: readonly string[] = []) => ({ grantedBy: { user, groups } });
    const create = (user: string, name: string, spec: object) =>
      as(
        user,
        ["create", "-f", "-"],
        JSON.stringify(object("KeyGrant", TENANT, name, { ...TERMS, ...spec })),
      );
    const end = (user: string, name: string, ended: string) =>
      as(user, ["patch", "kg", name, "--type=merge", "-p", JSON.stringify({ spec: { ended } })]);
    const grant = async (name: string): Promise<KeyGrant> =>
      JSON.parse(await cluster.kubectl(["get", "kg", "-n", TENANT, name, "-o", "json"]));
    const says = (name: string, reason: string) =>
      eventually(`KeyGrant ${name} says ${reason}`, async () => {
        const found = await grant(name);
        const condition = conditionOf(found.status?.conditions, "Ready");
        return condition?.reason === reason && { ...found, message: condition.message };
      });
    /** Returns the node's record of a grant. */
    function recorded(name: string): GrantRow | undefined {
      const reader = KeyringReader.open(join(cluster.nodes[0]?.stateDir ?? "", "keyring.db"));
      try {
        return reader.grantsAfter(0, 1000).findLast((row) => row.grant?.name === name)?.grant;
      } finally {
        reader.close();
      }
    }
    const isRecorded = (name: string) => eventually(`the node has ${name}`, async () => recorded(name));
    const hasEnded = (name: string) =>
      eventually(`the node knows that ${name} has ended`, async () => recorded(name)?.ended);

    // A KeyGrant that was created within ten seconds of the admission policy is not accepted.
    beforeAll(async () => {
      await eventually("the admission policy is in force", async () => {
        const args = ["get", POLICY, "-o", "jsonpath={.metadata.creationTimestamp}"];
        return Date.now() - Date.parse(await cluster.kubectl(args)) > 12_000;
      });
    });

    it("to another user => the node follows the grant, and it is Active", async () => {
      expect(await create(TENANT, "first", { ...by(TENANT), expiresAt: "2099-01-01T00:00:00Z" })).toBe("");
      const { status } = await says("first", "Granted");
      expect(status).toMatchObject({ phase: "Active", keyId: (await key("good")).status?.keyId });
      expect(await isRecorded("first")).toMatchObject({
        ...{ grantId: status?.grantId, granteePrincipal: arn(APP), issuingPrincipal: arn(TENANT) },
        ...{ operations: ["Decrypt", "CreateGrant"], expiresAt: Date.parse("2099-01-01T00:00:00Z") },
      });
    });

    it.each([
      [
        "by somebody without the verb grant",
        CLERK,
        by(CLERK),
        /clerk may not grant masterkeys\/good: that takes the verb grant/,
      ],
      [
        "in the name of somebody who may",
        CLERK,
        by(TENANT),
        /spec.grantedBy must name who creates the KeyGrant: user clerk/,
      ],
      ["in nobody's name", TENANT, {}, /spec.grantedBy must name who creates the KeyGrant: user tenant/],
      [
        "with a group that the user is not in",
        TENANT,
        by(TENANT, ["system:masters"]),
        /and no group that this user is not in/,
      ],
      [
        "that has ended already",
        TENANT,
        { ...by(TENANT), ended: "Retired" },
        /is created without spec.ended/,
      ],
      [
        "of an operation that there is not",
        TENANT,
        { ...by(TENANT), operations: ["ScheduleKeyDeletion"] },
        /Unsupported value/,
      ],
      [
        "of CreateGrant alone",
        TENANT,
        { ...by(TENANT), operations: ["CreateGrant"] },
        /not CreateGrant alone/,
      ],
      [
        "to a wildcard",
        TENANT,
        { ...by(TENANT), granteePrincipal: "arn:aws:iam::000000000000:role/*" },
        /granteePrincipal/,
      ],
      [
        "with both constraints",
        TENANT,
        { ...by(TENANT), constraints: { encryptionContextEquals: {}, encryptionContextSubset: {} } },
        /either encryptionContextEquals or/,
      ],
    ])("%s => the API server refuses it", async (_, user, spec, refusal) => {
      expect(await create(user, "refused", spec)).toMatch(refusal);
    });

    it("and changes it afterwards => refused, whatever is changed", async () => {
      const patch = (spec: object) =>
        as(TENANT, ["patch", "kg", "first", "--type=merge", "-p", JSON.stringify({ spec })]);
      for (const [field, value] of Object.entries({
        ...{ masterKey: "other", granteePrincipal: arn(CLERK), operations: ["Decrypt", "Encrypt"] },
        ...{ constraints: { encryptionContextSubset: { a: "b" } }, expiresAt: null, parent: "first" },
        ...{ retiringPrincipal: arn(CLERK), name: "other", grantedBy: { user: CLERK, groups: [] } },
      }))
        expect(await patch({ [field]: value })).toMatch(new RegExp(`${field} is immutable`));
    });

    it("of what the key cannot do => not accepted, and it says what", async () => {
      await create(TENANT, "signs", { ...by(TENANT), operations: ["Decrypt", "Sign"] });
      expect((await says("signs", "OperationNotPossible")).message).toMatch(
        /cannot do Sign: create a KeyGrant without that/,
      );
    });

    it("and a node's identity writes a status that claims acceptance => no node follows it", async () => {
      const proof = (await grant("first")).status?.proof;
      const { status } = await grant("signs");
      const forged = { ...status, phase: "Active", keyId: (await key("good")).status?.keyId, proof };
      const args = ["patch", "kg", "-n", TENANT, "signs", "--type=merge", "--subresource=status"];
      await cluster.kubectl([...args, "-p", JSON.stringify({ status: forged }), ...AS_NODE]);
      await eventually(
        "the leader takes the claim back",
        async () => (await grant("signs")).status?.phase === undefined,
      );
      expect(recorded("signs")).toBeUndefined();
    });

    it("with CreateGrant, and the grantee grants less of it => accepted; more of it => not", async () => {
      const child = { ...by(APP), parent: "first", granteePrincipal: arn(CLERK), operations: ["Decrypt"] };
      const expiresAt = "2098-01-01T00:00:00Z";
      expect(await create(APP, "narrow", { ...child, expiresAt })).toBe("");
      await says("narrow", "Granted");
      await create(APP, "longer", child);
      await create(APP, "wide", { ...child, expiresAt, operations: ["Decrypt", "Encrypt"] });
      await create(CLERK, "anothers", { ...child, ...by(CLERK), expiresAt });
      for (const name of ["longer", "wide", "anothers"]) await says(name, "ParentDoesNotAllow");
      expect(["longer", "wide", "anothers"].map(recorded)).toEqual([undefined, undefined, undefined]);
    });

    it("and it is revoked or retired by those who may => the node knows", async () => {
      const spec = { ...by(TENANT), operations: ["Decrypt", "RetireGrant"], retiringPrincipal: arn(CLERK) };
      for (const name of ["revoked", "retired", "retired-by-grantee"]) await create(TENANT, name, spec);
      for (const name of ["revoked", "retired", "retired-by-grantee"]) await isRecorded(name);
      expect(await end(CLERK, "revoked", "Revoked")).toMatch(/clerk may not revoke/);
      expect(await end(CLERK, "narrow", "Retired")).toMatch(/clerk may not retire/);
      const began = performance.now();
      expect(await end(TENANT, "revoked", "Revoked")).toBe("");
      expect((await hasEnded("revoked")).phase).toBe("Revoked");
      console.log(
        `a revocation reached the node's keyring ${Math.round(performance.now() - began)} ms after kubectl began`,
      );
      expect(await end(CLERK, "retired", "Retired")).toBe("");
      expect(await end(APP, "retired-by-grantee", "Retired")).toBe("");
      expect((await hasEnded("retired")).phase).toBe("Retired");
      expect((await hasEnded("retired-by-grantee")).phase).toBe("Retired");
      await says("retired", "Retired");
      expect(await end(TENANT, "retired", "Revoked")).toMatch(/ended is immutable/);
    });

    it("and deletes the grant => it is revoked, and one of the same name is another grant", async () => {
      const { status } = await grant("narrow");
      await tenant(["delete", "kg", "narrow"]);
      await hasEnded("narrow");
      await create(TENANT, "narrow", by(TENANT));
      const { status: again } = await says("narrow", "Granted");
      expect(again?.grantId).not.toBe(status?.grantId);
    });

    it("until a time => it is Expired then", async () => {
      const expiresAt = new Date(Date.now() + 3_000).toISOString();
      await create(TENANT, "short", { ...by(TENANT), expiresAt });
      expect((await says("short", "Expired")).status?.phase).toBe("Expired");
    });

    it("without the admission policy, in a name that is not the creator's => nothing is granted, then or later", async () => {
      await cluster.kubectl(["delete", POLICY]);
      try {
        await eventually(
          "the API server lets it through",
          async () =>
            (await create(CLERK, "forged", by(TENANT))) === "" ||
            (await create(CLERK, "forged", by(TENANT))).includes("exists"),
        );
        expect((await says("forged", "AdmissionPolicyMissing")).message).toMatch(
          /apply deploy\/rbac.yaml and deploy\/admission.yaml/,
        );
      } finally {
        await cluster.kubectl(["apply", "-f", ADMISSION]);
      }
      await says("forged", "NotGuarded");
      expect(recorded("forged")).toBeUndefined();
      // What was accepted before stays.
      expect((await grant("first")).status?.phase).toBe("Active");
    });
  });

  it("makes dozens of EXTERNAL keys => another namespace's key is not held up by their key pairs", async () => {
    const names = Array.from({ length: 30 }, (_, n) => `external-${n}`);
    await apply(...names.map((name) => object("MasterKey", TENANT, name, { origin: "EXTERNAL" })));
    await shopGetsKey("beside-imports");
    const published = (await keys()).filter(({ status }) => status?.import?.publicKey !== undefined);
    expect(published.length).toBeLessThan(15);
    await tenant(["delete", "mk", "--wait=false", ...names]);
  });

  it("asks for rotations in a loop => five within an hour; the next waits and is not lost", async () => {
    const ask = (token: string) =>
      apply(
        object("MasterKey", TENANT, "rotating", {
          rotation: { onDemandLimit: 100_000, requestToken: token },
        }),
      );
    await ask("first");
    await ready("rotating");
    const count = async () =>
      (await versions()).filter(({ spec }) => spec.masterKey.name === "rotating").length;
    await eventually("the rate is used up", async () => {
      await ask(randomBytes(8).toString("hex"));
      return (
        conditionOf((await key("rotating")).status?.conditions, "RotationOnTime")?.reason === "RateLimited"
      );
    });
    await ask("last");
    const { message } = await keySays("rotating", "RotationOnTime", "RateLimited");
    expect(message).toMatch(/it goes on by itself at \d{4}-/);
    // The first version, five requested ones, and at most one more that was not counted yet.
    expect(await count()).toBeLessThanOrEqual(7);
    expect((await key("rotating")).status?.rotation?.handledToken).not.toBe("last");
  });

  it("makes keys under new names and deletes them => its quota is full, deleted ones counted; what it had goes on, and another namespace too", async () => {
    for (let n = 0; n < 12; n++) await apply(object("MasterKey", TENANT, `again-${n}`, {}));
    const full = await eventually("one of them waits", async () => {
      const waiting = (await keys()).find(
        ({ status }) => conditionOf(status?.conditions, "Ready")?.reason === "QuotaExceeded",
      );
      return waiting && conditionOf(waiting.status?.conditions, "Ready")?.message;
    });
    expect(full).toMatch(/may have \d+, deleted ones included.*raise limits\./);
    await tenant(["delete", "mk", "--wait=false", ...Array.from({ length: 12 }, (_, n) => `again-${n}`)]);
    await apply(object("MasterKey", TENANT, "one-more", {}));
    await keySays("one-more", "Ready", "QuotaExceeded");
    expect((await versions()).length).toBeLessThanOrEqual(LIMITS.keyVersionsPerNamespace + 1);
    await shopGetsKey("beside-quota");
    expect(await isReady("good")).toBe(true);
    await cluster.kubectl(["create", "secret", "generic", "t", "--from-literal=a=b"]);
  });

  it("makes more KeyAliases than it may => those that there is room for point, the rest says why, and the served one stays", async () => {
    const names = Array.from({ length: 8 }, (_, n) => `alias-${n}`);
    await apply(...names.map((name) => object("KeyAlias", TENANT, name, { masterKey: "good" })));
    const reasons = await eventually("each is decided", async () => {
      const said = await Promise.all(names.map(alias));
      const all = said.map(({ status }) => conditionOf(status?.conditions, "Ready")?.reason);
      return all.every((reason) => reason !== undefined) && all;
    });
    expect(reasons.filter((reason) => reason === "Pointing")).toHaveLength(LIMITS.keyAliasesPerNamespace - 1);
    expect(reasons.filter((reason) => reason === "QuotaExceeded")).toHaveLength(5);
    expect(conditionOf((await alias("main")).status?.conditions, "Ready")?.reason).toBe("Pointing");
  });
});
