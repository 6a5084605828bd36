import { kmsKeyId, MOST_PATTERNS } from "./reencryption.ts";
import * as s from "./schema.ts";

/** KeyServer.status.providers[]. */
export const providerStatus = s.object("A provider.", {
  name: s.string("Its name in the configuration.", { maxLength: 63 }),
  socket: s.string("The socket's path.", { maxLength: 107 }),
  serves: s.string("The MasterKey or KeyAlias that it names.", { maxLength: 600 }),
  allowImported: s.optional(
    s.boolean("Whether it may move to material that somebody imported: allowImported in the configuration."),
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
    s.time("When its API server last asked for Status; updated every two minutes at most."),
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
      "The resources whose objects under this provider its API server can read, first in their entry or not, as the EncryptionConfiguration names them.",
      s.string("RESOURCE or RESOURCE.GROUP, with * as a wildcard; ! before one that it cannot read.", {
        maxLength: 318,
      }),
      { listType: "atomic", maxItems: MOST_PATTERNS },
    ),
  ),
  editNotTakenUp: s.optional(
    s.time(
      "When the EncryptionConfiguration was edited so that other resources are on this socket; present until the API server reports that it uses the edit or, if it does not report, until an Encrypt shows it.",
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
});
