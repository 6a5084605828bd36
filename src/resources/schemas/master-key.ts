import {
  DEFAULT_KEY_SPEC,
  DEFAULT_KEY_USAGE,
  KEY_SPECS,
  KEY_USAGES,
  ORIGINS,
} from "../../crypto/key-specs.ts";
import { deletionSpec, deletionStatus, retentionSpec, windowFixed } from "./deletion.ts";
import { conditions, observedGeneration, unchanged, uuid } from "./fields.ts";
import { importSpec, importStatus } from "./import.ts";
import { rotatesIfItMay, usageFitsKeySpec } from "./key-spec-rules.ts";
import { kmsKeyId, reencryptionStatus } from "./reencryption.ts";
import { madeHereToRotate, rotationSpec } from "./rotation.ts";
import { rotationStatus } from "./rotation-status.ts";
import * as s from "./schema.ts";

export const masterKeySpec = s.object(
  "The wanted properties of the key.",
  {
    description: s.string("What the key is for.", { default: "", maxLength: 8192 }),
    enabled: s.boolean(
      "Whether the key may be used. A disabled key neither encrypts nor decrypts, for the API server too.",
      { default: true },
    ),
    keySpec: s.oneOf("The kind of key material, in AWS KMS's names.", KEY_SPECS, {
      default: DEFAULT_KEY_SPEC,
    }),
    keyUsage: s.oneOf(`What the key may do. Needed for every keySpec but ${DEFAULT_KEY_SPEC}.`, KEY_USAGES, {
      default: DEFAULT_KEY_USAGE,
    }),
    origin: s.oneOf(
      "The origin of the material: AWS_KMS means that claviger generates it, EXTERNAL that it is imported.",
      ORIGINS,
      { default: "AWS_KMS" },
    ),
    import: s.optional(importSpec),
    rotation: s.optional(rotationSpec),
    reencryption: s.optional(
      s.object("How stored objects are re-encrypted under a new version.", {
        engine: s.oneOf(
          "Who writes stored objects again. Claviger: its own rewriter. StorageVersionMigration: the controller of Kubernetes, so that claviger needs no rights on the objects. None: somebody else.",
          ["Claviger", "StorageVersionMigration", "None"],
          { default: "Claviger" },
        ),
      }),
    ),
    deletion: s.optional(deletionSpec),
    retention: s.optional(retentionSpec),
    policy: s.optional(
      s.document(
        "The key policy, in IAM's own shape (Version, Id, Statement). Without it the key has AWS KMS's default policy, which leaves every decision to RBAC. Only the AWS KMS API goes by it.",
        { maxProperties: 3 },
      ),
    ),
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
    // Written out, because the API server runs the rules on this value before it fills in the fields' own
    // defaults.
    default: { keySpec: DEFAULT_KEY_SPEC, keyUsage: DEFAULT_KEY_USAGE, origin: "AWS_KMS" },
    rules: [
      usageFitsKeySpec,
      rotatesIfItMay,
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

export const masterKeyStatus = s.object("What is.", {
  observedGeneration: s.optional(observedGeneration),
  keyId: s.optional(uuid("The key's own id. Created once; survives re-creation and restore.")),
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

export type MasterKeySpec = s.Infer<typeof masterKeySpec>;
export type MasterKeyStatus = s.Infer<typeof masterKeyStatus>;
