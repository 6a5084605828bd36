import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from "vitest";
import { ClavigerError } from "../errors.ts";
import { KubeError } from "../kube/kube-error.ts";
import { objectPath } from "../kube/paths.ts";
import type { MasterKey } from "../resources/resources.ts";
import type { ReencryptionStatus } from "../resources/schemas/reencryption.ts";
import type { RotationStatus } from "../resources/schemas/rotation-status.ts";
import { FakeApiServer, failure, json } from "../testing/fake-api-server.ts";
import { EARLIER, masterKey, NOW_TEXT } from "../testing/objects.ts";
import { rotate } from "./rotate.ts";
import { followRotation } from "./rotation/follower.ts";
import type { Pace } from "./terminal/patience.ts";

const TOKEN = "cli-1";
const BEFORE = "cli-0";
const VERSION = { number: 1, versionId: "v", kmsKeyId: "k", promotedAt: EARLIER };
const LAST = { trigger: "OnDemand", startedAt: EARLIER, completedAt: NOW_TEXT, verified: true } as const;
const RUNNING = { trigger: "OnDemand", number: 2, startedAt: NOW_TEXT, phase: "Distributing" } as const;
const rotating: RotationStatus = { handledToken: TOKEN, running: RUNNING };

interface Changes {
  readonly spec?: Partial<MasterKey["spec"]>;
  readonly status?: Partial<NonNullable<MasterKey["status"]>>;
  readonly uid?: string;
  readonly token?: string | undefined;
}

/** The key with the request in its spec, unless another request or `undefined` is given. */
function key({ spec, status, uid = "uid", ...rest }: Changes = {}): MasterKey {
  const token = "token" in rest ? rest.token : TOKEN;
  return masterKey({
    metadata: { uid, generation: 2 },
    spec: { rotation: { onDemandLimit: 25, ...(token !== undefined && { requestToken: token }) }, ...spec },
    status: { currentVersion: VERSION, ...status },
  });
}

type Step = MasterKey | Error;

/** A pace at which an hour passes at once. */
function pace(): Pace {
  let now = 0;
  return {
    now: () => now,
    pause: async (milliseconds, signal) => {
      signal?.throwIfAborted();
      now += milliseconds;
    },
  };
}

/** Follows a request while each read returns the next of these keys. The last of them is repeated. */
async function follow(...given: readonly (Step | AbortSignal)[]) {
  const steps = given.filter((step): step is Step => !(step instanceof AbortSignal));
  const signal = given.find((step) => step instanceof AbortSignal) ?? new AbortController().signal;
  const shown: string[] = [];
  const patches: object[] = [];
  let reads = 0;
  const target = {
    read: async () => {
      const step = steps[Math.min(reads, steps.length - 1)];
      reads += 1;
      if (step === undefined || step instanceof Error) throw step;
      return step;
    },
    patch: async (spec: object) => {
      patches.push(spec);
    },
  };
  const line = {
    show: ({ text }: { readonly text: string }) => shown.push(text),
    end: (text: string) => shown.push(text),
    clear: () => undefined,
  };
  const error: unknown = await followRotation({
    name: "apps/secrets",
    target,
    request: { token: TOKEN, uid: "uid" },
    tokenBefore: BEFORE,
    line,
    pace: pace(),
    signal,
  }).then(
    () => undefined,
    (thrown) => thrown,
  );
  const message = error instanceof ClavigerError ? error.message : error;
  return { message, shown, patches };
}

const TAKEN_BACK = [{ rotation: { requestToken: BEFORE } }];
const done = key({ status: { rotation: { handledToken: TOKEN, last: { ...LAST, number: 2 } } } });

describe("claviger rotate --wait", () => {
  test("a rotation that runs to its end => says so", async () => {
    const { message, shown, patches } = await follow(key(), key({ status: { rotation: rotating } }), done);
    expect(message).toBeUndefined();
    expect(shown.at(-1)).toMatch(/^apps\/secrets: version 2 is current, and a census/);
    expect(patches).toEqual([]);
  });

  const finding = (type: string, message: string, observedGeneration = 2) => ({
    ...{ type, status: "False" as const, reason: "R", message, observedGeneration },
    lastTransitionTime: NOW_TEXT,
  });
  const switching = { ...RUNNING, phase: "Switching" } as const;
  const CURRENT_2 = { ...VERSION, number: 2, kmsKeyId: "k2" };
  const FOLLOWED: ReencryptionStatus = {
    ...{ kmsKeyId: "k", phase: "Switching", verified: false, resources: ["secrets"] },
    ...{ startedAt: EARLIER, round: 1 },
  };
  test.each<[string, Changes["status"], string]>([
    [
      "is about the version before => it is not shown",
      { currentVersion: CURRENT_2, reencryption: FOLLOWED },
      "version 2 of apps/secrets is Switching",
    ],
    [
      "is about the phase before => it is not shown",
      {
        currentVersion: CURRENT_2,
        reencryption: { ...FOLLOWED, kmsKeyId: "k2", phase: "Verifying" as const },
      },
      "version 2 of apps/secrets is Switching",
    ],
    [
      "is about this phase => it is shown",
      { currentVersion: CURRENT_2, reencryption: { ...FOLLOWED, kmsKeyId: "k2" } },
      "version 2 of apps/secrets is Switching: 3 objects are left",
    ],
  ])("the condition Reencrypted %s", async (_, status, expected) => {
    const conditions = [finding("Reencrypted", "3 objects are left")];
    const running = { handledToken: TOKEN, running: switching };
    const { shown } = await follow(key({ status: { ...status, rotation: running, conditions } }), done);
    expect(shown[0]).toBe(expected);
  });

  test.each([
    ["before the request => it is not shown", 1, "apps/secrets: waiting for the leading operator"],
    ["since => it is shown", 2, "apps/secrets: waiting for the leading operator: waiting for node-2"],
  ])("the condition Distributed was written %s", async (_, generation, expected) => {
    const conditions = [finding("Distributed", "waiting for node-2", generation)];
    const { shown } = await follow(key({ status: { conditions } }), done);
    expect(shown[0]).toBe(expected);
  });

  test("a later rotation takes the place of the one that is followed => says so", async () => {
    const later = { ...RUNNING, number: 3, supersedes: [2] };
    const { shown } = await follow(
      key({ status: { rotation: rotating } }),
      key({ token: "other", status: { rotation: { handledToken: "other", running: later } } }),
      key({ token: "other", status: { rotation: { handledToken: "other", last: { ...LAST, number: 3 } } } }),
    );
    expect(shown[1]).toBe("version 3 of apps/secrets, in place of version 2, is Distributing");
    expect(shown.at(-1)).toMatch(/^apps\/secrets: version 3 is current/);
  });

  test("another request follows once this one has begun => this one is followed to its end", async () => {
    const { message } = await follow(key({ status: { rotation: rotating } }), {
      ...done,
      spec: key({ token: "other" }).spec,
    });
    expect(message).toBeUndefined();
  });

  test.each<[string, Step, RegExp, readonly object[]]>([
    ["was replaced by another", key({ token: "other" }), /is not rotated: another request took/, []],
    ["was taken out", key({ token: undefined }), /is not rotated: somebody took the request out/, []],
    [
      "meets a key that was disabled meanwhile",
      key({ spec: { enabled: false, rotation: { requestToken: TOKEN, onDemandLimit: 25 } } }),
      /is not rotated: it is disabled; set spec\.enabled to true first; the request was taken back$/,
      TAKEN_BACK,
    ],
    [
      "meets a key that is pending deletion",
      key({
        spec: { deletion: { pendingWindowInDays: 7 }, rotation: { requestToken: TOKEN, onDemandLimit: 25 } },
        status: { deletion: { scheduledAt: EARLIER, deletionDate: NOW_TEXT } },
      }),
      /is not rotated: it is pending deletion, due at .+; take spec\.deletion out first; the request was taken back$/,
      TAKEN_BACK,
    ],
    [
      "is one too many",
      key({ status: { rotation: { onDemandCount: 25 } } }),
      /is not rotated: 25 of 25 rotations were asked for; .+; the request was taken back$/,
      TAKEN_BACK,
    ],
    [
      "is refused by the leader for a reason of its own",
      key({
        status: {
          conditions: [
            {
              type: "RotationOnTime",
              status: "False",
              reason: "OfAnotherRelease",
              message: "the moon is full",
              observedGeneration: 2,
              lastTransitionTime: NOW_TEXT,
            },
          ],
        },
      }),
      /is not rotated: the moon is full; the request was taken back$/,
      TAKEN_BACK,
    ],
    [
      "is seen by no leader",
      key(),
      /is not rotated: no operator acted upon the request in 5 minutes; .+; the request was taken back$/,
      TAKEN_BACK,
    ],
    [
      "was counted as done when the MasterKey got its keyId",
      key({ status: { rotation: { handledToken: TOKEN } } }),
      /is not rotated: the request came before the MasterKey had its keyId/,
      [],
    ],
    ["meets another key of its name", key({ uid: "other" }), /was deleted and created again meanwhile/, []],
    [
      "meets no key any more",
      new KubeError(404, "GET …: not found"),
      /is not rotated any more: the MasterKey was deleted meanwhile/,
      [],
    ],
  ])("a request that %s => ends and says why", async (_, step, expected, patches) => {
    const followed = await follow(key(), step);
    expect(followed.message).toMatch(expected);
    expect(followed.patches).toEqual(patches);
  });

  test("a key that is disabled while its version is on its way => ends, and says what is there", async () => {
    const disabled = key({ spec: { enabled: false }, status: { rotation: rotating } });
    const { message, patches } = await follow(key({ status: { rotation: rotating } }), disabled);
    expect(message).toBe(
      "apps/secrets is not rotated to the end: version 2 was begun, and now it is disabled; set spec.enabled to true first",
    );
    expect(patches).toEqual([]);
  });

  test("a finding about the spec before the request => is no refusal", async () => {
    const old = {
      type: "RotationOnTime",
      status: "False",
      reason: "OnDemandLimitReached",
      message: "25 of 25",
      observedGeneration: 1,
      lastTransitionTime: EARLIER,
    } as const;
    expect((await follow(key({ status: { conditions: [old] } }), done)).message).toBeUndefined();
  });

  test("an API server that does not answer for a while => says so and goes on", async () => {
    const broken = new ClavigerError("ApiServer", "GET /apis: connect ECONNREFUSED");
    const starting = new KubeError(403, "GET /apis: forbidden");
    const { message, shown } = await follow(key(), broken, broken, starting, done);
    expect(message).toBeUndefined();
    expect(shown).toContain(
      "MasterKey apps/secrets cannot be read and is tried again: GET /apis: connect ECONNREFUSED",
    );
  });

  test("Ctrl-C => says that the rotation goes on, and takes nothing back", async () => {
    const stop = new AbortController();
    stop.abort();
    const { message, patches } = await follow(key(), stop.signal);
    expect(message).toMatch(/^the requested rotation continues without this command; see kubectl/);
    expect(patches).toEqual([]);
  });

  test("an API server that stays away => ends after two minutes, and says that the rotation goes on", async () => {
    const { message, patches } = await follow(key(), new ClavigerError("ApiServer", "ECONNREFUSED"));
    expect(message).toBe(
      "MasterKey apps/secrets could not be read for 120 s: ECONNREFUSED; the rotation continues without this command; see kubectl get masterkey -w -n apps secrets",
    );
    expect(patches).toEqual([]);
  });
});

describe("claviger rotate", () => {
  let server: FakeApiServer;
  beforeAll(async () => {
    server = await FakeApiServer.start();
  });
  afterAll(() => server.stop());

  const rotation = { onDemandLimit: 25 };
  test.each<[string, MasterKey, RegExp]>([
    ["whose material is imported", key({ spec: { origin: "EXTERNAL" } }), /use claviger import --new/],
    ["of one version", key({ spec: { keySpec: "HMAC_256" } }), /a HMAC_256 key has one version only/],
    ["that is disabled", key({ spec: { enabled: false, rotation } }), /it is disabled/],
    [
      "that is pending deletion",
      key({
        spec: { deletion: { pendingWindowInDays: 7 } },
        status: { deletion: { scheduledAt: EARLIER, deletionDate: NOW_TEXT } },
      }),
      /it is pending deletion, due at/,
    ],
    ["that was destroyed", key({ status: { keyState: "Destroyed" } }), /its material was destroyed/],
    ["without a version", masterKey({ spec: { rotation } }), /it has no version yet; wait until/],
    [
      "whose limit is reached",
      key({ status: { rotation: { onDemandCount: 25 } } }),
      /25 of 25 rotations were asked for; raise/,
    ],
  ])("a key %s => is refused before anything is written", async (_, object, expected) => {
    const methods: (string | undefined)[] = [];
    server.script(
      [
        (call) => {
          methods.push(call.response.req.method);
          json(object)(call);
        },
      ],
      [],
    );
    server.path = objectPath("MasterKey", { namespace: "apps", name: "secrets" });
    const asked = rotate.run(["apps/secrets", "--wait", "--kubeconfig", server.kubeconfig]);
    await expect(asked).rejects.toThrow(expected);
    expect(methods).toEqual(["GET"]);
  });

  test("a key that is being rotated => says what becomes of that rotation", async () => {
    const said: string[] = [];
    const write = vi.spyOn(process.stdout, "write").mockImplementation((text) => said.push(String(text)) > 0);
    onTestFinished(() => write.mockRestore());
    const running = { ...RUNNING, phase: "Reencrypting" as const };
    server.script([json(key({ status: { rotation: { running } } })), json(key())], []);
    server.path = objectPath("MasterKey", { namespace: "apps", name: "secrets" });
    await rotate.run(["apps/secrets", "--kubeconfig", server.kubeconfig]);
    expect(said.join("")).toContain(
      "The rotation to version 2, which is Reencrypting, does not finish by itself: the new one takes its place, and writes again under its own version what is stored under version 2 and earlier ones. No version is lost",
    );
  });

  test("a node's kubeconfig => the policy's refusal is explained, with what to use", async () => {
    const refusal =
      "masterkeys.kms.claviger.dev \"secrets\" is forbidden: ValidatingAdmissionPolicy 'nodes-leave-spec.kms.claviger.dev' with binding 'nodes-leave-spec.kms.claviger.dev' denied request: a node of claviger does not change the spec of a MasterKey";
    server.script([json(key()), failure(403, refusal)], []);
    server.path = objectPath("MasterKey", { namespace: "apps", name: "secrets" });
    await expect(rotate.run(["apps/secrets", "--kubeconfig", server.kubeconfig])).rejects.toThrow(
      `MasterKey apps/secrets was not changed: kubeconfig ${server.kubeconfig} is that of a node of claviger, and nodes do not change the spec of a key; use your own kubeconfig: --kubeconfig FILE`,
    );
  });

  test.each([
    [
      "no such MasterKey",
      JSON.stringify({ reason: "NotFound", message: 'masterkeys.kms.claviger.dev "secrets" not found' }),
      (path: string) =>
        `there is no MasterKey apps/secrets by kubeconfig ${path}; kubectl get masterkeys -A shows those that there are`,
    ],
    [
      "no MasterKeys at all",
      "404 page not found\n",
      (path: string) =>
        `the API server of kubeconfig ${path} has no MasterKeys: apply the custom resource definitions of claviger's folder crds, or use another kubeconfig`,
    ],
  ])("%s => says so, and names the kubeconfig", async (_, body, expected) => {
    server.script([({ response }) => void response.writeHead(404).end(body)], []);
    server.path = objectPath("MasterKey", { namespace: "apps", name: "secrets" });
    await expect(rotate.run(["apps/secrets", "--kubeconfig", server.kubeconfig])).rejects.toMatchObject({
      code: "NotFound",
      message: expected(server.kubeconfig),
    });
  });
});
