/**
 * Follows a keyring as a plugin does, in a process of its own. Answers each message by its parent with the CPU time
 * of this process since the message before, in milliseconds. Argument: the keyring's path.
 */
import { LiveKeyring } from "../src/keyring/live/live-keyring.ts";
import { openSeals } from "../src/seal/open-seals.ts";

const [path = ""] = process.argv.slice(2);
// No material is opened here.
const live = new LiveKeyring(path, openSeals({ seal: { provider: "file", path: `${path}.root.key` } }));
live.start();
let before = process.cpuUsage();
process.on("message", () => {
  const { user, system } = process.cpuUsage(before);
  before = process.cpuUsage();
  process.send?.((user + system) / 1000);
});
process.on("disconnect", () => live.close());
