import type { IncomingMessage } from "node:http";
import { request as httpsRequest, type RequestOptions } from "node:https";
import { setTimeout as sleep } from "node:timers/promises";
import { ClavigerError } from "../errors.ts";
import { parseJson } from "../json.ts";
import { linesOf, readAll } from "./answer-body.ts";
import { ConnectionSource } from "./connection.ts";
import { brokenOff, errorOf, KubeError } from "./kube-error.ts";
import { retryMilliseconds } from "./refusal.ts";
import type { ApplyRequest, ImpersonatedUser, KubeRequest, WatchCall } from "./request.ts";

/** The timeout of calls other than watches. The server ends a watch after the watch's own time. */
const CALL_TIMEOUT_MILLISECONDS = 30_000;
/**
 * The timeout of the first byte of every answer, a watch's too. The rest of an answer has its own timeout.
 */
const ANSWER_MILLISECONDS = 30_000;
/** If the server has not ended a watch this long after its time, its connection is lost. */
const WATCH_GRACE_MILLISECONDS = 5_000;

/**
 * For a program that makes each call once: 429 with a Retry-After is retried as often as kubectl does
 * (client-go). An API server that was just started answers 429 until it has filled its watch caches. The
 * loops of the operator do not use this: they wait by themselves, with all their calls.
 */
export const LIKE_KUBECTL = { busyRetries: 10 } as const;

/** The limit of a line, for a text that is read line by line. */
const MAX_LINE_LENGTH = 256 * 1024;
/** Shorter than the timeout of a call, so that the error names the credential plugin and not the call. */
const CREDENTIAL_MILLISECONDS = 20_000;

export interface KubeClientOptions {
  readonly callMilliseconds?: number;
  readonly answerMilliseconds?: number;
  readonly credentialMilliseconds?: number;
  readonly graceMilliseconds?: number;
  readonly busyRetries?: number;
  /** The context of the kubeconfig; its current context if left out. */
  readonly context?: string;
}

/**
 * Sends JSON over HTTPS to one API server, with the credentials of a kubeconfig. Reads the kubeconfig and
 * connects at the first call, so that it can be created while the server is down.
 */
export class KubeClient {
  readonly #connection: ConnectionSource;
  readonly #callMilliseconds: number;
  readonly #answerMilliseconds: number;
  readonly #graceMilliseconds: number;
  readonly #busyRetries: number;

  constructor(
    kubeconfigPath: string,
    {
      callMilliseconds = CALL_TIMEOUT_MILLISECONDS,
      answerMilliseconds = ANSWER_MILLISECONDS,
      credentialMilliseconds = CREDENTIAL_MILLISECONDS,
      graceMilliseconds = WATCH_GRACE_MILLISECONDS,
      busyRetries = 0,
      context,
    }: KubeClientOptions = {},
  ) {
    this.#busyRetries = busyRetries;
    this.#graceMilliseconds = graceMilliseconds;
    this.#connection = new ConnectionSource(kubeconfigPath, credentialMilliseconds, context);
    this.#callMilliseconds = callMilliseconds;
    this.#answerMilliseconds = answerMilliseconds;
  }

  /** Makes a call and returns the parsed body. Throws KubeError (NotFound, Conflict or ApiServer). */
  request(call: KubeRequest): Promise<unknown> {
    return this.#inTime(call, (timed) => this.#patientAnswer(timed));
  }

  /** 429 means that nothing was carried out, so every call may be repeated. */
  async #patientAnswer(call: KubeRequest): Promise<unknown> {
    const end = performance.now() + this.#callMilliseconds;
    for (let retries = 0; ; retries += 1) {
      try {
        return await this.#answer(call);
      } catch (error) {
        const pause = busyMilliseconds(error);
        if (pause === undefined || retries === this.#busyRetries || performance.now() + pause >= end)
          throw error;
        // If the caller gives up meanwhile, throw the server's own answer.
        await sleep(pause, undefined, { ...(call.signal && { signal: call.signal }) }).catch(() => {
          throw error;
        });
      }
    }
  }

  /**
   * Reads a text line by line, without storing it. Returns the address of its sender. Throws KubeError, or
   * ApiServer if the text is larger than its limit.
   */
  scan(
    {
      path,
      maxBytes,
      signal,
    }: { readonly path: string; readonly maxBytes: number; readonly signal: AbortSignal },
    onLine: (line: string) => void,
  ): Promise<string | undefined> {
    const call: KubeRequest = { method: "GET", path, accept: "text/plain", signal };
    return this.#inTime(call, async (timed) => {
      const response = await this.#send(timed);
      if (response.statusCode !== 200) throw errorOf(call, response, await readAll(response));
      const address = response.socket.remoteAddress;
      let left = maxBytes;
      const count = (bytes: number) => {
        left -= bytes;
        if (left < 0) response.destroy(new Error(`it has more than ${maxBytes} bytes`));
      };
      try {
        for await (const line of linesOf(response, count, MAX_LINE_LENGTH)) onLine(line);
      } catch (cause) {
        throw brokenOff(call, cause);
      }
      return address;
    });
  }

  async #inTime<T>(call: KubeRequest, answer: (timed: KubeRequest) => Promise<T>): Promise<T> {
    // AbortSignal.timeout would keep the objects of an answered call in memory until its time is over.
    const deadline = new AbortController();
    let expired: Error | undefined;
    const expiry = () => {
      expired = new Error(`no answer in ${this.#callMilliseconds / 1000} s`);
      this.#connection.forget();
      deadline.abort(expired);
    };
    const timer = setTimeout(expiry, this.#callMilliseconds);
    // AbortSignal.any costs each call more than its TLS does.
    const stop = () => deadline.abort(call.signal?.reason);
    call.signal?.addEventListener("abort", stop, { once: true });
    if (call.signal?.aborted) stop();
    try {
      return await answer({ ...call, signal: deadline.signal });
    } catch (error) {
      // The error of the call only says that its connection was lost.
      throw expired === undefined ? error : brokenOff(call, expired);
    } finally {
      clearTimeout(timer);
      call.signal?.removeEventListener("abort", stop);
    }
  }

  /** Closes every connection and ends the calls on them. A later call connects again. */
  close(): void {
    this.#connection.close();
  }

  async #answer(call: KubeRequest): Promise<unknown> {
    const response = await this.#send(call);
    const text = await readAll(response).catch((cause: unknown) => {
      throw brokenOff(call, cause);
    });
    const status = response.statusCode ?? 0;
    if (status < 200 || status > 299) throw errorOf(call, response, text);
    return text === "" ? undefined : parseJson(text, `${call.method} ${call.path}: the answer`, "ApiServer");
  }

  /**
   * Returns the server's clock from its Date header (RFC 9110), in epoch milliseconds, to whole seconds.
   * Throws ApiServer.
   */
  serverTime(signal: AbortSignal): Promise<number> {
    const call: KubeRequest = { method: "GET", path: "/version", signal };
    return this.#inTime(call, async (timed) => {
      const response = await this.#send(timed);
      const text = await readAll(response).catch((cause: unknown) => {
        throw brokenOff(call, cause);
      });
      const time = Date.parse(response.headers.date ?? "");
      if (Number.isNaN(time)) throw errorOf(call, response, text);
      return time;
    });
  }

  /**
   * Makes a server-side apply (KEP-555). If `object` has a resourceVersion, the apply fails if it is stale.
   */
  apply({ path, object, fieldManager, signal }: ApplyRequest): Promise<unknown> {
    return this.request({
      method: "PATCH",
      path,
      query: { fieldManager, force: "true" },
      contentType: "application/apply-patch+yaml",
      body: object,
      ...(signal && { signal }),
    });
  }

  /**
   * Yields a watch's events, one by one, until the server ends it. Throws KubeError, or the error that broke
   * the connection.
   */
  async *watch({ path, query, seconds, signal }: WatchCall): AsyncGenerator<unknown> {
    const asked = { ...query, watch: "true", timeoutSeconds: String(seconds) };
    const call: KubeRequest = { method: "GET", path, query: asked, signal };
    const response = await this.#send(call);
    if (response.statusCode !== 200) throw errorOf(call, response, await readAll(response));
    // The socket's own timeout is no help: the connection outlives this watch, and would keep a listener for
    // each watch.
    const overdue = setTimeout(
      () =>
        response.destroy(new Error(`the watch was not ended after its ${seconds} s: its connection is dead`)),
      seconds * 1000 + this.#graceMilliseconds,
    );
    try {
      for await (const line of linesOf(response))
        yield parseJson(line, `watch of ${path}: an event`, "ApiServer");
    } finally {
      clearTimeout(overdue);
      response.destroy();
    }
  }

  async #send(call: KubeRequest): Promise<IncomingMessage> {
    const { options, url } = await this.#connect(call);
    const body = call.body === undefined ? undefined : JSON.stringify(call.body);
    return new Promise((resolve, reject) => {
      const request = httpsRequest(url, {
        ...options,
        method: call.method,
        headers: {
          ...options.headers,
          accept: call.accept ?? "application/json",
          ...impersonationHeaders(call.impersonate),
          ...(body !== undefined && {
            "content-type": call.contentType ?? "application/json",
            "content-length": Buffer.byteLength(body),
          }),
        },
        ...(call.signal && { signal: call.signal }),
      });
      const overdue = setTimeout(() => {
        this.#connection.forget();
        request.destroy(new Error(`no answer within ${this.#answerMilliseconds / 1000} s`));
      }, this.#answerMilliseconds);
      request.once("response", () => clearTimeout(overdue));
      request.once("close", () => clearTimeout(overdue));
      request.once("response", resolve);
      request.once("error", (cause) => reject(brokenOff(call, cause)));
      request.end(body);
    });
  }

  async #connect({
    path,
    query,
    signal,
  }: KubeRequest): Promise<{ readonly options: RequestOptions; readonly url: URL }> {
    const { server, options } = await this.#connection.get(signal);
    const url = new URL(server.href.replace(/\/$/, "") + path);
    for (const [name, value] of Object.entries(query ?? {})) url.searchParams.set(name, value);
    return { options, url };
  }
}

/** The headers of Kubernetes' user impersonation. Without groups, those that every ServiceAccount has are added. */
function impersonationHeaders(as: ImpersonatedUser | undefined): Record<string, string | string[]> {
  if (as === undefined) return {};
  // An empty name would make the call as the client's own user.
  if (as.user === "") throw new ClavigerError("Internal", "a call as another user lacks the user's name");
  return {
    "impersonate-user": as.user,
    ...(as.groups.length > 0 && { "impersonate-group": [...as.groups] }),
  };
}

/** Returns after how many milliseconds an API server that answered 429 wants to be called again; undefined if it did not say. */
function busyMilliseconds(error: unknown): number | undefined {
  const isBusy = error instanceof KubeError && error.httpStatus === 429;
  return isBusy ? retryMilliseconds(error.refusal) : undefined;
}
