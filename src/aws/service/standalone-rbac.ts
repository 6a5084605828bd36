import type { Rbac } from "./access.ts";

/** The group that may do everything, as in Kubernetes. */
const MASTERS = "system:masters";

/** RBAC without an API server: administrators may do everything, and others only what they have grants for. */
export const standaloneRbac: Rbac = {
  ask: ({ groups }) => (groups.includes(MASTERS) ? "allowed" : "denied"),
};
