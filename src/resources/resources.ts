import { KEY_SPECS, KEY_USAGES, ORIGINS } from "../crypto/key-specs.ts";
import {
  deletionSpec,
  deletionStatus,
  destroyedSpec,
  retentionSpec,
  sealedOrDestroyed,
  windowFixed,
} from "./deletion-schema.ts";
import { importSpec, importStatus, materialId } from "./import-schema.ts";
import { expiresIfImported, keyIdNeverChanges, ownershipSpec } from "./ownership-schema.ts";
import { kmsKeyId, MOST_PATTERNS, REENCRYPTION_PHASES, reencryptionStatus } from "./reencryption-schema.ts";
import { madeHereToRotate, rotationSpec } from "./rotation-schema.ts";
import * as s from "./schema.ts";

export { DEFAULT_ROTATION_DAYS } from "./rotation-schema.ts";

export const GROUP = "kms.claviger.dev";
export const VERSION = "v1alpha1";
export const API_VERSION = `${GROUP}/${VERSION}` as const;

const DNS_SUBDOMAIN = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$";
const UUID = "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$";

const objectName = (description: string) => s.string(description, { pattern: DNS_SUBDOMAIN, maxLength: 253 });
const uuid = (description: string) => s.string(description, { pattern: UUID, maxLength: 36 });

/** Rotations that one rotation may have taken the place of, as far as they are named. */
export const MOST_SUPERSEDED = 20;
/** How many finished rotations a status remembers. */
export const MOST_ROTATIONS = 20;
export const TRIGGERS = ["Automatic", "OnDemand", "Imported", "Restored"] as const;

const condition = s.object("One aspect of the object's state.", {
  type: s.string("What the condition is about.", { maxLength: 316 }),
  status: s.oneOf("Whether it holds.", ["True", "False", "Unknown"]),
  reason: s.string("A word for programs.", { maxLength: 1024 }),
  message: s.string("A sentence for people.", { maxLength: 32768 }),
  observedGeneration: s.optional(s.count("The generation of the spec that this was decided on.")),
  lastTransitionTime: s.time("When status last changed."),
});

const conditions = s.array("The latest observations of the object's state.", condition, {
  listType: "map",
  listMapKeys: ["type"],
  maxItems: 32,
});

const observedGeneration = s.count("The generation of the spec that this status was decided on.");

const unchanged = (field: string): s.Rule => ({
  cel: `self.${field} == oldSelf.${field}`,
  message: `${field} is immutable`,
  holds: (self, old) => old === undefined || JSON.stringify(self[field]) === JSON.stringify(old[field]),
});

const trigger = () =>
  s.oneOf(
    "Why: Automatic by its period, OnDemand where somebody asked, Imported with new material, Restored where nodes brought a later version back.",
    TRIGGERS,
  );

const superseded = () =>
  s.optional(
    s.array(
      "The versions, the latest first, whose rotations had not finished when this one began. It ends them too: what is stored under them is written again under its version.",
      s.versionNumber("The number of the version."),
      { listType: "atomic", maxItems: MOST_SUPERSEDED },
    ),
  );

const rotationStatus = s.object("Rotations: the running, the last and the next.", {
  clockStartedAt: s.optional(s.time("What the period is counted from.")),
  nextRotationTime: s.optional(s.time("When the next one is due.")),
  onDemandCount: s.optional(s.count("How many were asked for.")),
  handledToken: s.optional(s.string("The last requestToken that was acted upon.", { maxLength: 128 })),
  running: s.optional(
    s.object("The rotation that is not finished.", {
      trigger: trigger(),
      number: s.versionNumber("The number of its version."),
      startedAt: s.time("When it began."),
      phase: s.oneOf(
        "Distributing: on its way to the nodes. Switching: current; API servers begin to use it. Reencrypting: stored data is written again. Verifying: it is proven that nothing is left under another key_id.",
        ["Distributing", ...REENCRYPTION_PHASES.slice(0, 3)],
      ),
      supersedes: superseded(),
    }),
  ),
  last: s.optional(
    s.object("The last one that was finished.", {
      trigger: trigger(),
      number: s.versionNumber("The number of its version."),
      startedAt: s.time("When it began."),
      completedAt: s.time("When it was finished."),
      verified: s.boolean(
        "Whether a census of etcd proves that nothing is left under another key_id. Follows status.reencryption while its version is current.",
      ),
      supersedes: superseded(),
    }),
  ),
  history: s.optional(
    s.array(
      "The last rotations that were finished, the latest first, as they were then.",
      s.object("A rotation.", {
        number: s.versionNumber("The number of its version."),
        kmsKeyId: kmsKeyId(),
        trigger: trigger(),
        startedAt: s.time("When it began."),
        completedAt: s.time("When it was finished."),
        verified: s.boolean("Whether a census of etcd proved that nothing was left under another key_id."),
        objects: s.optional(s.count("Objects that its last round went through.")),
        failed: s.optional(s.count("Objects that could not be written in that round.")),
        rounds: s.optional(s.count("How many times the stored objects were gone through.")),
        supersedes: superseded(),
        censusTime: s.optional(s.time("When the census ended that proved it.")),
        censusRevision: s.optional(s.count("etcd's revision of which that census is.")),
      }),
      { listType: "atomic", maxItems: MOST_ROTATIONS },
    ),
  ),
});

const masterKeySpec = s.object(
  "What is wanted of the key.",
  {
    description: s.string("What the key is for.", { default: "", maxLength: 8192 }),
    enabled: s.boolean(
      "Whether the key may be used. A disabled key neither encrypts nor decrypts, for the API server too.",
      { default: true },
    ),
    keySpec: s.oneOf("The kind of key material, in AWS KMS's names.", KEY_SPECS, {
      default: "SYMMETRIC_DEFAULT",
    }),
    keyUsage: s.oneOf("What the key may do. Needed for every keySpec but SYMMETRIC_DEFAULT.", KEY_USAGES, {
      default: "ENCRYPT_DECRYPT",
    }),
    origin: s.oneOf(
      "Where the material comes from: AWS_KMS means that claviger makes it, EXTERNAL that it is imported.",
      ORIGINS,
      { default: "AWS_KMS" },
    ),
    import: s.optional(importSpec),
    rotation: s.optional(rotationSpec),
    reencryption: s.optional(
      s.object("How stored data follows a new version.", {
        engine: s.oneOf(
          "Who writes stored objects again. Claviger: its own rewriter. StorageVersionMigration: the controller of Kubernetes, so that claviger needs no rights on the objects. None: somebody else.",
          ["Claviger", "StorageVersionMigration", "None"],
          { default: "Claviger" },
        ),
      }),
    ),
    deletion: s.optional(deletionSpec),
    retention: s.optional(retentionSpec),
    tags: s.map("Tags, as AWS KMS has them.", s.string("The tag's value.", { maxLength: 256 }), {
      maxProperties: 50,
      default: {},
      rules: [
        {
          cel: "self.all(name, size(name) >= 1 && size(name) <= 128 && !name.startsWith('aws:'))",
          message: "a tag's name has 1 to 128 characters and does not begin with aws:",
          holds: (self) =>
            Object.keys(self).every(
              (name) => name.length >= 1 && [...name].length <= 128 && !name.startsWith("aws:"),
            ),
        },
      ],
    }),
  },
  {
    // Written out: the API server runs the rules on this value before it fills in the fields' own defaults.
    default: { keySpec: "SYMMETRIC_DEFAULT", keyUsage: "ENCRYPT_DECRYPT", origin: "AWS_KMS" },
    rules: [
      {
        cel: "self.keySpec.startsWith('HMAC_') == (self.keyUsage == 'GENERATE_VERIFY_MAC')",
        message:
          "keyUsage does not fit keySpec: SYMMETRIC_DEFAULT is for ENCRYPT_DECRYPT, HMAC_* for GENERATE_VERIFY_MAC",
        holds: (self) =>
          String(self.keySpec).startsWith("HMAC_") === (self.keyUsage === "GENERATE_VERIFY_MAC"),
      },
      {
        cel: "!has(self.rotation) || self.keySpec == 'SYMMETRIC_DEFAULT'",
        message: "rotation is for SYMMETRIC_DEFAULT keys only",
        holds: (self) => self.rotation === undefined || self.keySpec === "SYMMETRIC_DEFAULT",
      },
      {
        // import is a reserved word of CEL, which Kubernetes escapes.
        cel: "!has(self.__import__) || self.origin == 'EXTERNAL'",
        message: "import needs origin EXTERNAL",
        holds: (self) => self.import === undefined || self.origin === "EXTERNAL",
      },
      madeHereToRotate,
      unchanged("keySpec"),
      unchanged("keyUsage"),
      unchanged("origin"),
      windowFixed,
    ],
  },
);

const masterKeyStatus = s.object("What is.", {
  observedGeneration: s.optional(observedGeneration),
  keyId: s.optional(uuid("The key's own id. Minted once; survives re-creation and restore.")),
  arn: s.optional(s.string("The key's ARN in the AWS-compatible API.", { maxLength: 256 })),
  keyState: s.optional(
    s.oneOf("AWS KMS's key state, and Destroyed.", [
      "Creating",
      "PendingImport",
      "Enabled",
      "Disabled",
      "PendingDeletion",
      "Destroyed",
    ]),
  ),
  import: s.optional(importStatus),
  deletion: s.optional(deletionStatus),
  currentVersion: s.optional(
    s.object("The version that encrypts.", {
      number: s.versionNumber("Its number."),
      versionId: uuid("Its id."),
      kmsKeyId: kmsKeyId(),
      promotedAt: s.time("When it became current."),
    }),
  ),
  rotation: s.optional(rotationStatus),
  reencryption: s.optional(reencryptionStatus),
  conditions: s.optional(conditions),
});

const keyVersionSpec = s.object(
  "One version's sealed material. Written by claviger; immutable but for validTo, the ownership proof, the seal, and what takes its place.",
  {
    masterKey: s.object("The MasterKey that it belongs to.", {
      namespace: objectName("Its namespace."),
      name: objectName("Its name."),
    }),
    keyId: uuid("The keyId of that MasterKey."),
    number: s.versionNumber("The version's number, from 1."),
    versionId: uuid("The version's id."),
    keySpec: s.oneOf("The kind of material.", KEY_SPECS),
    keyUsage: s.oneOf("What it may do.", KEY_USAGES),
    origin: s.oneOf("Where it came from.", ORIGINS),
    materialId: s.optional(materialId()),
    validTo: s.optional(s.time("Until when imported material may be used.")),
    seal: s.optional(
      s.object("The material, sealed under a root key that only the nodes have.", {
        provider: s.string("The seal that made it.", { maxLength: 63 }),
        rootKeyId: s.string("Which root key opens it. Not secret.", { maxLength: 256 }),
        sealed: s.string("The sealed bytes.", { format: "byte", maxLength: 16384 }),
      }),
    ),
    ownership: s.optional(ownershipSpec),
    destroyed: s.optional(destroyedSpec),
  },
  {
    rules: [
      ...["masterKey", "keyId", "number", "versionId", "keySpec", "keyUsage", "origin"].map(unchanged),
      {
        cel: "has(self.materialId) == has(oldSelf.materialId) && (!has(self.materialId) || self.materialId == oldSelf.materialId)",
        message: "materialId is immutable",
        holds: (self, old) => old === undefined || self.materialId === old.materialId,
      },
      expiresIfImported,
      sealedOrDestroyed,
    ],
  },
);

const keyVersionStatus = s.object("Where the version is in its life.", {
  state: s.optional(
    s.oneOf(
      "Pending: on its way to the nodes. Current: encrypts. Retired: still decrypts. Destroyed: a tombstone.",
      ["Pending", "Current", "Retired", "Destroyed"],
    ),
  ),
  trigger: s.optional(trigger()),
  promotedAt: s.optional(s.time("When it became current.")),
  retiredAt: s.optional(s.time("When a later one became current.")),
  kmsKeyId: s.optional(kmsKeyId()),
  deletion: s.optional(deletionStatus),
  erasedAt: s.optional(
    s.time("When every node had erased it from its keyring; of a destroyed version only."),
  ),
});

const keyAliasSpec = s.object("What the alias points to.", {
  masterKey: objectName("The name of a MasterKey of the same namespace."),
});

const keyAliasStatus = s.object("What the alias is served as.", {
  observedGeneration: s.optional(observedGeneration),
  arn: s.optional(s.string("The alias's ARN in the AWS-compatible API.", { maxLength: 1024 })),
  masterKey: s.optional(objectName("The MasterKey that the nodes serve under this alias.")),
  keyId: s.optional(uuid("Its keyId.")),
  formerTargets: s.optional(
    s.array(
      "Keys that the alias pointed to before, and the version that was current when it left. Coming back needs a later version, as a key_id must never return.",
      s.object("A former target.", {
        keyId: uuid("The key's id."),
        number: s.versionNumber("The version that was current."),
      }),
      { listType: "map", listMapKeys: ["keyId"], maxItems: 4096 },
    ),
  ),
  conditions: s.optional(conditions),
});

const keyServerStatus = s.object("What this node has and serves.", {
  nodeUid: s.optional(s.string("The uid of the Node object, where there is one.", { maxLength: 64 })),
  persistedResourceVersion: s.optional(
    s.string("Every KeyVersion up to this resourceVersion is in the node's keyring.", { maxLength: 64 }),
  ),
  versions: s.optional(s.count("How many versions the keyring holds.")),
  prepared: s.optional(
    s.array(
      "Versions that are not current anywhere yet, stored, opened and tested on this node.",
      s.object("A version.", { name: objectName("The KeyVersion."), versionId: uuid("Its versionId.") }),
      { listType: "map", listMapKeys: ["name"], maxItems: 1000 },
    ),
  ),
  erased: s.optional(
    s.array(
      "Destroyed versions of which nothing is left on this node; until it is known of every node.",
      s.object("A version.", { name: objectName("The KeyVersion."), versionId: uuid("Its versionId.") }),
      { listType: "map", listMapKeys: ["name"], maxItems: 1000 },
    ),
  ),
  seal: s.optional(
    s.object("The seal of this node.", {
      provider: s.string("Its kind.", { maxLength: 63 }),
      rootKeyId: s.string("Its root key. Not secret.", { maxLength: 256 }),
    }),
  ),
  providers: s.optional(
    s.array(
      "What each KMS v2 socket of this node serves.",
      s.object("A provider.", {
        name: s.string("Its name in the configuration.", { maxLength: 63 }),
        socket: s.string("The socket's path.", { maxLength: 107 }),
        serves: s.string("The MasterKey or KeyAlias that it names.", { maxLength: 600 }),
        allowImported: s.optional(
          s.boolean(
            "Whether it may move to material that somebody imported: allowImported in the configuration.",
          ),
        ),
        kmsKeyId: s.optional(kmsKeyId()),
        version: s.optional(s.versionNumber("That version's number.")),
        servingSince: s.optional(
          s.time("When the episode began: since then the plugin has answered no other key_id."),
        ),
        encrypts: s.optional(
          s.count("Encrypts answered under this key_id: an API server's entry sends one when it switches."),
        ),
        lastEncryptTime: s.optional(s.time("The last of them.")),
        episode: s.optional(
          s.string(
            "Names the unbroken time in which its API server asked Status at least every three minutes and was told this key_id and no other. Another one begins with another key_id, after a silence, and with a plugin that cannot tell what was before.",
            { maxLength: 36 },
          ),
        ),
        lastStatusTime: s.optional(
          s.time("When its API server last asked Status; written anew every two minutes at most."),
        ),
        notAskedSince: s.optional(
          s.time(
            "When its API server last asked Status, or the plugin began; there while that is three minutes ago or more.",
          ),
        ),
        namesHash: s.optional(
          s.string(
            "A hash of the names of the providers under which its API server writes those resources: etcd has the name in front of each value, and an API server reads it by that name only.",
            { maxLength: 64 },
          ),
        ),
        reads: s.optional(
          s.array(
            "The resources of which its API server can read what is stored under this provider, first in their entry or not, as the EncryptionConfiguration names them.",
            s.string("RESOURCE or RESOURCE.GROUP, with * as a wildcard; ! before one that it cannot read.", {
              maxLength: 318,
            }),
            { listType: "atomic", maxItems: MOST_PATTERNS },
          ),
        ),
        editNotTakenUp: s.optional(
          s.time(
            "When the EncryptionConfiguration was edited so that other resources are on this socket; there until the API server says that it goes by it, or where it does not say, until an Encrypt shows it.",
          ),
        ),
        settled: s.optional(
          s.boolean(
            "Whether its API server can write under no other key_id any more, and by no other file: four minutes have passed since the episode began and since it was started or took up a file.",
          ),
        ),
        entries: s.optional(
          s.count(
            "How many entries of the node's EncryptionConfiguration name this socket: each sends an Encrypt when it switches.",
          ),
        ),
        resources: s.optional(
          s.array(
            "The resources that those entries write under this provider, as the EncryptionConfiguration names them.",
            s.string(
              "RESOURCE or RESOURCE.GROUP, with * as a wildcard; ! before one that another provider writes.",
              {
                maxLength: 318,
              },
            ),
            { listType: "atomic", maxItems: MOST_PATTERNS },
          ),
        ),
      }),
      { listType: "map", listMapKeys: ["name"], maxItems: 256 },
    ),
  ),
  apiServer: s.optional(
    s.object("What this node's API server says of itself.", {
      id: s.optional(s.string("Its identity, the name of its Lease in kube-system.", { maxLength: 253 })),
      startTime: s.optional(s.time("When its process was started.")),
      encryptionConfig: s.optional(
        s.oneOf(
          "Loaded: it goes by the file as it is on the disk. NotLoaded: by another one. NotConfigured: it was started without one. Unknown: it does not tell.",
          ["Loaded", "NotLoaded", "NotConfigured", "Unknown"],
        ),
      ),
      configHash: s.optional(
        s.string("The hash of the EncryptionConfiguration that it goes by, as its metrics have it.", {
          maxLength: 128,
        }),
      ),
      message: s.optional(
        s.string("Why it does not tell, or what it says of the file.", { maxLength: 1024 }),
      ),
    }),
  ),
  serving: s.optional(s.string("Providers and versions in one line, for kubectl get.", { maxLength: 4096 })),
  conditions: s.optional(conditions),
});

export type Condition = s.Infer<typeof condition>;
export type MasterKeySpec = s.Infer<typeof masterKeySpec>;
export type MasterKeyStatus = s.Infer<typeof masterKeyStatus>;
export type RotationSpec = s.Infer<typeof rotationSpec>;
export type RotationStatus = s.Infer<typeof rotationStatus>;
export type RotationRecord = NonNullable<RotationStatus["history"]>[number];
export type ReencryptionStatus = s.Infer<typeof reencryptionStatus>;
export type Trigger = (typeof TRIGGERS)[number];
export type KeyVersionSpec = s.Infer<typeof keyVersionSpec>;
export type KeyVersionStatus = s.Infer<typeof keyVersionStatus>;
export type KeyAliasSpec = s.Infer<typeof keyAliasSpec>;
export type KeyAliasStatus = s.Infer<typeof keyAliasStatus>;
export type KeyServerStatus = s.Infer<typeof keyServerStatus>;

/** The part of Kubernetes' ObjectMeta that claviger uses. */
export interface ObjectMeta {
  readonly name: string;
  readonly namespace?: string;
  readonly uid: string;
  readonly resourceVersion: string;
  readonly generation: number;
  readonly creationTimestamp: string;
  readonly deletionTimestamp?: string;
  readonly finalizers?: readonly string[];
}

interface Resource<Kind extends string> {
  readonly apiVersion: typeof API_VERSION;
  readonly kind: Kind;
  readonly metadata: ObjectMeta;
}

export interface MasterKey extends Resource<"MasterKey"> {
  readonly spec: MasterKeySpec;
  readonly status?: MasterKeyStatus;
}
export interface KeyVersion extends Resource<"KeyVersion"> {
  readonly spec: KeyVersionSpec;
  readonly status?: KeyVersionStatus;
}
export interface KeyAlias extends Resource<"KeyAlias"> {
  readonly spec: KeyAliasSpec;
  readonly status?: KeyAliasStatus;
}
export interface KeyServer extends Resource<"KeyServer"> {
  readonly status?: KeyServerStatus;
}

/** Each kind's object type. */
export interface ResourceOf {
  readonly MasterKey: MasterKey;
  readonly KeyVersion: KeyVersion;
  readonly KeyAlias: KeyAlias;
  readonly KeyServer: KeyServer;
}
export type Kind = keyof ResourceOf;
export type AnyResource = ResourceOf[Kind];

export interface PrinterColumn {
  readonly name: string;
  readonly type: "string" | "integer" | "date";
  readonly description: string;
  readonly jsonPath: string;
  readonly priority?: number;
}

export interface ResourceDefinition {
  readonly plural: string;
  readonly shortName: string;
  readonly namespaced: boolean;
  readonly description: string;
  readonly spec?: s.Schema<unknown>;
  readonly status: s.Schema<unknown>;
  /** Rules about the whole object. */
  readonly rules?: readonly s.Rule[];
  readonly columns: readonly PrinterColumn[];
}

const column = (
  name: string,
  jsonPath: string,
  description: string,
  options: { readonly type?: PrinterColumn["type"]; readonly priority?: number } = {},
): PrinterColumn => ({ name, type: options.type ?? "string", description, jsonPath, ...options });

const ready = column("Ready", '.status.conditions[?(@.type=="Ready")].status', "Whether it can be used");
const reason = column("Reason", '.status.conditions[?(@.type=="Ready")].reason', "Why, in a word");
const age = column("Age", ".metadata.creationTimestamp", "Time since creation", { type: "date" });

/** The resources by kind, as the CRDs declare them. */
export const resources: Readonly<Record<Kind, ResourceDefinition>> = {
  MasterKey: {
    plural: "masterkeys",
    shortName: "mk",
    namespaced: true,
    description: "A master key, as in AWS KMS: its versions wrap data keys and never leave claviger.",
    spec: masterKeySpec,
    status: masterKeyStatus,
    rules: [keyIdNeverChanges],
    columns: [
      column("State", ".status.keyState", "AWS KMS's key state"),
      column("Version", ".status.currentVersion.number", "The version that encrypts", { type: "integer" }),
      column("Key_ID", ".status.currentVersion.kmsKeyId", "Its KMS v2 key_id"),
      ready,
      reason,
      column("Next_Rotation", ".status.rotation.nextRotationTime", "When it rotates next"),
      column("Data", ".status.reencryption.phase", "How far stored data has followed the current version"),
      column("Spec", ".spec.keySpec", "The kind of key material", { priority: 1 }),
      column("KeyId", ".status.keyId", "The key's own id", { priority: 1 }),
      age,
    ],
  },
  KeyVersion: {
    plural: "keyversions",
    shortName: "kv",
    namespaced: false,
    description: "One version of a MasterKey: its sealed material. Written by claviger only.",
    spec: keyVersionSpec,
    status: keyVersionStatus,
    columns: [
      column("Namespace", ".spec.masterKey.namespace", "The MasterKey's namespace"),
      column("MasterKey", ".spec.masterKey.name", "The MasterKey's name"),
      column("Version", ".spec.number", "The version's number", { type: "integer" }),
      column("State", ".status.state", "Pending, Current, Retired or Destroyed"),
      column("Key_ID", ".status.kmsKeyId", "Its KMS v2 key_id"),
      age,
    ],
  },
  KeyAlias: {
    plural: "keyaliases",
    shortName: "ka",
    namespaced: true,
    description: "A name for a MasterKey, which can be pointed to another one.",
    spec: keyAliasSpec,
    status: keyAliasStatus,
    columns: [
      column("MasterKey", ".spec.masterKey", "The MasterKey that it should point to"),
      column("Serves", ".status.masterKey", "The MasterKey that it points to on the nodes"),
      ready,
      reason,
      age,
    ],
  },
  KeyServer: {
    plural: "keyservers",
    shortName: "ks",
    namespaced: false,
    description: "One node's keyring and KMS v2 sockets, reported by that node.",
    status: keyServerStatus,
    columns: [
      column("Serving", ".status.serving", "Which provider serves which version"),
      column("Versions", ".status.versions", "Versions in the keyring", { type: "integer" }),
      column("RootKey", ".status.seal.rootKeyId", "The node's root key", { priority: 1 }),
      ready,
      reason,
      age,
    ],
  },
};
