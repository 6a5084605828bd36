import { afterEach, expect, it, vi } from "vitest";
import { deadline } from "../../testing/keyring.ts";
import { CallRecorder } from "./call-recorder.ts";
import { SocketAudit } from "./socket-audit.ts";
import type { SocketCall } from "./socket-call.ts";

const SITE = { account: "000000000000", region: "us-local-1" };
const NOW = Date.parse("2026-12-01T00:00:00Z");
const call: SocketCall = { provider: "secrets", operation: "Decrypt", uid: "u", at: NOW, version: undefined };
const keyring = { material: () => Promise.reject(new Error("not asked for")) };

afterEach(() => vi.restoreAllMocks());

/** A trail whose lines wait until they are settled. */
function heldTrail() {
  const lines: string[] = [];
  const held: { readonly written: () => void; readonly failed: (error: Error) => void }[] = [];
  const append = (line: string) => {
    lines.push(line);
    return new Promise<void>((written, failed) => held.push({ written, failed }));
  };
  return { lines, held, trail: { append, problem: undefined, close: () => Promise.resolve() } };
}

function audited() {
  const trail = heldTrail();
  const logged: string[] = [];
  const audit = new SocketAudit(
    (_, message) => logged.push(message),
    () => NOW,
  );
  return { ...trail, logged, audit, recorder: new CallRecorder(trail.trail, SITE, keyring) };
}

it("calls before the log is open => recorded once it is", async () => {
  const { audit, recorder, lines } = audited();
  audit.record(call);
  audit.openWith(Promise.resolve(recorder));
  audit.record(call);
  await vi.waitFor(() => expect(lines).toHaveLength(2), deadline);
});

it("a disk that does not answer => 2,000 records wait, the others are lost, counted and noted in the log later", async () => {
  const { audit, recorder, lines, held, logged } = audited();
  audit.openWith(Promise.resolve(recorder));
  for (let n = 0; n < 2_010; n++) audit.record(call);
  expect(audit.lost("secrets")).toBe(10);
  await vi.waitFor(() => expect(held).toHaveLength(2_000), deadline);
  for (const { written } of held.splice(0)) written();
  const noted = audit.noteGap();
  await vi.waitFor(() => expect(held).toHaveLength(1), deadline);
  expect(JSON.parse(lines.at(-1) ?? "")).toMatchObject({
    eventName: "AuditRecordsMissing",
    serviceEventDetails: { backlog: 10, failed: 0 },
  });
  held[0]?.written();
  await noted;
  await audit.noteGap();
  expect(lines).toHaveLength(2_001);
  expect(logged.length).toBeGreaterThan(0);
});

it("a gap that could not be noted => noted with the next attempt", async () => {
  const { audit, recorder, lines, held } = audited();
  audit.openWith(Promise.resolve(recorder));
  audit.record(call);
  await vi.waitFor(() => expect(held).toHaveLength(1), deadline);
  held[0]?.failed(new Error("the disk is full"));
  await vi.waitFor(() => expect(audit.lost("secrets")).toBe(1), deadline);
  for (const outcome of ["failed", "written"] as const) {
    const noted = audit.noteGap();
    await vi.waitFor(() => expect(held).toHaveLength(outcome === "failed" ? 2 : 3), deadline);
    held.at(-1)?.[outcome](new Error("the disk is full"));
    await noted;
  }
  expect(JSON.parse(lines.at(-1) ?? "").serviceEventDetails).toEqual({ backlog: 0, failed: 1 });
  expect(audit.lost("secrets")).toBe(1);
});

it("a plugin that ends before it has opened its log => closes at once", async () => {
  vi.useFakeTimers();
  await audited().audit.close();
  vi.useRealTimers();
});

it("a log whose code cannot be loaded => calls are lost and counted, and nothing is thrown", async () => {
  const { audit } = audited();
  audit.openWith(Promise.reject(new Error("no such file")));
  audit.record(call);
  await vi.waitFor(() => expect(audit.lost("secrets")).toBe(1), deadline);
  await audit.close();
});
