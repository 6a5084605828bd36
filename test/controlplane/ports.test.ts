import { expect, it } from "vitest";
import { freePort } from "./ports.ts";
import { run } from "./run.ts";

it("no port is handed out twice, neither here nor to another process", async () => {
  const script = `
    const { freePort } = await import(${JSON.stringify(import.meta.resolve("./ports.ts"))});
    const ports = await Promise.all(Array.from({ length: 30 }, freePort));
    console.log(JSON.stringify(ports));
  `;
  const here = Array.from({ length: 30 }, freePort);
  const others = [1, 2, 3].map(() => run(process.execPath, ["--input-type=module", "-e", script]));
  const ports = await Promise.all(here);
  for (const { code, stdout, stderr } of await Promise.all(others)) {
    expect({ code, stderr }).toMatchObject({ code: 0 });
    ports.push(...JSON.parse(stdout));
  }
  // The other processes have ended one by one, so only the ports held here must differ from all others.
  expect(new Set(ports.slice(0, 30)).size).toBe(30);
  expect(ports.slice(30).filter((port) => ports.indexOf(port) < 30)).toEqual([]);
});
