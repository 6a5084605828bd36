import {
  deleteReport,
  enable,
  forgetDestructions,
  mayBeLost,
  recreate,
  respec,
  restore,
  retarget,
  rotate,
  setDeletion,
} from "./etcd-events.ts";
import type { Event } from "./events.ts";
import { comeBackFromImage, edit, hear, lie, probe, reload, restartApiServer } from "./node-events.ts";
import { apiServers, idle, lead, operators, pass, sync, work, write } from "./work-events.ts";
import { keyName, objectName, type World } from "./world.ts";

const MINUTE = 60_000;

/** Applies an event. */
export function happen(world: World, event: Event): void {
  const now = new Date(world.now);
  switch (event.kind) {
    case "lead":
      lead(world);
      break;
    case "leadAndCrash":
      world.etcd = world.leader.createAndCrash(keyName(event.key), world.etcd, now);
      world.leader.forget();
      break;
    case "think":
      world.leader.think(keyName(event.key), world.etcd, now);
      break;
    case "act":
      world.etcd = world.leader.act(world.etcd, now);
      break;
    case "sync":
    case "syncAndCrash":
      sync(world, world.node(event.node), event.kind === "sync");
      break;
    case "fallSilent":
      world.node(event.node).cutOff = true;
      break;
    case "comeBack":
      hear(world, world.node(event.node));
      break;
    case "syncLate":
      sync(world, world.node(event.node), true, true);
      break;
    case "restartPlugin":
    case "killPlugin":
      for (const socket of world.node(event.node).sockets)
        socket.restart(world.now, event.kind === "restartPlugin");
      break;
    case "restartApiServer":
      restartApiServer(world, world.node(event.node), world.node(event.node).file);
      break;
    case "restartWithoutFlag":
      // A key that is destroyed although an EncryptionConfiguration names it causes other problems.
      if (world.etcd.masterKeys.every(({ spec }) => spec.deletion === undefined))
        restartApiServer(world, world.node(event.node), undefined);
      break;
    case "edit":
      edit(world, world.node(event.node), event.file);
      break;
    case "roll":
      for (const node of world.nodes) {
        edit(world, node, event.file);
        reload(world, node);
      }
      break;
    case "reload":
      reload(world, world.node(event.node));
      break;
    case "probe":
      probe(world, world.node(event.node));
      break;
    case "takeImage":
      world.node(event.node).takeImage();
      break;
    case "comeBackFromImage":
      comeBackFromImage(world, world.node(event.node));
      break;
    case "deleteReport":
      deleteReport(world, world.node(event.node).name);
      break;
    case "lie":
    case "endLie":
      lie(world, world.node(event.node), event.kind === "lie");
      break;
    case "freeze":
      world.leader.frozen ??= world.etcd;
      world.frozenSince = world.now;
      break;
    case "poll":
    case "pollInVain":
      world.node(event.node).apiServer.poll(world.now, event.kind === "poll", event.entry);
      break;
    case "write":
      write(world, event);
      break;
    case "work":
      work(world, world.node(event.node), event.objects);
      break;
    case "workFails":
      world.leader.rewriter.fail(world.now);
      break;
    case "leaderRestarts":
      world.leader.forget();
      break;
    case "pass":
      pass(world, event.seconds * 1_000);
      break;
    case "idle":
      idle(world, event.seconds * 1_000);
      break;
    case "refuse":
    case "allow":
      world.leader.rewriter.refuse(objectName(event), event.kind === "refuse");
      break;
    case "rotate":
      rotate(world, keyName(event.key));
      break;
    case "disable":
    case "enable":
      enable(world, keyName(event.key), event.kind === "enable");
      break;
    case "delete":
    case "cancel":
      if (event.kind === "cancel" || world.nodes.every(({ apiServer }) => apiServer.file !== undefined))
        setDeletion(world, keyName(event.key), event.kind === "delete");
      break;
    case "retain":
      respec(world, keyName(event.key), (spec) => ({
        ...spec,
        retention: { policy: "Destroy", afterDays: 7 },
      }));
      break;
    case "recreate":
      recreate(world, keyName(event.key));
      break;
    case "retarget":
      retarget(world, keyName(event.key));
      break;
    case "deleteAlias":
      // A node that came back from an image from before a deletion continues to serve what it knew then.
      if (world.nodes.every(({ hasReturned }) => !hasReturned))
        world.etcd = { ...world.etcd, alias: undefined };
      break;
    case "backup":
      world.backup = world.etcd;
      break;
    case "restore":
      restore(world);
      break;
    case "loseVersions":
      if (mayBeLost(world)) break;
      world.etcd = { ...world.etcd, versions: [] };
      forgetDestructions(world);
      break;
    case "everybody":
      apiServers(world);
      operators(world, MINUTE);
      break;
    case "operators":
      operators(world, MINUTE / 12);
      break;
    case "apiServers":
      apiServers(world);
      break;
  }
}
