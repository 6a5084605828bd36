import { type AuditSite, apiCall } from "../../audit/record/api-call.ts";
import type { AuditRecord } from "../../audit/record/audit-record.ts";
import { serviceIdentity } from "../../audit/record/identities.ts";
import { arnPrefix } from "../../keys/arn.ts";
import type { SocketCall } from "./socket-call.ts";

/** The author of all calls at a socket: a connection to it has no other name. */
const API_SERVER = "kube-apiserver";

/** Returns the record of a call at a socket. `keyMaterialId` names the material of the call's version, if it is known. */
export const callRecord = (
  { provider, operation, uid, at, version, error }: SocketCall,
  site: AuditSite,
  keyMaterialId: string | undefined,
): AuditRecord =>
  apiCall({
    site,
    name: operation,
    at,
    requestId: uid === "" ? undefined : uid,
    identity: serviceIdentity(API_SERVER, site),
    address: API_SERVER,
    userAgent: API_SERVER,
    readOnly: true,
    parameters: { encryptionAlgorithm: "SYMMETRIC_DEFAULT" },
    keys: version === undefined ? [] : [arnPrefix(site, "key") + version.keyId],
    additional: { door: "kms-v2", provider, keyMaterialId },
    error,
  });
