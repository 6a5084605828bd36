import { ClavigerError } from "../../errors.ts";
import { fieldsOf } from "../../json.ts";
import type { KubeClient } from "../../kube/client.ts";

const PAGE = "500";
/** More objects are not read into the memory of a command. */
const MOST_OBJECTS = 200_000;

/** Returns all objects of a collection, page by page. Throws ApiServer, also for more than MOST_OBJECTS. */
export async function listAll(
  client: Pick<KubeClient, "request">,
  path: string,
): Promise<readonly unknown[]> {
  const found: unknown[] = [];
  let token = "";
  do {
    const query = { limit: PAGE, ...(token !== "" && { continue: token }) };
    const { items, metadata } = fieldsOf(await client.request({ method: "GET", path, query }));
    if (!Array.isArray(items)) throw new ClavigerError("ApiServer", `GET ${path}: the answer is no list`);
    for (const item of items) found.push(item);
    if (found.length > MOST_OBJECTS)
      throw new ClavigerError("ApiServer", `GET ${path}: there are more than ${MOST_OBJECTS} objects`);
    const next = fieldsOf(metadata).continue;
    token = typeof next === "string" ? next : "";
  } while (token !== "");
  return found;
}
