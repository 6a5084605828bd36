/**
 * How long after its last Status with a key_id an API server may still write under it: three minutes of
 * validity and a request that began in the last of them (apiserver's encryptionconfig/config.go), 60 s at most.
 */
export const SETTLE_MILLISECONDS = 240_000;

/** An API server asks at least once a minute, and may not write after three minutes without an answer. */
export const SILENCE_MILLISECONDS = 180_000;
