import { WRAPPING_ALGORITHMS, type WrappingAlgorithm } from "../../../crypto/import-wrapping.ts";
import { AwsError } from "../../aws-error.ts";

/**
 * The ImportToken of the API: the token of the MasterKey's status, and the algorithm that the caller chose.
 *
 *   0       1          2
 *   format  algorithm  token
 *
 * `algorithm` is the position in WRAPPING_ALGORITHMS. Nothing protects it: with another algorithm the material
 * does not open.
 */
const FORMAT = 1;
const HEADER_BYTES = 2;

export interface DoorToken {
  readonly algorithm: WrappingAlgorithm;
  /** The token of the MasterKey's status, in base64. */
  readonly token: string;
}

export const makeDoorToken = ({ algorithm, token }: DoorToken): Buffer =>
  Buffer.concat([
    Buffer.from([FORMAT, WRAPPING_ALGORITHMS.indexOf(algorithm)]),
    Buffer.from(token, "base64"),
  ]);

/** Throws InvalidImportTokenException. */
export function readDoorToken(bytes: Buffer): DoorToken {
  const algorithm =
    bytes[0] === FORMAT ? WRAPPING_ALGORITHMS[bytes[1] ?? WRAPPING_ALGORITHMS.length] : undefined;
  if (algorithm === undefined || bytes.length === HEADER_BYTES)
    throw new AwsError("InvalidImportTokenException", "The import token is not one of this API.");
  return { algorithm, token: bytes.subarray(HEADER_BYTES).toString("base64") };
}
