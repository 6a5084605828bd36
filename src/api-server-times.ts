/**
 * The time after its last Status with a key_id in which an API server may still write under that key_id:
 * three minutes of validity, and 60 s for a request that began in the last of them (apiserver's
 * encryptionconfig/config.go).
 */
export const SETTLE_MILLISECONDS = 240_000;

/**
 * An API server asks for Status at least once a minute, and may not write after three minutes without an
 * answer.
 */
export const SILENCE_MILLISECONDS = 180_000;
