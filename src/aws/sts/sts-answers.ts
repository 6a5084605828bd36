import type { IssuedCredential } from "../sessions/session-credentials.ts";
import type { StsError } from "./sts-error.ts";
import { element, type XmlContent } from "./xml.ts";

const NAMESPACE = ' xmlns="https://sts.amazonaws.com/doc/2011-06-15/"';

/** A session that was issued. */
export interface IssuedSession extends IssuedCredential {
  readonly account: string;
  readonly user: string;
  readonly role: { readonly namespace: string; readonly name: string };
  readonly sessionName: string;
  /** In epoch milliseconds, whole seconds. */
  readonly expiresAt: number;
}

/** Returns the answer to AssumeRoleWithWebIdentity. */
export function assumeRoleAnswer(session: IssuedSession, requestId: string): string {
  const { namespace, name } = session.role;
  const path = `${namespace}/${name}/${session.sessionName}`;
  return answer("AssumeRoleWithWebIdentity", requestId, [
    [
      "Credentials",
      [
        ["AccessKeyId", session.accessKeyId],
        ["SecretAccessKey", session.secretAccessKey],
        ["SessionToken", session.sessionToken],
        ["Expiration", new Date(session.expiresAt).toISOString().replace(".000Z", "Z")],
      ],
    ],
    ["SubjectFromWebIdentityToken", session.user],
    [
      "AssumedRoleUser",
      [
        ["AssumedRoleId", `${namespace}.${name}:${session.sessionName}`],
        ["Arn", `arn:aws:sts::${session.account}:assumed-role/${path}`],
      ],
    ],
  ]);
}

/** Returns the answer to GetCallerIdentity: the ARN that grants and policies know the caller by. */
export const identityAnswer = (
  caller: { readonly arn: string; readonly user: string },
  account: string,
  requestId: string,
): string =>
  answer("GetCallerIdentity", requestId, [
    ["Arn", caller.arn],
    ["UserId", caller.user],
    ["Account", account],
  ]);

/** Returns the answer for an error. */
export const errorAnswer = (error: StsError, requestId: string): string =>
  element(
    "ErrorResponse",
    [
      [
        "Error",
        [
          ["Type", error.status === 500 ? "Receiver" : "Sender"],
          ["Code", error.code],
          ["Message", error.message],
        ],
      ],
      ["RequestId", requestId],
    ],
    NAMESPACE,
  );

const answer = (action: string, requestId: string, result: XmlContent): string =>
  element(
    `${action}Response`,
    [
      [`${action}Result`, result],
      ["ResponseMetadata", [["RequestId", requestId]]],
    ],
    NAMESPACE,
  );
