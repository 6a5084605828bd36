import { expect, test, vi } from "vitest";
import { generateWrappingKeyPair, type WrappingKeySpec } from "../crypto/import-wrapping.ts";
import { nameText, parseNameText } from "../names.ts";
import { KeyPairs } from "./key-pairs.ts";

/** Only ends a test that hangs. */
const deadline = { timeout: 60_000, interval: 5 };
const FAST = { burst: 1_000, intervalMilliseconds: 1 };

/** Pairs whose generation ends when the test says so, and a record of their fate. */
function pairs(rate = FAST) {
  const started: (() => void)[] = [];
  const ready: string[] = [];
  let running = 0;
  let most = 0;
  const keyPairs = new KeyPairs({
    what: "wrapping key pair",
    onReady: (masterKey) => ready.push(nameText(masterKey)),
    log: () => undefined,
    rate,
    generate: async (spec: WrappingKeySpec) => {
      most = Math.max(most, ++running);
      await new Promise<void>((resolve) => started.push(resolve));
      running -= 1;
      return generateWrappingKeyPair(spec);
    },
  });
  const next = async (): Promise<void> => {
    const before = ready.length;
    await vi.waitFor(() => expect(started.length).toBeGreaterThan(0), deadline);
    started.shift()?.();
    await vi.waitFor(() => expect(ready.length).toBe(before + 1), deadline);
  };
  return { keyPairs, ready, started, next, most: () => most };
}

test("many of one namespace ask first => one is generated at a time, and another namespace's comes second", async () => {
  const { keyPairs, ready, next, most } = pairs();
  for (let i = 0; i < 100; i++)
    expect(keyPairs.take(parseNameText(`tenant/${i}`), "RSA_3072")).toBeUndefined();
  expect(keyPairs.take(parseNameText("shop/main"), "RSA_3072")).toBeUndefined();
  await next();
  await next();
  await next();

  expect(ready.indexOf("shop/main")).toBeLessThanOrEqual(2);
  expect(most()).toBe(1);
  expect(keyPairs.take(parseNameText("shop/main"), "RSA_3072")?.publicKey).toMatch(
    /^-----BEGIN PUBLIC KEY-----/,
  );
  expect(keyPairs.take(parseNameText("tenant/0"), "RSA_3072")).toBeDefined();
  keyPairs.close();
});

test("a pair is taken => once: it is never published for two imports", async () => {
  const { keyPairs, next } = pairs();
  keyPairs.take(parseNameText("shop/main"), "RSA_3072");
  keyPairs.take(parseNameText("shop/main"), "RSA_3072");
  await next();
  const first = keyPairs.take(parseNameText("shop/main"), "RSA_3072");
  expect(first).toBeDefined();
  expect(keyPairs.take(parseNameText("shop/main"), "RSA_3072")).toBeUndefined();
  await next();
  expect(keyPairs.take(parseNameText("shop/main"), "RSA_3072")?.publicKey).not.toBe(first?.publicKey);
  keyPairs.close();
});

test("a namespace asks for more than its rate => the rest waits, is not lost, and does not hold up another namespace", async () => {
  const { keyPairs, ready, next } = pairs({ burst: 2, intervalMilliseconds: 20 });
  for (let i = 0; i < 4; i++) keyPairs.take(parseNameText(`tenant/${i}`), "RSA_3072");
  keyPairs.take(parseNameText("shop/main"), "RSA_3072");
  for (let i = 0; i < 5; i++) await next();
  expect(ready.indexOf("shop/main")).toBeLessThanOrEqual(2);
  expect(new Set(ready)).toEqual(new Set(["shop/main", "tenant/0", "tenant/1", "tenant/2", "tenant/3"]));
  keyPairs.close();
});

test("what was asked for is no longer wanted at a stop => nothing waits, and the pair in hand is wiped", async () => {
  const { keyPairs, next, started } = pairs();
  keyPairs.take(parseNameText("shop/main"), "RSA_3072");
  keyPairs.take(parseNameText("shop/other"), "RSA_3072");
  keyPairs.close();
  await next();
  expect(started).toEqual([]);
  expect(keyPairs.take(parseNameText("shop/main"), "RSA_3072")).toBeUndefined();
  keyPairs.close();
});
