import { isDeepStrictEqual } from "node:util";
import { GRANT_OPERATIONS, MAX_PRINCIPAL_LENGTH, PRINCIPAL_ARN } from "../../keyring/grant-row.ts";
import { conditions, objectName, observedGeneration, uuid } from "./fields.ts";
import * as s from "./schema.ts";

const MOST_PAIRS = 8;
const MOST_NAME_CHARACTERS = 256;

/** Nodes whose counts a status has, the last that used the grant. */
export const MOST_NODES = 32;
const useCount = (description: string) =>
  s.integer(description, { minimum: 0, maximum: 1_000_000_000_000_000 });

const principal = (description: string) =>
  s.string(description, { pattern: PRINCIPAL_ARN, maxLength: MAX_PRINCIPAL_LENGTH });

const pairs = (description: string) =>
  s.map(description, s.string("The value, compared exactly.", { maxLength: 1024 }), {
    maxProperties: MOST_PAIRS,
    rules: [
      {
        cel: `self.all(name, size(name) <= ${MOST_NAME_CHARACTERS})`,
        message: `a name of an encryption context has at most ${MOST_NAME_CHARACTERS} characters here`,
        holds: (self) => Object.keys(self).every((name) => [...name].length <= MOST_NAME_CHARACTERS),
      },
    ],
  });

const grantConstraints = s.object(
  "A condition on the encryption context of a request; not applied to DescribeKey and RetireGrant.",
  {
    encryptionContextEquals: s.optional(pairs("The request's encryption context is exactly these pairs.")),
    encryptionContextSubset: s.optional(pairs("The request's encryption context has at least these pairs.")),
  },
  {
    rules: [
      {
        cel: "has(self.encryptionContextEquals) != has(self.encryptionContextSubset)",
        message: "constraints have either encryptionContextEquals or encryptionContextSubset",
        holds: (self) =>
          (self.encryptionContextEquals !== undefined) !== (self.encryptionContextSubset !== undefined),
      },
    ],
  },
);

/** A rule that a field, or its absence, never changes. */
const neverChanges = (field: string): s.Rule => ({
  cel: `has(self.${field}) == has(oldSelf.${field}) && (!has(self.${field}) || self.${field} == oldSelf.${field})`,
  message: `${field} is immutable: create another KeyGrant and revoke this one`,
  holds: (self, old) => old === undefined || isDeepStrictEqual(self[field], old[field]),
});

const endsForEver: s.Rule = {
  cel: "!has(oldSelf.ended) || (has(self.ended) && self.ended == oldSelf.ended)",
  message: "ended is immutable once it is set: create another KeyGrant",
  holds: (self, old) => old?.ended === undefined || self.ended === old.ended,
};

const operationsMakeSense: s.Rule = {
  cel: "size(self.operations) > 0 && self.operations != ['CreateGrant']",
  message: "operations has at least one operation, and not CreateGrant alone",
  holds: ({ operations }) =>
    Array.isArray(operations) &&
    operations.length > 0 &&
    (operations.length > 1 || operations[0] !== "CreateGrant"),
};

export const keyGrantSpec = s.object(
  "Who may do what with the key. Nothing of it changes later but `ended`.",
  {
    masterKey: objectName("The name of a MasterKey of the same namespace."),
    granteePrincipal: principal(
      "The ARN of the principal that may use the key: arn:aws:iam::ACCOUNT:role/NAMESPACE/SERVICEACCOUNT or :user/NAME.",
    ),
    retiringPrincipal: s.optional(principal("The ARN of a principal that may retire the grant.")),
    operations: s.array("What the grantee may do.", s.oneOf("An operation of AWS KMS.", GRANT_OPERATIONS), {
      listType: "set",
      maxItems: GRANT_OPERATIONS.length,
    }),
    constraints: s.optional(grantConstraints),
    name: s.optional(
      s.string("AWS KMS's name of the grant, by which CreateGrant finds it again.", {
        pattern: "^[a-zA-Z0-9:/_-]+$",
        maxLength: 256,
      }),
    ),
    expiresAt: s.optional(s.time("When the grant ends by itself. AWS KMS has no such field.")),
    grantedBy: s.optional(
      s.object(
        "The user who creates the object, and whose right to grant is checked; not needed in a folder of manifests.",
        {
          user: s.string("The user's name, as `kubectl auth whoami` prints it.", {
            minLength: 1,
            maxLength: 1024,
          }),
          groups: s.array(
            "Those of the user's groups from which the right comes; of a ServiceAccount none are needed.",
            s.string("A group.", { maxLength: 1024 }),
            { listType: "set", maxItems: 32 },
          ),
        },
      ),
    ),
    parent: s.optional(
      objectName(
        "The name of a KeyGrant of the same namespace that grants CreateGrant to `grantedBy`; this grant allows no more than it does.",
      ),
    ),
    ended: s.optional(
      s.oneOf("Ends the grant for ever: Revoked by whoever may grant, Retired by its own principals.", [
        "Revoked",
        "Retired",
      ]),
    ),
  },
  {
    rules: [
      operationsMakeSense,
      ...[
        "masterKey",
        "granteePrincipal",
        "retiringPrincipal",
        "operations",
        "constraints",
        "name",
        "expiresAt",
        "grantedBy",
        "parent",
      ].map(neverChanges),
      endsForEver,
    ],
  },
);

export const keyGrantStatus = s.object("What became of the grant.", {
  observedGeneration: s.optional(observedGeneration),
  grantId: s.optional(
    s.string("Its id in the AWS-compatible API.", { pattern: "^[0-9a-f]{64}$", maxLength: 64 }),
  ),
  keyId: s.optional(uuid("The keyId of its MasterKey when it was accepted. It is good for no other key.")),
  phase: s.optional(
    s.oneOf("Absent until the grant was accepted.", ["Active", "Retired", "Revoked", "Expired"]),
  ),
  endedAt: s.optional(s.time("When it was retired or revoked, or expired.")),
  uses: s.optional(
    useCount("How many requests it has allowed, by the counts of all nodes; some minutes late."),
  ),
  lastUsed: s.optional(s.time("When it allowed a request last; some minutes late.")),
  usage: s.optional(
    s.array(
      "The counts of the nodes that have used it.",
      s.object("The count of one node.", {
        node: objectName("The node."),
        uses: useCount("How many requests it has allowed there."),
        lastUsed: s.time("When it allowed one there last."),
      }),
      { listType: "map", listMapKeys: ["node"], maxItems: MOST_NODES },
    ),
  ),
  proof: s.optional(
    s.object(
      "Made with the root key by the operator that accepted the grant. Nodes follow a grant only by its proof.",
      {
        provider: s.string("The seal that made it.", { maxLength: 63 }),
        rootKeyId: s.string("Which root key opens it. Not secret.", { maxLength: 256 }),
        sealed: s.string("The sealed bytes.", { format: "byte", maxLength: 16384 }),
      },
    ),
  ),
  conditions: s.optional(conditions),
});

export type KeyGrantSpec = s.Infer<typeof keyGrantSpec>;
export type KeyGrantStatus = s.Infer<typeof keyGrantStatus>;
