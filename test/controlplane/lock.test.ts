import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { withLock } from "./lock.ts";
import { spawnTracked } from "./reaper.ts";

let file: string;

beforeAll(async () => {
  file = join(await mkdtemp(join(tmpdir(), "clv-")), "lock");
});

afterAll(() => rm(join(file, ".."), { recursive: true }));

it("actions under one lock do not overlap", async () => {
  const events: string[] = [];
  const action = (name: string) => async () => {
    events.push(`${name} in`);
    await new Promise((resolve) => setTimeout(resolve, 50));
    events.push(`${name} out`);
  };
  await Promise.all(["a", "b", "c"].map((name) => withLock(file, action(name))));
  expect(events).toHaveLength(6);
  for (let i = 0; i < 6; i += 2) expect(events[i]?.at(0)).toBe(events[i + 1]?.at(0));
});

it("a lock is free again after an action that throws", async () => {
  const failing = withLock(file, () => Promise.reject(new Error("broken build")));
  await expect(failing).rejects.toThrow("broken build");
  expect(await withLock(file, async () => "mine")).toBe("mine");
});

it("a lock is held against other processes, and free once its holder is killed", async () => {
  const script = `
    const { withLock } = await import(${JSON.stringify(import.meta.resolve("./lock.ts"))});
    await withLock(process.argv[1], () => new Promise((r) => { console.log("held"); setTimeout(r, 1e8); }));
  `;
  const holder = spawnTracked(process.execPath, ["--input-type=module", "-e", script, file], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  if (!holder.stdout) throw new Error("no pipe");
  await once(holder.stdout, "data");
  let waited = false;
  const mine = withLock(
    file,
    async () => "mine",
    () => {
      waited = true;
      holder.kill("SIGKILL");
    },
  );
  expect(await mine).toBe("mine");
  expect(waited).toBe(true);
});
