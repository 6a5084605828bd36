import { randomUUID } from "node:crypto";
import type { Elements } from "../../audit/record/audit-record.ts";
import type { Caller } from "../caller.ts";

/** A request for a session, as its record shows it: the token of the request is not among it. */
interface AskedSession {
  readonly roleArn: string;
  readonly sessionName: string;
  readonly seconds: number;
}

/** A session that was issued, as its record shows it: neither the secret nor the token of the session. */
interface IssuedSession {
  readonly accessKeyId: string;
  readonly user: string;
  readonly account: string;
  readonly role: { readonly namespace: string; readonly name: string };
  readonly sessionName: string;
  /** Epoch milliseconds. */
  readonly expiresAt: number;
}

/** The facts of a request to STS that its record needs, noted while the request is answered. */
export class StsDraft {
  /** The id of the record. */
  readonly eventId = randomUUID();
  /** Undefined until the signature was verified. */
  caller: Caller | undefined;
  /** The name of the user whose token the API server has verified. */
  user: string | undefined;
  #parameters: Elements | undefined;
  #response: Elements | undefined;

  get parameters(): Elements | undefined {
    return this.#parameters;
  }

  get response(): Elements | undefined {
    return this.#response;
  }

  asked({ roleArn, sessionName, seconds }: AskedSession): void {
    this.#parameters = { roleArn, roleSessionName: sessionName, durationSeconds: seconds };
  }

  /** The access key id leads from the calls of the session to this record. */
  issued({ accessKeyId, user, account, role, sessionName, expiresAt }: IssuedSession): void {
    const { namespace, name } = role;
    this.#response = {
      credentials: { accessKeyId, expiration: new Date(expiresAt).toISOString() },
      subjectFromWebIdentityToken: user,
      assumedRoleUser: {
        assumedRoleId: `${namespace}.${name}:${sessionName}`,
        arn: `arn:aws:sts::${account}:assumed-role/${namespace}/${name}/${sessionName}`,
      },
    };
  }
}
