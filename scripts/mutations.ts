/** A guard of the decisions, and the edits that remove it from the sources. */
export interface Mutation {
  readonly name: string;
  readonly file: string;
  /**
   * Each edit replaces a text that occurs once. It names another file if the guard has a second line there.
   */
  readonly edits: readonly Edit[];
}

export type Edit = readonly [from: string, to: string, file?: string];

const operator = (file: string): string => `src/operator/${file}`;

/** The model finds each of these removals: `npm run mutate`. */
export const MUTATIONS: readonly Mutation[] = [
  {
    name: "promotion: every node has prepared the version",
    file: operator("master-key/decide-step.ts"),
    edits: [["node.stale || !node.prepared.has(candidate.spec.versionId)", "node.stale"]],
  },
  {
    name: "promotion: every node's Lease is fresh",
    file: operator("master-key/decide-step.ts"),
    edits: [
      [
        "node.stale || !node.prepared.has(candidate.spec.versionId)",
        "!node.prepared.has(candidate.spec.versionId)",
      ],
    ],
  },
  {
    name: "a Lease without KeyServer is a node",
    file: operator("nodes/node-views.ts"),
    edits: [["new Set([...byName.keys(), ...heardOf.keys()])", "new Set([...byName.keys()])"]],
  },
  {
    name: "second decision, on fresh KeyServers",
    file: operator("master-key/planner.ts"),
    edits: [['plan.step.kind === "promote" || completes(plan, before)', "plan.step.kind === before.kind"]],
  },
  {
    name: "fast proof: every entry has switched",
    file: operator("reencryption/ground.ts"),
    edits: [
      [
        "(one.kmsKeyId === kmsKeyId && one.entries !== undefined && one.encrypts >= one.entries)",
        "one.kmsKeyId === kmsKeyId",
      ],
    ],
  },
  {
    name: "sure proof: every socket is settled",
    file: operator("reencryption/ground.ts"),
    edits: [
      [
        "socketsWithout(sockets, (one) => isSettled(one, sockets.nodes, kmsKeyId))",
        "socketsWithout(sockets, (one) => one.kmsKeyId === kmsKeyId)",
      ],
    ],
  },
  {
    name: "sure proof: under the current key_id",
    file: operator("reencryption/ground.ts"),
    edits: [
      [
        "socketsWithout(sockets, (one) => isSettled(one, sockets.nodes, kmsKeyId))",
        "socketsWithout(sockets, (one) => isSettled(one, sockets.nodes, one.kmsKeyId))",
      ],
    ],
  },
  {
    name: "silence: an API server that does not ask proves nothing",
    file: operator("reencryption/ground.ts"),
    edits: [
      ["entries !== 0 && notAskedSince !== undefined", "entries === -1 && notAskedSince !== undefined"],
    ],
  },
  {
    name: "nodes that have not reported, and silent ones",
    file: operator("reencryption/ground.ts"),
    edits: [
      [
        "  return [...stale.map(unheard), ...unreported({ nodes })];",
        "  return stale.slice(stale.length).map(unheard);",
      ],
      [
        "silent !== undefined",
        'silent !== undefined && provider === ""',
        operator("reencryption/settled.ts"),
      ],
    ],
  },
  {
    name: "each node by itself stores the same resources",
    file: operator("reencryption/scope-obstacle.ts"),
    edits: [["if (differing.length > 0) return", "if (differing.length > all.length) return"]],
  },
  {
    name: "a proof is of the same episodes and Encrypts",
    file: operator("reencryption/ground.ts"),
    edits: [
      [
        "({ node, provider, episode, encrypts }))",
        "({ node, provider, episode: episode.slice(0, 0), encrypts: encrypts * 0 }))",
      ],
    ],
  },
  {
    name: "Complete is a level",
    file: operator("reencryption/decide-reencryption.ts"),
    edits: [
      [
        'before.phase !== "Complete" || proofHolds(before, sockets)',
        'before.phase !== "Complete" || before.proof !== undefined',
      ],
    ],
  },
  {
    name: "a census began on the ground that it is used on",
    file: operator("reencryption/census.ts"),
    edits: [
      [
        'work.kind === "counted" && sameSnapshot(work.ground, snapshotOf(switches))',
        'work.kind === "counted" && switches !== undefined',
      ],
      ["  ground: snapshotOf(switches),\n", "  ground: snapshotOf(switches.slice(switches.length)),\n"],
    ],
  },
  {
    name: "Complete is said only of a census that found nothing",
    file: operator("reencryption/census.ts"),
    edits: [["if (found.remaining === 0) {", "if (found.remaining >= 0) {"]],
  },
  {
    name: "without etcd: the round began settled",
    file: operator("reencryption/census.ts"),
    edits: [["before.settledRound === true && isSame;", "before.settledRound !== undefined;"]],
  },
  {
    name: "without etcd: the sockets are those with which the round began",
    file: operator("reencryption/census.ts"),
    edits: [["before.settledRound === true && isSame;", "before.settledRound === true;"]],
  },
  {
    name: "without etcd: nothing failed in the round",
    file: operator("reencryption/census.ts"),
    edits: [["settledRound && (before.failed ?? 0) === 0;", "settledRound;"]],
  },
  {
    name: "destruction: nobody uses the key",
    file: operator("retirement/decide-destruction.ts"),
    edits: [["if (uses.length === 0) return undefined;", "if (uses.length >= 0) return undefined;"]],
  },
  {
    name: "destruction: every provider is settled",
    file: operator("retirement/usage-proof.ts"),
    edits: [["!isSettled(one, nodes, one.kmsKeyId)", "one.kmsKeyId === undefined"]],
  },
  {
    name: "destruction: the whole waiting period, by the dates",
    file: operator("retirement/decide-destruction.ts"),
    edits: [
      [
        "timeOf(status.deletion.deletionDate) <= now.getTime();\n\ntype",
        "timeOf(status.deletion.scheduledAt) <= now.getTime();\n\ntype",
      ],
      ["  wanted,\n  windowTooShort,\n  asked,\n  waited,\n", "  windowTooShort,\n  asked,\n"],
    ],
  },
  {
    name: "a count of usage is younger than the ground",
    file: operator("retirement/ground-watch.ts"),
    edits: [
      ["this.#since = now + SETTLE_MILLISECONDS;", "this.#since = this.#since + 0;"],
      ["this.#since = Math.max(this.#since, now);", "this.#since = this.#since + 0;"],
    ],
  },
  {
    name: "retention: settled, re-encrypted, and nothing counted",
    file: operator("retirement/decide-retention.ts"),
    edits: [
      ["  settled,\n  reencrypted,\n", ""],
      ["  nothingStored,\n", ""],
      // The date of the proof tells its time, and the record of the waiting period asks for that too.
      ['reencryption?.completedAt ?? "";', 'reencryption?.completedAt ?? "2026-01-01T00:00:00Z";'],
      [
        "const isProven = provenSince",
        "const isProven = true || provenSince",
        operator("retirement/decide-periods.ts"),
      ],
      ["timeOf(provenSince ?? completedAt);", "0;", operator("retirement/decide-periods.ts")],
    ],
  },
  {
    name: "retention: not the current version",
    file: operator("retirement/decide-retention.ts"),
    edits: [
      [
        "hasMaterial(version) && isLater(current, version.spec)",
        "hasMaterial(version) && current !== version.spec",
      ],
    ],
  },
  {
    name: "erased: said once every node has reported it",
    file: operator("retirement/decide-erased.ts"),
    edits: [
      [
        "nodes.length > 0 && lacking(version, nodes).length === 0",
        "nodes.length > 0 && lacking(version, nodes).length >= 0",
      ],
    ],
  },
  {
    name: "hand-back: what the API server lost comes back from a node",
    file: operator("node/keyring/decide-keyring.ts"),
    edits: [
      ["filter((version) => !there.has(version.versionId)),", "filter((version) => version === undefined),"],
    ],
  },
  {
    name: "an alias never brings a key_id back",
    file: operator("alias/decide-key-alias.ts"),
    edits: [["  keyIdNeverReturns,\n", ""]],
  },
  {
    name: "a token begins one rotation",
    file: operator("rotation/rotation-status.ts"),
    edits: [["running, handledToken: token,", "running,"]],
  },
];
