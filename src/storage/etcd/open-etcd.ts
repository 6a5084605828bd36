import type { EtcdConfig } from "../../config/config.ts";
import type { EtcdClient } from "./etcd-client.ts";

/**
 * Opens etcd for the length of one task; certificates are read now. gRPC is loaded with the first task:
 * commands and operators that count nothing do without it. Rejects with ConfigInvalid.
 */
export async function openEtcd(config: EtcdConfig): Promise<EtcdClient> {
  const { EtcdClient } = await import("./etcd-client.ts");
  return EtcdClient.open(config);
}
