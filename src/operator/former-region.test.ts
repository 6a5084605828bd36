import { expect, test } from "vitest";
import { masterKey } from "../testing/objects.ts";
import { FormerRegion } from "./former-region.ts";

const FORMER = "arn:aws:kms:local-cluster-1:000000000000:key/aaaaaaaa-0000-4000-8000-000000000001";

test("keys with ARNs of the former default region are told once, with the remedy", () => {
  const lines: string[] = [];
  const site = { account: "000000000000", region: "us-local-1", isRegionDefault: true };
  const former = new FormerRegion(site, (level, message) => lines.push(`${level} ${message}`));
  former.look(masterKey({ status: { conditions: [] } }));
  expect(lines).toEqual([]);
  for (let look = 0; look < 2; look++) former.look(masterKey({ status: { conditions: [], arn: FORMER } }));
  expect(lines).toEqual([
    expect.stringMatching(
      /^warn MasterKey .*: its ARN is of region local-cluster-1, .*; set aws.region to local-cluster-1/,
    ),
  ]);
});
