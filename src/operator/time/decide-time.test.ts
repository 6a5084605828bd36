import { expect, test } from "vitest";
import { decideTime, type ObservedTime } from "./decide-time.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

interface Clocks {
  readonly server?: number;
  readonly nodes?: Readonly<Record<string, number>>;
  readonly unheard?: readonly string[];
  readonly stepped?: number;
}
const cluster = ({ server = 0, nodes = {}, unheard = [], stepped = 0 }: Clocks): ObservedTime => ({
  others: { server, nodes: { skews: new Map(Object.entries(nodes)), unheard } },
  stepped,
});
function decide(observed: ObservedTime): string {
  const time = decideTime(observed);
  if (time.kind === "agreed") return time.independent ? "agreed" : "agreed, alone";
  return time.kind === "disagree" && time.doubted ? "disagree, own doubted" : time.kind;
}

test.each<readonly [string, ObservedTime, string]>([
  ["another node and the API server agree => agreed", cluster({ nodes: { two: 0 } }), "agreed"],
  ["five minutes apart => agreed", cluster({ server: 5 * MINUTE, nodes: { two: -5 * MINUTE } }), "agreed"],
  ["no other node => the API server beside us confirms nothing", cluster({}), "agreed, alone"],
  ["standalone => nobody confirms anything", { stepped: 0 }, "agreed, alone"],
  [
    "the API server an hour ahead => disagree",
    cluster({ server: HOUR, nodes: { two: 0 } }),
    "disagree, own doubted",
  ],
  [
    "the API server 40 days behind, alone => disagree",
    cluster({ server: -40 * DAY }),
    "disagree, own doubted",
  ],
  [
    "the API server beside us agrees, and the only other node does not => either may be right",
    cluster({ nodes: { two: -40 * DAY } }),
    "disagree, own doubted",
  ],
  [
    "one of two other nodes is wrong => disagree, and our own clock is confirmed",
    cluster({ nodes: { two: -40 * DAY, three: 0 } }),
    "disagree",
  ],
  [
    "both other nodes are an hour behind => disagree, and our own clock is outvoted",
    cluster({ nodes: { two: -HOUR, three: -HOUR } }),
    "disagree, own doubted",
  ],
  [
    "the API server has not answered => unknown",
    { others: { server: undefined, nodes: undefined }, stepped: 0 },
    "unknown",
  ],
  [
    "a node may be alive and has not renewed its Lease yet => unknown",
    cluster({ nodes: { two: 0 }, unheard: ["three"] }),
    "unknown",
  ],
  [
    "our clock was set while we ran, alone => disagree",
    cluster({ stepped: 40 * DAY }),
    "disagree, own doubted",
  ],
  ["the same standalone, back => disagree", { stepped: -HOUR }, "disagree, own doubted"],
  [
    "our clock was set right, by what another node shows => agreed",
    cluster({ nodes: { two: 0 }, stepped: DAY }),
    "agreed",
  ],
])("%s", (_, observed, outcome) => expect(decide(observed)).toBe(outcome));

test("the message names each clock that differs, by how much and which way, in words that stand still", () => {
  const nodes = { two: -40 * DAY + 90_000, three: 2 * HOUR };
  expect(decideTime(cluster({ server: -40 * DAY, nodes }))).toMatchObject({
    reason: "ClocksDisagree",
    message:
      "this node's clock differs from the API server's by 40 days (it is behind), node three's by 2 hours (it is ahead), node two's by 40 days (it is behind): set all clocks by NTP",
  });
});
