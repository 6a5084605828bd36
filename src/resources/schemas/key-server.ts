import { conditions, objectName, uuid } from "./fields.ts";
import { providerStatus } from "./provider-status.ts";
import * as s from "./schema.ts";

const apiServerStatus = s.object("The report of this node's API server about itself.", {
  id: s.optional(s.string("Its identity, the name of its Lease in kube-system.", { maxLength: 253 })),
  startTime: s.optional(s.time("When its process was started.")),
  encryptionConfig: s.optional(
    s.oneOf(
      "Loaded: it uses the file on the disk. NotLoaded: it uses another file. NotConfigured: it was started without a file. Unknown: it does not report its file.",
      ["Loaded", "NotLoaded", "NotConfigured", "Unknown"],
    ),
  ),
  configHash: s.optional(
    s.string("The hash of the EncryptionConfiguration that it goes by, as its metrics have it.", {
      maxLength: 128,
    }),
  ),
  message: s.optional(
    s.string("Why it does not report its file, or what it says about the file.", { maxLength: 1024 }),
  ),
});

export const keyServerStatus = s.object("What this node has and serves.", {
  nodeUid: s.optional(s.string("The uid of the Node object, if there is one.", { maxLength: 64 })),
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
    s.array("What each KMS v2 socket of this node serves.", providerStatus, {
      listType: "map",
      listMapKeys: ["name"],
      maxItems: 256,
    }),
  ),
  apiServer: s.optional(apiServerStatus),
  serving: s.optional(s.string("Providers and versions in one line, for kubectl get.", { maxLength: 4096 })),
  conditions: s.optional(conditions),
});

export type KeyServerStatus = s.Infer<typeof keyServerStatus>;
