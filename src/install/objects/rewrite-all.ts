import { KubeError } from "../../kube/kube-error.ts";
import type { Site } from "../site.ts";

const LIST = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io";
const ONE = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io";
const PAGE = "500";

interface Page {
  readonly metadata?: { readonly continue?: string };
  readonly items?: readonly { readonly metadata: Name }[] | null;
}

/** As many writes at once as an API server answers without delaying others. */
const WORKERS = 8;

interface Name {
  readonly namespace?: string;
  readonly name: string;
}

/**
 * Writes every object of a collection back as it is: the API server stores an object anew if its value is not
 * of the first provider. Only metadata travel. The names are read before the first write, because a list that
 * takes minutes ends with "410 Gone" when etcd compacts its revision.
 */
export async function rewriteAll(site: Site, path: string): Promise<void> {
  const names: Name[] = [];
  let token: string | undefined = "";
  while (token !== undefined) {
    const { items, metadata } = await pageAt(site, path, token);
    names.push(...(items ?? []).map((item) => item.metadata));
    token = metadata?.continue || undefined;
  }
  const work = async () => {
    for (let name = names.pop(); name !== undefined; name = names.pop()) await rewriteOne(site, path, name);
  };
  await Promise.all(Array.from({ length: WORKERS }, work));
}

async function pageAt({ kube, signal }: Site, path: string, token: string): Promise<Page> {
  const query = { limit: PAGE, ...(token !== "" && { continue: token }) };
  return (await kube.request({ method: "GET", path, query, accept: LIST, signal })) as Page;
}

/** An object that was deleted meanwhile needs nothing; the census after this finds any that was missed. */
async function rewriteOne({ kube, signal }: Site, path: string, { namespace, name }: Name): Promise<void> {
  const at = path.lastIndexOf("/");
  const scope = namespace === undefined ? "" : `/namespaces/${namespace}`;
  const object = `${path.slice(0, at)}${scope}${path.slice(at)}/${name}`;
  try {
    await kube.request({
      method: "PATCH",
      path: object,
      contentType: "application/merge-patch+json",
      accept: ONE,
      body: {},
      signal,
    });
  } catch (error) {
    if (!(error instanceof KubeError && [404, 409].includes(error.httpStatus))) throw error;
  }
}
