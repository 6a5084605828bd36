import type { KeyFacts } from "../site/stored-data.ts";
import type { StatusReport } from "./report.ts";

/** Returns everything that is wrong, each in one sentence that names the object. */
export function wrongIn(report: StatusReport, facts: ReadonlyMap<string, KeyFacts>): string[] {
  return [
    ...report.providers.flatMap(wrongWithProvider),
    ...wrongWithApiServer(report),
    ...(report.keys ?? []).flatMap(({ key, storedData }) =>
      storedData !== undefined && "needsSomebody" in storedData && storedData.needsSomebody
        ? [`MasterKey ${key}, stored data: ${storedData.reason}: ${storedData.message}`]
        : [],
    ),
    ...[...facts].flatMap(([key, { notReady }]) =>
      notReady === undefined ? [] : [`MasterKey ${key} is not ready: ${notReady}`],
    ),
    ...(report.nodes ?? []).flatMap(({ name, message }) =>
      message === undefined ? [] : [`node ${name} is not ready: ${message}`],
    ),
    ...(report.manifests ?? []).map(({ kind, message }) => `manifest ${kind}: ${message}`),
    ...(report.clusterUnknown === undefined
      ? []
      : [`nothing is known from the API server: ${report.clusterUnknown}`]),
  ];
}

function wrongWithProvider({
  name,
  socket,
  status,
  notAskedSince,
}: StatusReport["providers"][number]): string[] {
  if (status !== "ok") return [`provider ${name} does not serve: ${status}`];
  if (notAskedSince === undefined) return [];
  return [
    `provider ${name}: no API server has asked for its Status since ${notAskedSince}: is it started with the EncryptionConfiguration that names ${socket}?`,
  ];
}

const wrongWithApiServer = ({ apiServer }: StatusReport): string[] =>
  apiServer?.inStep === false ? [`API server: ${apiServer.message ?? "it is not in step"}`] : [];
