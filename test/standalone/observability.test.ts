import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:net";
import { status } from "@grpc/grpc-js";
import { describe, expect, it } from "vitest";
import { freePort } from "../controlplane/ports.ts";
import { eventually } from "../controlplane/wait.ts";
import { documentedMetrics } from "../docs/documented-metrics.ts";
import { Installation, masterKey } from "./installation.ts";
import { encryptSeed, eventuallyRefused, expectOpens, expectRefused } from "./kms.ts";

type Labels = Readonly<Record<string, string>>;
interface Series {
  readonly labels: Labels;
  readonly value: number;
}

/** One scrape of an endpoint, as Prometheus makes it. */
class Scrape {
  readonly #text: string;

  private constructor(text: string) {
    this.#text = text;
  }

  static async of(address: string): Promise<Scrape> {
    const response = await fetch(`http://${address}/metrics`);
    expect(response.status).toBe(200);
    return new Scrape(await response.text());
  }

  /** The names of all metrics, of those too that have no series yet. */
  get names(): string[] {
    return [...this.#text.matchAll(/^# TYPE (\S+) /gm)].map(([, name = ""]) => name).sort();
  }

  series(name: string): Series[] {
    const line = new RegExp(`^${name}(?:\\{(.*)\\})? (\\S+)$`, "gm");
    return [...this.#text.matchAll(line)].map(([, labels = "", value]) => ({
      labels: Object.fromEntries(
        [...labels.matchAll(/(\w+)="([^"]*)"/g)].map(([, label = "", text = ""]) => [label, text]),
      ),
      value: Number(value),
    }));
  }

  /** Returns the sum of the series with these labels, as PromQL's sum() does; 0 if there is none. */
  sum(name: string, wanted: Labels = {}): number {
    return this.series(name)
      .filter(({ labels }) => Object.entries(wanted).every(([label, value]) => labels[label] === value))
      .reduce((total, { value }) => total + value, 0);
  }
}

const SERVING = "claviger_kms_provider_serving";
const CALLS = "claviger_kms_request_duration_seconds_count";

/** Starts an installation whose two processes can be scraped. */
async function observed() {
  const metrics = {
    listen: `127.0.0.1:${await freePort()}`,
    operatorListen: `127.0.0.1:${await freePort()}`,
  };
  return { metrics, installation: await Installation.create((config) => ({ ...config, metrics })) };
}

/** Waits until a scrape of `address` is as expected. */
const shows = (address: string, what: string, holds: (scrape: Scrape) => boolean): Promise<true> =>
  eventually(what, async () => holds(await Scrape.of(address)));

const isReady = (scrape: Scrape) => scrape.sum("claviger_key_servers", { ready: "True" }) === 1;

describe("what the alerts of docs/operations/monitor.md look at", () => {
  it("a provider that serves: 1 under its key_id, calls by their outcome, the versions in memory, and all that docs/metrics.md names", async () => {
    const { metrics, installation: made } = await observed();
    await using installation = made;
    await installation.start("serve");
    const keyId = await installation.serving();
    const client = installation.client();
    const sealed = await encryptSeed(client, randomBytes(32));
    await expectOpens(client, sealed);
    await shows(metrics.listen, "an Encrypt and a Decrypt are counted", (scrape) =>
      ["Encrypt", "Decrypt"].every((operation) => scrape.sum(CALLS, { operation, outcome: "OK" }) >= 1),
    );
    const scrape = await Scrape.of(metrics.listen);
    expect(scrape.series(SERVING)).toEqual([{ labels: { provider: "secrets", key_id: keyId }, value: 1 }]);
    expect(scrape.sum("claviger_keyring_versions")).toBe(1);
    expect(scrape.names).toEqual(documentedMetrics("plugin"));
    expect((await Scrape.of(metrics.operatorListen)).names).toEqual(documentedMetrics("operator"));
    expect(scrape.sum(CALLS, { operation: "Status", outcome: "OK" })).toBeGreaterThanOrEqual(1);
    expect(scrape.sum(CALLS, { operation: "Decrypt" })).toBe(
      scrape.sum(CALLS, { operation: "Decrypt", outcome: "OK" }),
    );
  });

  it("a Decrypt that fails: counted under another outcome than OK", async () => {
    const { metrics, installation: made } = await observed();
    await using installation = made;
    await installation.start("serve");
    await installation.serving();
    const client = installation.client();
    const sealed = await encryptSeed(client, randomBytes(32));
    const altered = Buffer.from(sealed.ciphertext);
    altered[altered.length - 1] = (altered.at(-1) ?? 0) ^ 1;
    const call = client.decrypt({ ...sealed, ciphertext: altered });
    await expectRefused(call, status.INVALID_ARGUMENT, /not valid/);
    await shows(
      metrics.listen,
      "the failure is counted",
      (scrape) =>
        scrape.sum(CALLS, { provider: "secrets", operation: "Decrypt", outcome: "InvalidCiphertext" }) ===
          1 && scrape.sum("claviger_kms_failures_total", { provider: "secrets", operation: "Decrypt" }) === 1,
    );
  });

  it("a provider whose key is disabled: 0 without a key_id, its Status counted as KeyDisabled; enabled, it is 1 again", async () => {
    const { metrics, installation: made } = await observed();
    await using installation = made;
    await installation.start("serve");
    const keyId = await installation.serving();
    await installation.manifest("secrets.yaml", masterKey("secrets", { enabled: false }));
    const client = installation.client();
    await eventuallyRefused(() => client.status(), status.FAILED_PRECONDITION, /is disabled/);
    await shows(
      metrics.listen,
      "the refusal is counted",
      (scrape) => scrape.sum(CALLS, { operation: "Status", outcome: "KeyDisabled" }) >= 1,
    );
    expect((await Scrape.of(metrics.listen)).series(SERVING)).toEqual([
      { labels: { provider: "secrets", key_id: "" }, value: 0 },
    ]);
    await installation.manifest("secrets.yaml", masterKey("secrets"));
    expect(await installation.serving()).toBe(keyId);
    await shows(
      metrics.listen,
      "the key_id is served again",
      (scrape) => scrape.sum(SERVING, { key_id: keyId }) === 1,
    );
  });

  it("a provider whose key was never applied: 0, beside one that serves; the KeyServer is not Ready, and then is", async () => {
    const { metrics, installation: made } = await observed();
    await using installation = made;
    await installation.configure((config) => ({
      ...config,
      providers: [
        ...config.providers,
        { name: "second", socket: "./run/second.sock", key: "claviger-system/second" },
      ],
    }));
    await installation.start("serve");
    await installation.serving();
    await shows(
      metrics.operatorListen,
      "the KeyServer says what is missing",
      (scrape) => scrape.sum("claviger_key_servers", { ready: "False", reason: "ProviderWithoutKey" }) === 1,
    );
    const before = await Scrape.of(metrics.listen);
    expect(before.series(SERVING)).toContainEqual({ labels: { provider: "second", key_id: "" }, value: 0 });
    expect(before.sum(SERVING, { provider: "secrets" })).toBe(1);
    await installation.manifest("second.yaml", masterKey("second"));
    await installation.serving("second");
    await shows(
      metrics.listen,
      "the second provider serves",
      (scrape) => scrape.sum(SERVING, { provider: "second" }) === 1,
    );
    await shows(metrics.operatorListen, "the KeyServer is Ready", isReady);
  });

  it("a plugin that is gone: the operator says so in the KeyServer and its log, and when it is back", async () => {
    const { metrics, installation: made } = await observed();
    await using installation = made;
    const operator = await installation.start("operator");
    const plugin = await installation.start("plugin");
    await shows(metrics.operatorListen, "the KeyServer is Ready", isReady);
    await plugin.process.kill9();
    await shows(
      metrics.operatorListen,
      "the KeyServer says that no plugin answers",
      (scrape) => scrape.sum("claviger_key_servers", { ready: "False", reason: "PluginSilent" }) === 1,
    );
    await operator.line(/WARN .*no plugin answers for provider secrets at .+secrets\.sock \(ECONNREFUSED\)/);
    await installation.start("plugin");
    await shows(metrics.operatorListen, "the KeyServer is Ready again", isReady);
  });

  it("a plugin that hangs: the operator says so, and when it answers again", async () => {
    const { metrics, installation: made } = await observed();
    await using installation = made;
    const operator = await installation.start("operator");
    const plugin = await installation.start("plugin");
    await shows(metrics.operatorListen, "the KeyServer is Ready", isReady);
    process.kill(plugin.process.pid, "SIGSTOP");
    await operator.line(/WARN .*no plugin answers for provider secrets at .+secrets\.sock \(ETIMEDOUT\)/);
    process.kill(plugin.process.pid, "SIGCONT");
    await shows(metrics.operatorListen, "the KeyServer is Ready again", isReady);
  });

  it("an operator: that it leads, its keys by readiness, and passes that failed", async () => {
    const { metrics, installation: made } = await observed();
    await using installation = made;
    await installation.start("serve");
    await installation.serving();
    await shows(
      metrics.operatorListen,
      "the key is Ready",
      (scrape) => scrape.sum("claviger_master_keys", { ready: "True", reason: "VersionCurrent" }) === 1,
    );
    const scrape = await Scrape.of(metrics.operatorListen);
    expect(scrape.sum("claviger_operator_leading")).toBe(1);
    expect(scrape.series("claviger_operator_failures_total")).toHaveLength(1);
  });
});

describe("a metrics address that another process has", () => {
  it("stops no call and is logged once; when it is free, the metrics are there, with all calls since the start", async () => {
    const { metrics, installation: made } = await observed();
    await using installation = made;
    const taker = createServer((socket) => socket.destroy());
    const [host = "", port] = metrics.listen.split(":");
    await once(taker.listen(Number(port), host), "listening");
    await installation.start("operator");
    const plugin = await installation.start("plugin");
    const keyId = await installation.serving();
    await plugin.line(new RegExp(`ERROR plugin: metrics address ${metrics.listen}: .*EADDRINUSE`));
    const client = installation.client();
    const sealed = await encryptSeed(client, randomBytes(32));
    await expectOpens(client, sealed);
    taker.close();
    await once(taker, "close");
    await shows(
      metrics.listen,
      "the metrics are there, with the calls of before",
      (scrape) => scrape.sum(CALLS, { operation: "Decrypt", outcome: "OK" }) === 1,
    );
    expect((await Scrape.of(metrics.listen)).sum(SERVING, { key_id: keyId })).toBe(1);
    expect((await plugin.text()).match(/metrics address/g)).toHaveLength(1);
    expect(plugin.process.alive).toBe(true);
  });
});
