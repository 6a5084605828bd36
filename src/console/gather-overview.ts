import { leaderSilence } from "../kube/leader-silence.ts";
import type { Lease } from "../kube/leases.ts";
import { collectionPath, leasesPath } from "../kube/paths.ts";
import type { KeyAlias, KeyServer, Kind, MasterKey } from "../resources/resources.ts";
import { type Answer, type ApiServer, messageOfStatus } from "./api-server.ts";
import type { KeyRow, Overview, Part, Problem, VersionRow } from "./overview.ts";
import { keyRows } from "./views/key-rows.ts";
import { nodeRows } from "./views/node-rows.ts";
import { problemsOf } from "./views/problems.ts";
import { type Table, versionRows } from "./views/version-rows.ts";

/** The page shows this many objects of a kind; with more of them, people name a namespace. */
const MOST_OBJECTS = 250;
const JSON_TYPE = "application/json";
const TABLE_TYPE = "application/json;as=Table;v=v1;g=meta.k8s.io";

/** The place that the page tells of, the same for every caller. */
export interface Site {
  readonly node: string;
  readonly leader: { readonly namespace: string; readonly name: string };
}

/** The caller, and what he asked for. */
export interface Caller {
  readonly token: string;
  readonly namespace?: string;
  readonly signal: AbortSignal;
}

interface List {
  readonly items?: readonly unknown[];
  readonly metadata?: { readonly continue?: string };
}

/** The overview, or undefined if the API server does not know the token. */
export async function gatherOverview(
  server: ApiServer,
  site: Site,
  { token, namespace, signal }: Caller,
): Promise<Overview | undefined> {
  const get = (path: string, accept = JSON_TYPE) => server.get({ path, accept, token, signal });
  const list = (kind: Kind, of?: string) => get(`${collectionPath(kind, of)}?limit=${MOST_OBJECTS}`);
  const table = `${collectionPath("KeyVersion")}?limit=${MOST_OBJECTS}&includeObject=None`;
  const masterKeys = await list("MasterKey", namespace);
  // Asked alone at first: a token that nobody knows costs the API server one call.
  if (masterKeys.status === 401) return undefined;
  const [keyAliases, keyServers, keyVersions, lease] = await Promise.all([
    list("KeyAlias", namespace),
    list("KeyServer"),
    get(table, TABLE_TYPE),
    get(`${leasesPath(site.leader.namespace)}/${site.leader.name}`),
  ]);
  // The API server validates every object against its CRD.
  const objects = {
    keys: partOf(masterKeys, (body) => itemsOf<MasterKey>(body)),
    aliases: partOf(keyAliases, (body) => itemsOf<KeyAlias>(body)),
    nodes: partOf(keyServers, (body) => itemsOf<KeyServer>(body)),
  };
  const keys = mapPart(objects.keys, keyRows);
  const versions = partOf(keyVersions, (body) => versionRows(body as Table));
  const reporting = Object.values(objects).flatMap((part) => rowsOf<MasterKey | KeyAlias | KeyServer>(part));
  return {
    node: site.node,
    time: masterKeys.date,
    problems: [...silenceOf(lease, masterKeys.date), ...problemsOf(reporting)],
    keys,
    versions: mapPart(versions, (rows) => rows.filter(isOf(namespace))),
    nodes: mapPart(objects.nodes, nodeRows),
    partial: isPartial([...Object.values(objects), versions], lease),
    moving: isMoving(rowsOf(keys), rowsOf(versions)),
  };
}

const itemsOf = <T>(body: List): readonly T[] => (body.items ?? []) as readonly T[];

/** Returns the rows of an answer, or the API server's refusal. */
function partOf<Row>(answer: Answer, rows: (body: List) => readonly Row[]): Part<Row> {
  if (answer.status !== 200) return { refused: messageOfStatus(answer) };
  const body = answer.body as List;
  return { rows: rows(body), more: (body.metadata?.continue ?? "") !== "" };
}

const mapPart = <From, To>(part: Part<From>, map: (rows: readonly From[]) => readonly To[]): Part<To> =>
  "refused" in part ? part : { rows: map(part.rows), more: part.more };

const rowsOf = <Row>(part: Part<Row>): readonly Row[] => ("refused" in part ? [] : part.rows);

const isOf =
  (namespace: string | undefined) =>
  ({ key }: VersionRow): boolean =>
    namespace === undefined || key.startsWith(`${namespace}/`);

/** Everything else on the page is old if no operator leads. A caller who may not see the Lease is not told. */
function silenceOf({ status, body, date }: Answer, now: string): Problem[] {
  if (status !== 200 && status !== 404) return [];
  const renewTime = status === 200 ? (body as Lease).spec?.renewTime : undefined;
  const message = leaderSilence(renewTime, Date.parse(date || now));
  if (message === undefined) return [];
  return [{ object: "claviger", reason: "NobodyLeads", message, needsSomebody: true }];
}

const isPartial = (parts: readonly Part<unknown>[], lease: Answer): boolean =>
  ![200, 404].includes(lease.status) || parts.some((part) => "refused" in part || part.more);

function isMoving(keys: readonly KeyRow[], versions: readonly VersionRow[]): boolean {
  const words = keys.flatMap(({ state, data, rotation }) => [state, data, rotation]);
  return [...words, ...versions.map(({ state }) => state)].some(({ tone }) => tone === "moving");
}
