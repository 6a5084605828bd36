import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import {
  type Answer,
  FakeApiServer,
  failure,
  gone,
  json,
  list,
  object,
  watch,
} from "../testing/fake-api-server.ts";
import { KubeClient } from "./client.ts";
import { type Reflectable, Reflector } from "./reflector.ts";

/** Only ends a test that hangs. */
const deadline = { timeout: 60_000, interval: 5 };

let server: FakeApiServer;
let stop: (() => Promise<void>) | undefined;
beforeAll(async () => {
  server = await FakeApiServer.start();
});
afterEach(async () => {
  vi.restoreAllMocks();
  await stop?.();
});
afterAll(() => server.stop());

/** Starts a reflector that follows the scripted server. */
function follow(
  onList: readonly Answer[],
  onWatch: readonly Answer[],
  query?: Record<string, string>,
  client = new KubeClient(server.kubeconfig),
  patience: { watchSeconds?: { least: number; most: number }; expectedMilliseconds?: number } = {},
) {
  server.script(onList, onWatch);
  const events: string[] = [];
  const lines: string[] = [];
  const reflector = new Reflector<Reflectable>({
    client,
    path: server.path,
    ...(query && { query }),
    ...patience,
    log: (level, message) => lines.push(`${level} ${message}`),
    onChange: ({ metadata }, event) => events.push(`${event} ${metadata.name} ${metadata.uid}`),
  });
  const controller = new AbortController();
  const ended = reflector.run(controller.signal);
  stop = async () => {
    stop = undefined;
    controller.abort();
    await ended;
  };
  const names = () =>
    reflector.objects().map(({ metadata }) => `${metadata.name}@${metadata.resourceVersion}`);
  return { reflector, events, lines, names };
}

const eventually = (assertion: () => void) => vi.waitFor(assertion, deadline);
const versionsAsked = () => server.watches.map((query) => query.get("resourceVersion"));

test("a list, then a watch from where the list was made", async () => {
  const { reflector, events, names } = follow([list(10, [object("a", 3), object("b", 9)])], [watch([])]);
  expect([reflector.synced, reflector.resourceVersion, names()]).toEqual([false, undefined, []]);
  await eventually(() => expect(versionsAsked()).toEqual(["10"]));
  expect([reflector.synced, reflector.resourceVersion, names()]).toEqual([true, "10", ["a@3", "b@9"]]);
  expect(events).toEqual(["set a uid-of-a", "set b uid-of-b"]);
  expect(server.watches[0]?.get("allowWatchBookmarks")).toBe("true");
});

test("an empty collection => it is synced all the same", async () => {
  const { reflector, events } = follow([list(10, [])], [watch([])]);
  await eventually(() => expect(reflector.synced).toBe(true));
  expect(events).toEqual([]);
});

test("a selector => is asked for by list and watch", async () => {
  follow([list(1, [])], [watch([])], { labelSelector: "node" });
  await eventually(() => expect(server.watches).toHaveLength(1));
  expect([...server.lists, ...server.watches].map((query) => query.get("labelSelector"))).toEqual([
    "node",
    "node",
  ]);
});

test("several pages => one copy, told after the last one", async () => {
  const pages = [
    list(10, [object("a", 1)], "second"),
    list(10, [object("b", 2)], "third"),
    list(10, [object("c", 3)]),
  ];
  const { names, events } = follow(pages, [watch([])]);
  await eventually(() => expect(events).toHaveLength(3));
  expect(names()).toEqual(["a@1", "b@2", "c@3"]);
  expect(server.lists.map((query) => query.get("continue"))).toEqual([null, "second", "third"]);
  expect(server.lists.map((query) => query.get("limit"))).toEqual(["500", "500", "500"]);
});

test("410 between two pages => from the first page again, nothing of the half list is told", async () => {
  const pages = [
    list(10, [object("half", 1)], "second"),
    failure(410, "continue token expired"),
    list(20, [object("a", 2)]),
  ];
  const { names, events } = follow(pages, [watch([])]);
  await eventually(() => expect(versionsAsked()).toEqual(["20"]));
  expect([names(), events]).toEqual([["a@2"], ["set a uid-of-a"]]);
});

test("added, changed, deleted => the copy follows, and each is told once", async () => {
  const { names, events, reflector } = follow(
    [list(10, [object("a", 1)])],
    [
      watch([
        ["ADDED", object("b", 11)],
        ["MODIFIED", object("a", 12)],
        ["DELETED", object("b", 13)],
      ]),
    ],
  );
  await eventually(() => expect(events).toHaveLength(4));
  expect(events).toEqual(["set a uid-of-a", "set b uid-of-b", "set a uid-of-a", "deleted b uid-of-b"]);
  expect([names(), reflector.resourceVersion]).toEqual([["a@12"], "13"]);
});

/** Makes each reading of the clock find that more time has passed than any watch is given. */
function everyWatchLasts(): void {
  let now = 0;
  vi.spyOn(performance, "now").mockImplementation(() => (now += 3_600_000));
}

test("a bookmark => the place moves, nothing is told, and the next watch begins there", async () => {
  everyWatchLasts();
  const { reflector, events } = follow(
    [list(10, [])],
    [watch([["BOOKMARK", { metadata: { resourceVersion: "50" } }]], "end"), watch([])],
  );
  await eventually(() => expect(versionsAsked()).toEqual(["10", "50"]));
  expect([reflector.resourceVersion, events, server.lists.length]).toEqual(["50", [], 1]);
});

test("the server ends the watch at its time => another from the last event, no new list, no complaint", async () => {
  everyWatchLasts();
  const { lines } = follow([list(10, [])], [watch([["ADDED", object("a", 12)]], "end"), watch([])]);
  await eventually(() => expect(versionsAsked()).toEqual(["10", "12"]));
  expect([server.lists.length, lines]).toEqual([1, []]);
});

test.each(["end", "cut"] as const)(
  "a watch comes to an early %s => a new list, as another history may have begun",
  async (ending) => {
    const { names, events, reflector } = follow(
      [
        list(90, [object("kept", 10), object("changed", 80)]),
        list(50, [object("kept", 10), object("changed", 20)]),
      ],
      [watch([["ADDED", object("undone", 95)]], ending), watch([["ADDED", object("later", 51)]])],
    );
    await eventually(() => expect(names()).toEqual(["kept@10", "changed@20", "later@51"]));
    expect([versionsAsked(), reflector.resourceVersion]).toEqual([["90", "50"], "51"]);
    expect(events.slice(2)).toEqual([
      "set undone uid-of-undone",
      "deleted undone uid-of-undone",
      "set changed uid-of-changed",
      "set later uid-of-later",
    ]);
  },
);

test("a new list has another state under the same resourceVersion => it is told", async () => {
  const other = { ...object("a", 5), data: "other" };
  const { events } = follow([list(10, [object("a", 5)]), list(20, [other])], [watch([], "cut"), watch([])]);
  await eventually(() => expect(versionsAsked()).toEqual(["10", "20"]));
  expect(events).toEqual(["set a uid-of-a", "set a uid-of-a"]);
});

test("the connection is cut in the middle of a line => nothing of it is told, and a new list has it", async () => {
  const half = JSON.stringify({ type: "ADDED", object: object("a", 12) }).slice(0, 20);
  const { names, events } = follow(
    [list(10, []), list(12, [object("a", 12)])],
    [watch([half], "cut"), watch([])],
  );
  await eventually(() => expect(names()).toEqual(["a@12"]));
  expect(events).toEqual(["set a uid-of-a"]);
});

test.each([
  ["not JSON", "<html>\n"],
  ["an event without an object", '{"type":"ADDED"}\n'],
  ["not an object", "null\n"],
])("a line that is %s => is logged, and the copy is listed anew", async (_, line) => {
  const { names, lines } = follow(
    [list(10, []), list(11, [object("a", 11)])],
    [watch([["ADDED", object("a", 11)], line]), watch([["ADDED", object("b", 12)]])],
  );
  await eventually(() => expect(names()).toEqual(["a@11", "b@12"]));
  expect(versionsAsked()).toEqual(["10", "11"]);
  expect(lines).toEqual([expect.stringContaining(`warn following ${server.path} failed and is tried again`)]);
});

test("410 as an event in mid-watch => a new list; what went meanwhile is told", async () => {
  const { names, events, lines } = follow(
    [list(10, [object("a", 1), object("b", 2)]), list(30, [object("b", 25), object("c", 26)])],
    [watch([["ERROR", gone]]), watch([])],
  );
  await eventually(() => expect(versionsAsked()).toEqual(["10", "30"]));
  expect(names()).toEqual(["b@25", "c@26"]);
  expect(events.slice(2)).toEqual(["deleted a uid-of-a", "set b uid-of-b", "set c uid-of-c"]);
  expect(lines).toEqual([]);
});

test("410 as the watch's answer => a new list", async () => {
  const { names } = follow([list(10, []), list(30, [object("a", 25)])], [failure(410, "Expired"), watch([])]);
  await eventually(() => expect(names()).toEqual(["a@25"]));
});

test("410 again and again => each new list waits longer than the last", async () => {
  const pauses = vi.spyOn(Math, "random").mockReturnValue(0);
  const { reflector } = follow([list(10, [])], [...Array(4).fill(watch([["ERROR", gone]])), watch([])]);
  await eventually(() => expect(server.watches).toHaveLength(5));
  expect(reflector.synced).toBe(true);
  expect(server.lists).toHaveLength(5);
  // One for each watch's length, one for each pause.
  expect(pauses.mock.calls.length).toBe(5 + 4);
  pauses.mockRestore();
});

test("each watch is ended at once => each new one waits longer than the last", async () => {
  const pauses = vi.spyOn(Math, "random").mockReturnValue(0);
  follow([list(10, [])], [...Array(4).fill(watch([], "end")), watch([])]);
  await eventually(() => expect(server.watches).toHaveLength(5));
  expect(server.lists).toHaveLength(5);
  expect(pauses.mock.calls.length).toBe(5 + 4);
  pauses.mockRestore();
});

test("a new list finds the same objects => nothing is told", async () => {
  const same = [object("a", 1), object("b", 2)];
  const { events } = follow([list(10, same), list(30, same)], [watch([["ERROR", gone]]), watch([])]);
  await eventually(() => expect(versionsAsked()).toEqual(["10", "30"]));
  expect(events).toHaveLength(2);
});

test("a new list finds one of the same name with another uid => the old one's end and the new one are told", async () => {
  const { reflector, events } = follow(
    [list(10, [object("a", 1, "first")]), list(30, [object("a", 1, "second")])],
    [watch([["ERROR", gone]]), watch([])],
  );
  await eventually(() => expect(versionsAsked()).toEqual(["10", "30"]));
  expect(events).toEqual(["set a first", "deleted a first", "set a second"]);
  expect(reflector.objects().map(({ metadata }) => metadata.uid)).toEqual(["second"]);
});

test("one name in two namespaces => two objects", async () => {
  const inNamespace = (namespace: string) => ({ metadata: { ...object("a", 1).metadata, namespace } });
  const { reflector } = follow([list(10, [inNamespace("x"), inNamespace("y")])], [watch([])]);
  await eventually(() => expect(reflector.objects()).toHaveLength(2));
});

test.each([
  ["500", failure(500, "etcd is away")],
  ["403", failure(403, "forbidden")],
  ["an HTML page of a proxy", json("<html>", 502)],
])("the list is answered by %s => it is logged once and tried again until it works", async (_, answer) => {
  const { names, lines } = follow([answer, answer, list(10, [object("a", 1)])], [watch([])]);
  await eventually(() => expect(names()).toEqual(["a@1"]));
  expect(lines).toHaveLength(1);
});

const impatientOfWatches = () => new KubeClient(server.kubeconfig, { graceMilliseconds: 50 });
const briefly = { watchSeconds: { least: 1, most: 1 } };

test("a watch says nothing and is not ended at its time => it is given up, and all is listed again", async () => {
  const { names, lines } = follow(
    [list(10, []), list(20, [object("missed", 15)])],
    [watch([]), watch([])],
    undefined,
    impatientOfWatches(),
    briefly,
  );
  await eventually(() => expect(names()).toEqual(["missed@15"]));
  expect(server.watches[0]?.get("timeoutSeconds")).toBe("1");
  expect(lines).toEqual([
    expect.stringContaining("the watch was not ended after its 1 s: its connection is dead"),
  ]);
});

test("every watch is asked for less than a minute, its grace included => a stalled one is noticed within it", async () => {
  follow([list(10, [])], [watch([])]);
  await eventually(() => expect(server.watches).toHaveLength(1));
  expect(Number(server.watches[0]?.get("timeoutSeconds"))).toBeLessThanOrEqual(50);
});

test("a write of our own does not show in the watch => the watch is given up and all is listed again", async () => {
  const { reflector, names, lines } = follow(
    [list(10, [object("a", 1)]), list(20, [object("a", 15)])],
    [watch([]), watch([])],
    undefined,
    undefined,
    { expectedMilliseconds: 50 },
  );
  await eventually(() => expect(server.watches).toHaveLength(1));
  reflector.expect({ name: "a" }, "1");
  await eventually(() => expect(names()).toEqual(["a@15"]));
  expect(lines).toEqual([expect.stringContaining("its watch does not show a change of a")]);
});

test("an object that is known to exist does not show in the watch => the same", async () => {
  const { reflector, names } = follow(
    [list(10, []), list(20, [object("a", 15)])],
    [watch([]), watch([])],
    undefined,
    undefined,
    { expectedMilliseconds: 50 },
  );
  await eventually(() => expect(server.watches).toHaveLength(1));
  reflector.expect({ name: "a" }, undefined);
  await eventually(() => expect(names()).toEqual(["a@15"]));
});

test("what is expected has come, before or after it was asked for => nothing is listed again", async () => {
  const { reflector, names } = follow(
    [list(10, [object("a", 1), object("b", 2)])],
    [watch([["MODIFIED", object("a", 11)]])],
    undefined,
    undefined,
    { expectedMilliseconds: 1 },
  );
  await eventually(() => expect(names()).toEqual(["a@11", "b@2"]));
  reflector.expect({ name: "a" }, "1");
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(server.lists).toHaveLength(1);
});

test("managedFields are not kept: they are larger than the objects", async () => {
  const { metadata } = object("a", 1);
  const { reflector } = follow(
    [list(10, [{ metadata: { ...metadata, managedFields: [{ manager: "x" }] } }])],
    [watch([])],
  );
  await eventually(() => expect(reflector.objects()).toEqual([{ metadata }]));
});

test("the watch and the lists after it fail by something else than 410 => the copy stays until a list arrives", async () => {
  const error = { kind: "Status", code: 500, message: "etcd is away" };
  const { names, events, lines } = follow(
    [list(10, [object("a", 1)]), failure(503, "starting"), list(11, [object("a", 1)])],
    [watch([["ERROR", error]]), watch([["ADDED", object("b", 12)]])],
  );
  await eventually(() => expect(names()).toEqual(["a@1", "b@12"]));
  expect(events).toEqual(["set a uid-of-a", "set b uid-of-b"]);
  expect(lines).toEqual([expect.stringContaining("etcd is away"), expect.stringContaining("starting")]);
});

test("a listener throws => the copy is right, and following goes on", async () => {
  server.script(
    [list(10, []), list(11, [object("a", 11)])],
    [watch([["ADDED", object("a", 11)]]), watch([["ADDED", object("b", 12)]])],
  );
  let thrown = 0;
  const reflector = new Reflector<Reflectable>({
    client: new KubeClient(server.kubeconfig),
    path: server.path,
    log: () => undefined,
    onChange: ({ metadata }) => {
      if (metadata.name === "a" && ++thrown > 0) throw new Error("a defect");
    },
  });
  const controller = new AbortController();
  const ended = reflector.run(controller.signal);
  await eventually(() => expect(reflector.objects()).toHaveLength(2));
  controller.abort();
  await ended;
  expect(thrown).toBe(1);
});

test("aborted in a watch, or while it waits to try again => it ends", async () => {
  follow([list(10, [])], [watch([])]);
  await eventually(() => expect(server.watches).toHaveLength(1));
  await stop?.();
  const { lines } = follow([failure(500, "no")], []);
  await eventually(() => expect(lines.length).toBeGreaterThan(0));
  await stop?.();
});

test("a watch that is not answered at all => is given up, and the next one is followed", async () => {
  const impatient = new KubeClient(server.kubeconfig, { answerMilliseconds: 50 });
  const silence: Answer = () => undefined;
  const { lines, names } = follow(
    [list(1, [])],
    [silence, watch([["ADDED", object("a", 2)]])],
    undefined,
    impatient,
  );
  await eventually(() => expect(names()).toEqual(["a@2"]));
  expect(lines.filter((line) => /no answer within/.test(line)).length).toBeGreaterThanOrEqual(1);
});
