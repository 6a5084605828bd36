import { readFileSync } from "node:fs";
import { ClavigerError, messageOf } from "../../errors.ts";
import { oneLine } from "../../printable.ts";
import { type Answer, post } from "./post.ts";

export interface SessionRequest {
  readonly endpoint: URL;
  /** The path of a CA's certificate. */
  readonly ca: string | undefined;
  readonly token: string;
  readonly roleArn: string;
}

/** A temporary credential, by the names of a credential_process. */
export interface Session {
  readonly AccessKeyId: string;
  readonly SecretAccessKey: string;
  readonly SessionToken: string;
  readonly Expiration: string;
}

/** Exchanges a token for a session. Throws ApiServer with STS's reason. */
export async function askForSession(request: SessionRequest): Promise<Session> {
  const { status, text } = await exchange(request).catch((error: unknown) => {
    throw new ClavigerError(
      "ApiServer",
      `the AWS KMS API at ${request.endpoint.origin} has not answered: ${messageOf(error)}`,
    );
  });
  const field = (name: string): string =>
    new RegExp(`<${name}>([^<]{1,20000})</${name}>`).exec(text)?.[1] ?? "";
  const session = {
    AccessKeyId: field("AccessKeyId"),
    SecretAccessKey: field("SecretAccessKey"),
    SessionToken: field("SessionToken"),
    Expiration: field("Expiration"),
  };
  if (status === 200 && Object.values(session).every((value) => value !== "")) return session;
  const why = field("Code") === "" ? `HTTP ${status}` : `${field("Code")}: ${field("Message")}`;
  throw new ClavigerError(
    "ApiServer",
    `the AWS KMS API at ${request.endpoint.origin} gives no session for ${request.roleArn}: ${oneLine(why)}`,
  );
}

/** Rejects also if the CA's certificate cannot be read. */
async function exchange({ endpoint, ca, token, roleArn }: SessionRequest): Promise<Answer> {
  const body = new URLSearchParams({
    ...{ Action: "AssumeRoleWithWebIdentity", Version: "2011-06-15" },
    ...{ RoleArn: roleArn, RoleSessionName: "claviger-credentials", WebIdentityToken: token },
  }).toString();
  return post(endpoint, body, {
    headers: { "content-type": "application/x-www-form-urlencoded" },
    ...(ca !== undefined && ca !== "" && { ca: readFileSync(ca) }),
  });
}
