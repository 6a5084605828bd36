import { readFileSync } from "node:fs";
import { request as httpRequest, type IncomingMessage } from "node:http";
import { request as httpsRequest } from "node:https";
import { ClavigerError, messageOf } from "../../errors.ts";
import { oneLine } from "../../printable.ts";

const CALL_MILLISECONDS = 20_000;
/** An answer has a few kilobytes. */
const MOST_BYTES = 64 * 1024;

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
  const { status, text } = await post(request).catch((error: unknown) => {
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

async function post({ endpoint, ca, token, roleArn }: SessionRequest) {
  const body = new URLSearchParams({
    ...{ Action: "AssumeRoleWithWebIdentity", Version: "2011-06-15" },
    ...{ RoleArn: roleArn, RoleSessionName: "claviger-credentials", WebIdentityToken: token },
  }).toString();
  const send = endpoint.protocol === "https:" ? httpsRequest : httpRequest;
  const options = {
    method: "POST",
    signal: AbortSignal.timeout(CALL_MILLISECONDS),
    headers: { "content-type": "application/x-www-form-urlencoded" },
    ...(ca !== undefined && ca !== "" && { ca: readFileSync(ca) }),
  };
  return await new Promise<{ readonly status: number; readonly text: string }>((resolve, reject) => {
    const call = send(endpoint, options, (response) => {
      textOf(response).then((text) => resolve({ status: response.statusCode ?? 0, text }), reject);
    });
    call.on("error", reject);
    call.end(body);
  });
}

async function textOf(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of response) {
    length += chunk.length;
    if (length > MOST_BYTES) throw new Error(`its answer has more than ${MOST_BYTES} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}
