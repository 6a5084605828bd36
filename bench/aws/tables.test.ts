import { expect, it } from "vitest";
import { Rounds } from "../statistics.ts";
import { callTables } from "./tables.ts";

const rounds = (values: Readonly<Record<string, number>>): Rounds => {
  const all = new Rounds();
  for (const [name, value] of Object.entries(values)) all.add(name, value);
  return all;
};

it("a core answers as many calls as their CPU time allows, and every other figure has its ratio to local-kms", () => {
  const tables = callTables(
    [
      {
        ...{ operation: "Encrypt", connections: 16 },
        rps: rounds({ "local-kms": 2_000, claviger: 1_000 }),
        p50: rounds({ "local-kms": 500, claviger: 600 }),
        p99: rounds({ "local-kms": 500, claviger: 600 }),
        cpu: rounds({ "local-kms": 50, claviger: 100 }),
        clientCpu: rounds({ "local-kms": 20, claviger: 30 }),
      },
    ],
    ["local-kms", "claviger"],
  );
  expect(tables.map(({ header: [title], rows: [row] }) => [title, ...(row ?? [])])).toEqual([
    ["calls/s", "Encrypt, 16 connections", "2,000", "1,000 (0.50×)"],
    ["p50", "Encrypt, 16 connections", "500", "600 (1.20×)"],
    ["p99", "Encrypt, 16 connections", "500", "600 (1.20×)"],
    ["CPU µs a call", "Encrypt, 16 connections", "50.0", "100 (2.00×)"],
    ["calls/s of a core", "Encrypt, 16 connections", "20,000", "10,000", "20.0"],
  ]);
});
