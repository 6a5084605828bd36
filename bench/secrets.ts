import type { Goal } from "./goals.ts";
import type { Bench, PartResult } from "./part.ts";
import { SecretsClient } from "./secrets-client.ts";
import { BASELINE, CLAVIGER, type Site, startSites } from "./sites.ts";
import { inTurn, Rounds } from "./statistics.ts";
import { figure, type Table, times } from "./table.ts";

/** The candidates, in the order of the table. */
interface Measured {
  readonly creates: Rounds;
  readonly gets: Rounds;
  readonly lists: Rounds;
  readonly coldLists: Rounds;
  readonly restarts: Rounds;
}

interface Candidate {
  readonly site: Site;
  readonly client: SecretsClient;
}

/** Measures Secrets through real API servers that encrypt them in four ways. */
export async function secrets(bench: Bench): Promise<PartResult> {
  await using stack = new AsyncDisposableStack();
  const sites = await startSites(bench, stack);
  const candidates: Candidate[] = [];
  for (const site of sites) {
    const client = await SecretsClient.create(site.server, bench.scale.secrets);
    stack.defer(() => client.close());
    candidates.push({ site, client });
  }
  const measured = {
    creates: new Rounds(),
    gets: new Rounds(),
    lists: new Rounds(),
    coldLists: new Rounds(),
    restarts: new Rounds(),
  };
  await measureWarm(bench, candidates, measured);
  await measureCold(bench, candidates, measured);
  return result(measured, sites, bench);
}

async function measureWarm({ scale, progress }: Bench, candidates: readonly Candidate[], measured: Measured) {
  for (const { client } of candidates) await client.warmUp();
  for (let round = 0; round < scale.secrets.rounds; round += 1) {
    progress(`secrets: create and read, round ${round + 1} of ${scale.secrets.rounds}`);
    await eachInTurn(candidates, round, measured.creates, (client) => client.create(round));
    await eachInTurn(candidates, round, measured.gets, (client) => client.get(round));
  }
  for (let round = 0; round < scale.secrets.lists; round += 1) {
    progress(`secrets: list, round ${round + 1} of ${scale.secrets.lists}`);
    await eachInTurn(candidates, round, measured.lists, (client) => client.list());
  }
}

async function measureCold({ scale, progress }: Bench, candidates: readonly Candidate[], measured: Measured) {
  for (const { client } of candidates) await client.markRevision();
  for (let round = 0; round < scale.secrets.restarts; round += 1) {
    progress(`secrets: restart, round ${round + 1} of ${scale.secrets.restarts}`);
    await eachInTurn(candidates, round, measured.restarts, (client) => client.restartToList());
  }
  for (let round = 0; round < scale.secrets.lists; round += 1) {
    progress(`secrets: list from etcd, round ${round + 1} of ${scale.secrets.lists}`);
    await eachInTurn(candidates, round, measured.coldLists, (client) => client.listFromEtcd());
  }
}

async function eachInTurn(
  candidates: readonly Candidate[],
  round: number,
  rounds: Rounds,
  measure: (client: SecretsClient) => Promise<number>,
): Promise<void> {
  for (const { site, client } of inTurn(candidates, round)) rounds.add(site.name, await measure(client));
}

function result(measured: Measured, sites: readonly Site[], { scale }: Bench): PartResult {
  const { rounds, perRound, listed, lists, restarts } = scale.secrets;
  return {
    title: "Secrets through the API server",
    method:
      `Four API servers side by side, each on an etcd of its own (no fsync, so that the disk hides nothing), with ` +
      `Secrets of 1 KiB; claviger with its operator. ${rounds} rounds of ${perRound} creates and ${perRound} reads over eight ` +
      `connections, ${lists} lists of ${listed.toLocaleString("en-US")} Secrets of each kind, ${restarts} restarts, alternating. Warm lists ` +
      `come from the API server's watch cache, where Secrets lie decrypted. Lists from etcd, made by an API server ` +
      `that was just restarted, ask for an older revision, which the watch cache does not have: every Secret is decrypted. ` +
      `Figures are medians over the rounds; in brackets the median of the rounds' ratios to ${BASELINE}.`,
    tables: [table(measured, sites)],
    goals: [createGoal(measured.creates)],
  };
}

function table(measured: Measured, sites: readonly Site[]): Table {
  const rows = {
    "create/s": measured.creates,
    "read/s": measured.gets,
    "list, warm, ms": measured.lists,
    "list from etcd, ms": measured.coldLists,
    "restart to first list, ms": measured.restarts,
  };
  return {
    header: ["", ...sites.map(({ name }) => name)],
    rows: Object.entries(rows).map(([what, rounds]) => [
      what,
      ...sites.map(({ name }) => `${figure(rounds.median(name))} (${times(rounds.ratio(name, BASELINE))})`),
    ]),
  };
}

const createGoal = (creates: Rounds): Goal => ({
  what: `Secret create/s ÷ ${BASELINE}'s`,
  unit: "×",
  value: creates.ratio(CLAVIGER, BASELINE),
  limit: { atLeast: 0.97 },
});
