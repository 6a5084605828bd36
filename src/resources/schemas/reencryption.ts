import * as s from "./schema.ts";

/** In this order, and back from Verifying to Reencrypting while objects are left. */
export const REENCRYPTION_PHASES = ["Switching", "Reencrypting", "Verifying", "Complete"] as const;
/** More resources than this would not fit into an object of etcd's usual 1.5 MB. */
export const MOST_PATTERNS = 4096;
/** The limit of sockets that serve one key, so that a proof can name each of them. */
export const MOST_PROVEN_SOCKETS = 256;
/** The number of strays that a status names. */
export const MOST_STRAYS = 10;

export const kmsKeyId = () =>
  s.string("The key_id that a KMS v2 provider answers for this version. Not secret.", { maxLength: 64 });

const proven = s.object("A socket that serves the key, as it was when Complete was decided.", {
  node: s.string("The node, by its KeyServer's name.", { maxLength: 253 }),
  provider: s.string("The provider of that node.", { maxLength: 63 }),
  episode: s.string(
    "The provider's episode: another one means that its API server may have written otherwise.",
    {
      maxLength: 36,
    },
  ),
  encrypts: s.count(
    "Encrypts within the episode: one more means that its API server was restarted or reloaded.",
  ),
});

const stray = s.object("An object that is stored otherwise than under the current key_id.", {
  resource: s.string("RESOURCE or RESOURCE.GROUP.", { maxLength: 1024 }),
  namespace: s.optional(s.string("Its namespace, if it has one.", { maxLength: 1024 })),
  name: s.string("Its name.", { maxLength: 1024 }),
  under: s.string("How it is stored: plain, or under which provider and key_id.", { maxLength: 1024 }),
});

/** MasterKey.status.reencryption. */
export const reencryptionStatus = s.object("How far stored data has followed the current version.", {
  kmsKeyId: kmsKeyId(),
  phase: s.oneOf(
    "How far it is. Complete holds only while every socket that serves the key is as `proof` names it.",
    REENCRYPTION_PHASES,
  ),
  verified: s.boolean("Whether a census of etcd proves that nothing is left under another key_id."),
  resources: s.array(
    "What the EncryptionConfigurations put on this key.",
    s.string("RESOURCE or RESOURCE.GROUP, with * as a wildcard; ! before one that another key has.", {
      maxLength: 318,
    }),
    { listType: "atomic", maxItems: MOST_PATTERNS },
  ),
  startedAt: s.time("When it began."),
  completedAt: s.optional(s.time("When it was finished; absent while it is not.")),
  proof: s.optional(
    s.array("The sockets of which Complete was decided. Complete holds while they are these.", proven, {
      listType: "atomic",
      maxItems: MOST_PROVEN_SOCKETS,
    }),
  ),
  provenSince: s.optional(
    s.time(
      "Since when each census of these resources found nothing under another key_id; stays while Complete is taken back until a census has counted again.",
    ),
  ),
  lastCensusTime: s.optional(s.time("When a census of these resources last ended.")),
  lastCensusRevision: s.optional(s.count("etcd's revision of which that census is.")),
  remaining: s.optional(s.count("Objects under another key_id, or under none, in the last census.")),
  strays: s.optional(
    s.array("The first objects that a census found stored otherwise.", stray, {
      listType: "atomic",
      maxItems: MOST_STRAYS,
    }),
  ),
  straysFoundTime: s.optional(
    s.time("When a census last found such objects after another one had found none: see `strays`."),
  ),
  round: s.count("The number of rounds over the stored objects, including the running round."),
  settledRound: s.optional(
    s.boolean("Whether this round began when no API server could write under another key_id any more."),
  ),
  nextRoundAt: s.optional(s.time("When what could not be written is tried again.")),
  done: s.optional(s.count("Objects gone through in this round.")),
  total: s.optional(s.count("Objects to go through in this round, as far as is known.")),
  ratePerSecond: s.optional(s.count("Objects a second.")),
  secondsLeft: s.optional(s.count("At this rate.")),
  cursor: s.optional(
    s.object("The position at which this round continues after a crash.", {
      resource: s.string("The resource.", { maxLength: 317 }),
      continue: s.optional(s.string("The API server's own mark in its list.", { maxLength: 4096 })),
    }),
  ),
  failed: s.optional(s.count("Objects that could not be written in this round.")),
  failures: s.optional(
    s.array(
      "The first of them, by name.",
      s.object("An object that could not be written.", {
        object: s.string("RESOURCE NAMESPACE/NAME.", { maxLength: 1024 }),
        reason: s.string("A word for programs.", { maxLength: 256 }),
        message: s.string("What the API server said.", { maxLength: 1024 }),
      }),
      { listType: "atomic", maxItems: 20 },
    ),
  ),
});

export type ReencryptionStatus = s.Infer<typeof reencryptionStatus>;
