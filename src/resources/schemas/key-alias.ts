import { conditions, objectName, observedGeneration, uuid } from "./fields.ts";
import * as s from "./schema.ts";

export const keyAliasSpec = s.object("What the alias points to.", {
  masterKey: objectName("The name of a MasterKey of the same namespace."),
});

export const keyAliasStatus = s.object("What the alias is served as.", {
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

export type KeyAliasSpec = s.Infer<typeof keyAliasSpec>;
export type KeyAliasStatus = s.Infer<typeof keyAliasStatus>;
