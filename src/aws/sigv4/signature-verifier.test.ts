import { readFileSync } from "node:fs";
import { KMSClient, ListKeysCommand } from "@aws-sdk/client-kms";
import { describe, expect, test } from "vitest";
import { Secret } from "../../crypto/secret.ts";
import { EXAMPLE, signedHeaders, type Unsigned } from "../../testing/aws-signer.ts";
import { AwsError } from "../aws-error.ts";
import { type CredentialName, SignatureVerifier, type SignedRequest } from "./signature-verifier.ts";

const NOW = Date.UTC(2026, 10, 30, 12);
const MINUTE = 60_000;
const site = { region: "us-local-1", service: "kms" } as const;
const credential = { secret: Secret.take(Buffer.from(EXAMPLE.secretAccessKey)), user: "alice" };

const find = ({ accessKeyId, sessionToken }: CredentialName) =>
  accessKeyId === EXAMPLE.accessKeyId && sessionToken === undefined ? credential : undefined;

const verifier = new SignatureVerifier(site);

async function signed(unsigned: Partial<Unsigned> = {}): Promise<SignedRequest> {
  const body = unsigned.body ?? "{}";
  return {
    method: unsigned.method ?? "POST",
    query: Object.entries(unsigned.query ?? {})
      .map((pair) => pair.map(encodeURIComponent).join("="))
      .join("&"),
    headers: await signedHeaders({ at: NOW, ...unsigned, body }),
    body: Buffer.from(body),
  };
}

/** Returns the request with the header changed, or without it. */
function withHeader(request: SignedRequest, name: string, value?: string): SignedRequest {
  const at = request.headers.indexOf(name);
  const others = at < 0 ? request.headers : request.headers.toSpliced(at, 2);
  return { ...request, headers: value === undefined ? others : [...others, name, value] };
}

/** Returns the request with an addition to its headers. */
const plus = (request: SignedRequest, name: string, value: string): SignedRequest => ({
  ...request,
  headers: [...request.headers, name, value],
});

const authorizationOf = ({ headers }: SignedRequest): string =>
  headers[headers.indexOf("authorization") + 1] ?? "";

const withAuthorization = (request: SignedRequest, change: (text: string) => string): SignedRequest =>
  withHeader(request, "authorization", change(authorizationOf(request)));

/** Returns the name and the text of the refusal. */
function refusal(request: SignedRequest, now = NOW): string {
  try {
    verifier.verify(request, find, now);
  } catch (error) {
    if (error instanceof AwsError) return `${error.type}: ${error.message}`;
    throw error;
  }
  return "accepted";
}

const MISMATCH =
  "InvalidSignatureException: The request signature we calculated does not match the signature you provided. " +
  "Check your AWS Secret Access Key and signing method. Consult the service documentation for details.";

describe("a request of the AWS SDK", () => {
  test("is accepted, and its credential is returned", async () => {
    expect(verifier.verify(await signed(), find, NOW)).toBe(credential);
  });

  test("is accepted as the whole client sends it", async () => {
    const sent: { method: string; headers: Record<string, string>; body: Uint8Array }[] = [];
    const client = new KMSClient({
      region: site.region,
      endpoint: "http://127.0.0.1:9",
      credentials: EXAMPLE,
      maxAttempts: 1,
      requestHandler: {
        async handle(request: { method: string; headers: Record<string, string>; body: Uint8Array }) {
          sent.push(request);
          throw new Error("not sent");
        },
      },
    });
    await expect(client.send(new ListKeysCommand({ Limit: 3 }))).rejects.toThrow("not sent");
    const [request] = sent;
    if (request === undefined) throw new Error("the client sent nothing");
    const raw = { query: "", headers: Object.entries(request.headers).flat(), method: request.method };
    expect(verifier.verify({ ...raw, body: Uint8Array.from(request.body) }, find, Date.now())).toBe(
      credential,
    );
  });

  test("is accepted with a query, with other methods, with spaces in values and with a body in UTF-8", async () => {
    const query = { Version: "2011-06-15", Action: "Get!'()*", a: "ä b", A: "", "a-": "~" };
    const headers = { "x-amz-target": "TrentService.ListKeys", "content-type": "  a   b  " };
    for (const unsigned of [
      { query, method: "GET", body: "" },
      { headers },
      { body: '{"KeyId":"alias/ключ"}' },
    ]) {
      expect(refusal(await signed(unsigned))).toBe("accepted");
    }
  });

  test("is accepted five minutes early and late, and refused beyond", async () => {
    const request = await signed();
    expect(refusal(request, NOW + 5 * MINUTE)).toBe("accepted");
    expect(refusal(request, NOW - 5 * MINUTE)).toBe("accepted");
    expect(refusal(request, NOW + 5 * MINUTE + 1000)).toBe(
      "InvalidSignatureException: Signature expired: 20261130T120000Z is now earlier than " +
        "20261130T120001Z (20261130T120501Z - 5 min.)",
    );
    expect(refusal(request, NOW - 5 * MINUTE - 1000)).toBe(
      "InvalidSignatureException: Signature not yet current: 20261130T120000Z is still later than " +
        "20261130T115959Z (20261130T115459Z + 5 min.)",
    );
  });
});

describe("requests that other signers recorded", () => {
  interface Recorded {
    readonly name: string;
    readonly service: string;
    readonly region: string;
    readonly at: string;
    readonly sessionToken?: string;
    readonly request: Omit<SignedRequest, "body"> & { readonly body: string };
  }
  const { requests }: { requests: readonly Recorded[] } = JSON.parse(
    readFileSync(new URL("recorded-requests.json", import.meta.url), "utf8"),
  );

  test.each(requests)("$name => accepted", ({ service, region, at, sessionToken, request }) => {
    const own = new SignatureVerifier({ region, service });
    const body = Buffer.from(request.body);
    const asked: CredentialName[] = [];
    const seen = own.verify(
      { ...request, body },
      (name) => {
        asked.push(name);
        return credential;
      },
      Date.parse(at),
    );
    expect(seen).toBe(credential);
    expect(asked[0]?.sessionToken).toBe(sessionToken);
  });
});

describe("a changed request", () => {
  test("any changed byte of the method, the query, a signed header or the body => refused", async () => {
    const request = await signed({ query: { a: "b" }, body: '{"Limit":3}' });
    const names = request.headers.filter((_, at) => at % 2 === 0).filter((name) => name !== "authorization");
    for (const name of names) {
      const value = request.headers[request.headers.indexOf(name) + 1] ?? "";
      for (let at = 0; at < value.length; at++) {
        expect(refusal(withHeader(request, name, changedAt(value, at)))).not.toBe("accepted");
      }
      expect(refusal(withHeader(request, name))).not.toBe("accepted");
    }
    for (let at = 0; at < request.body.length; at++) {
      const body = Buffer.from(request.body);
      body[at] = (body[at] ?? 0) ^ 1;
      expect(refusal({ ...request, body })).not.toBe("accepted");
    }
    expect(refusal({ ...request, method: "PUT" })).toBe(MISMATCH);
    expect(refusal({ ...request, query: "a=c" })).toBe(MISMATCH);
    expect(refusal({ ...request, query: "" })).toBe(MISMATCH);
  });

  test("any changed character of the Authorization header => refused", async () => {
    const request = await signed();
    const text = authorizationOf(request);
    for (let at = 0; at < text.length; at++) {
      // Of the spaces after a comma any number is right.
      if (text[at] === " " && text[at - 1] === ",") continue;
      expect(refusal(withAuthorization(request, () => changedAt(text, at)))).not.toBe("accepted");
    }
  });

  test("an unsigned target, token or hash beside the signed headers => refused", async () => {
    const request = await signed({ headers: {} });
    for (const name of ["x-amz-target", "X-Amz-Security-Token", "x-amz-content-sha256"]) {
      expect(refusal(plus(request, name, "x"))).toBe(
        `InvalidSignatureException: '${name.toLowerCase()}' must be a 'SignedHeader' in the AWS Authorization.`,
      );
    }
  });

  test("a second header of a signed name, in any case => refused", async () => {
    const request = await signed();
    for (const name of ["Host", "X-Amz-Target", "x-amz-date", "Content-Type", "Authorization"]) {
      expect(refusal(plus(request, name, "x"))).toBe(
        `IncompleteSignatureException: The header '${name.toLowerCase()}' must be sent once only.`,
      );
    }
  });

  test("a line end in a header, which would add another to the signed text => refused", async () => {
    const request = await signed();
    const smuggled = withHeader(request, "x-amz-target", "TrentService.ListKeys\nx-amz-more:1");
    expect(refusal(smuggled)).toBe("IncompleteSignatureException: A header of the request is malformed.");
  });

  test("Host that is not signed => refused", async () => {
    const request = await signed();
    expect(refusal(withAuthorization(request, (text) => text.replace(";host", "")))).toBe(
      "InvalidSignatureException: 'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.",
    );
  });
});

test("Content-Type may be unsigned, as curl sends it", async () => {
  const request = await signed({ headers: { "x-amz-target": "TrentService.ListKeys" } });
  expect(refusal(plus(request, "content-type", "application/x-www-form-urlencoded"))).toBe("accepted");
});

describe("a body that is not signed", () => {
  test.each([
    ["UNSIGNED-PAYLOAD", "IncompleteSignatureException: The body of the request must be signed"],
    ["STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "IncompleteSignatureException: The body of the request must be"],
    ["0".repeat(64), "InvalidSignatureException: The provided 'x-amz-content-sha256' header does not match"],
  ])("x-amz-content-sha256: %s => refused", async (claimed, expected) => {
    const request = await signed({ headers: { "x-amz-content-sha256": claimed } });
    expect(refusal(request)).toContain(expected);
  });
});

describe("credentials", () => {
  test("no Authorization header => MissingAuthenticationTokenException", async () => {
    expect(refusal(withHeader(await signed(), "authorization"))).toBe(
      "MissingAuthenticationTokenException: Missing Authentication Token",
    );
  });

  test("an unknown access key id, or a token of no session => UnrecognizedClientException", async () => {
    const expected = "UnrecognizedClientException: The security token included in the request is invalid.";
    const request = await signed();
    const unknown = withAuthorization(request, (text) => text.replace("AKIDEXAMPLE", "AKIDOTHER"));
    expect(refusal(unknown)).toBe(expected);
    expect(refusal(await signed({ sessionToken: "token" }))).toBe(expected);
  });

  test("another secret => InvalidSignatureException, also after the right one was used", async () => {
    expect(refusal(await signed())).toBe("accepted");
    expect(refusal(await signed({ secretAccessKey: "other" }))).toBe(MISMATCH);
  });

  test("a secret that was replaced => the old one is refused, the new one accepted", async () => {
    const own = new SignatureVerifier(site);
    const request = await signed();
    const replaced = { secret: Secret.take(Buffer.from("new")) };
    own.verify(request, find, NOW);
    expect(() => own.verify(request, () => replaced, NOW)).toThrow("does not match");
    expect(own.verify(await signed({ secretAccessKey: "new" }), () => replaced, NOW)).toBe(replaced);
  });

  test("a session that has expired => ExpiredTokenException, if the signature is right", async () => {
    const expired = { ...credential, expiresAt: NOW };
    const request = await signed();
    expect(() => verifier.verify(request, () => expired, NOW)).toThrow(
      "The security token included in the request is expired",
    );
    expect(() => verifier.verify({ ...request, method: "PUT" }, () => expired, NOW)).toThrow(
      "does not match",
    );
  });
});

describe("the credential scope", () => {
  test.each([
    [{ region: "eu-west-1" }, "Credential should be scoped to a valid region: 'us-local-1'."],
    [{ service: "s3" }, "Credential should be scoped to correct service: 'kms'."],
  ])("%o => refused", async (unsigned, message) => {
    expect(refusal(await signed(unsigned))).toBe(`InvalidSignatureException: ${message}`);
  });

  test("a date that is not the request's => refused", async () => {
    const changed = withAuthorization(await signed(), (text) => text.replace("/20261130/", "/20261129/"));
    expect(refusal(changed)).toContain("InvalidSignatureException: Date in Credential scope does not match");
  });
});

describe("the time of a request", () => {
  const own = async (headers: Record<string, string>) => {
    const request = await signed();
    const date = Object.entries(headers).flat();
    return refusal({
      ...withHeader(request, "x-amz-date"),
      headers: [...withHeader(request, "x-amz-date").headers, ...date],
    });
  };

  test.each(["20260231T120000Z", "2026-11-30T12:00:00Z", "20261130T120000", "20261130T126000Z", ""])(
    "x-amz-date: %j => refused",
    async (text) => {
      expect(await own({ "x-amz-date": text })).toContain(
        "IncompleteSignatureException: X-Amz-Date must be in",
      );
    },
  );

  test("neither X-Amz-Date nor Date => refused", async () => {
    expect(await own({})).toContain("requires existence of either a 'X-Amz-Date' or a 'Date' header.");
  });

  test("Date that is not signed does not stand in for X-Amz-Date", async () => {
    expect(await own({ date: new Date(NOW).toUTCString() })).toContain("'date' must be a 'SignedHeader'");
  });
});

describe("a presigned request", () => {
  test.each(["X-Amz-Signature", "x-amz-security-token", "X%2DAmz-Credential"])(
    "%s in the query => refused, with an Authorization header too",
    async (name) => {
      const expected = "IncompleteSignatureException: Presigned requests are not served.";
      const request = { ...(await signed()), query: `${name}=1` };
      expect(refusal(request)).toContain(expected);
      expect(refusal(withHeader(request, "authorization"))).toContain(expected);
    },
  );
});

describe("a malformed Authorization header", () => {
  const scope = "AKIDEXAMPLE/20261130/us-local-1/kms/aws4_request";
  const rest = `SignedHeaders=host;x-amz-date, Signature=${"0".repeat(64)}`;
  test.each([
    [
      "Bearer secret-token",
      "Authorization header requires 'Credential' parameter. Authorization header requires",
    ],
    ["", "Authorization header requires 'Credential' parameter."],
    [`AWS4-ECDSA-P256-SHA256 Credential=${scope}, ${rest}`, "Authorization header requires 'Credential'"],
    [`AWS4-HMAC-SHA256 ${rest}`, "Authorization header requires 'Credential' parameter."],
    [`AWS4-HMAC-SHA256 Credential=${scope}, Credential=${scope}, ${rest}`, "has 'Credential' twice"],
    [`AWS4-HMAC-SHA256 Credential=${scope}, Other=1, ${rest}`, "Authorization header is malformed."],
    [`AWS4-HMAC-SHA256 Credential=${scope}/more, ${rest}`, "Credential must have exactly 5 slash-delimited"],
    [`AWS4-HMAC-SHA256 Credential=AKID/20261130, ${rest}`, "Credential must have exactly 5 slash-delimited"],
    [
      `AWS4-HMAC-SHA256 Credential=${scope}, ${rest.replace("host", "x;host")}`,
      "SignedHeaders must be lower-case",
    ],
    [`AWS4-HMAC-SHA256 Credential=${scope}, ${rest.replace("host", "host;host")}`, "SignedHeaders must be"],
    [
      `AWS4-HMAC-SHA256 Credential=${scope}, ${rest.replace("host", "Host")}`,
      "SignedHeaders must be lower-case",
    ],
    [`AWS4-HMAC-SHA256 Credential=${scope}, ${rest}0`, "Signature must be 64 lower-case hexadecimal digits."],
    ["A".repeat(9000), "Authorization header is too long."],
  ])("%.60j => refused", async (header, expected) => {
    const told = refusal(withAuthorization(await signed(), () => header));
    expect(told).toMatch(/^IncompleteSignatureException: /);
    expect(told).toContain(expected);
    expect(told).not.toContain("secret-token");
  });
});

function changedAt(text: string, at: number): string {
  const changed = text[at] === "0" ? "1" : "0";
  return text.slice(0, at) + changed + text.slice(at + 1);
}
