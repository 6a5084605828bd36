/** Holds a MasterKey until the key is not in use. */
export const FINALIZER = "kms.claviger.dev/material";
