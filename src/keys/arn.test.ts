import { describe, expect, test } from "vitest";
import { keyId } from "../testing/keyring.ts";
import { arnOf, arnPrefix, arnPrefixes, formerArnObjection, parseArn } from "./arn.ts";

const site = { account: "000000000000", region: "us-local-1" };
const key = arnPrefix(site, "key");
const alias = arnPrefix(site, "alias");

describe("an ARN", () => {
  test("of a key or an alias of this site => its target", () => {
    expect(parseArn(key + keyId(1), site)).toEqual({ keyId: keyId(1) });
    expect(parseArn(`${alias}apps/main`, site)).toEqual({ alias: { namespace: "apps", name: "main" } });
  });

  test.each([
    ["account", `arn:aws:kms:${site.region}:111111111111:key/${keyId(1)}`],
    ["region", `arn:aws:kms:eu-west-1:${site.account}:key/${keyId(1)}`],
  ])("of another %s => NotFound, although the id is the same", (_, arn) => {
    expect(() => parseArn(arn, site)).toThrow(expect.objectContaining({ code: "NotFound" }));
  });

  test.each([
    "",
    keyId(1),
    key,
    `${key}not-a-uuid`,
    `${key}${keyId(1).toUpperCase()}`,
    `${key}${keyId(1)}\n`,
    `${key}${keyId(1)}/more`,
    `${key}${"-".repeat(36)}`,
    alias,
    `${alias}main`,
    `${alias}apps/main/more`,
    `${alias}../etc`,
    `arn:aws:iam::${site.account}:role/apps`,
    `${alias}apps/${"a".repeat(100_000)}`,
  ])("that is none => InvalidArgument: %.60s", (arn) => {
    expect(() => parseArn(arn, site)).toThrow(expect.objectContaining({ code: "InvalidArgument" }));
  });
});

describe("an ARN that an earlier release has published", () => {
  const former = `arn:aws:kms:local-cluster-1:000000000000:key/${keyId(1)}`;
  const now = `arn:aws:kms:us-local-1:000000000000:key/${keyId(1)}`;
  const published = (isRegionDefault: boolean, arn: string | undefined) =>
    arnOf(arnPrefixes({ ...site, isRegionDefault }, "key"), keyId(1), arn);

  test("stays while the configuration names no region", () => {
    expect(published(true, former)).toBe(former);
    expect(formerArnObjection({ ...site, isRegionDefault: true }, former)).toContain("local-cluster-1");
  });
  test.each([
    ["once the configuration names a region", false, former],
    ["if it is another key's", true, former.replace(keyId(1), keyId(2))],
    ["if there is none yet", true, undefined],
  ])("%s => the ARN of this site", (_, isRegionDefault, arn) => {
    expect(published(isRegionDefault, arn)).toBe(now);
  });
  test("of this site, or of a named region, is no problem", () => {
    expect(formerArnObjection({ ...site, isRegionDefault: true }, now)).toBeUndefined();
    expect(formerArnObjection({ ...site, isRegionDefault: false }, former)).toBeUndefined();
  });
});
