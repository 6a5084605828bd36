/** Bounds of a length, of a value or of a number of entries. Both ends are allowed. */
export interface Range {
  readonly min?: number;
  readonly max?: number;
}

/** A pattern of the service model. */
export interface Pattern {
  /** The pattern as AWS writes it, for messages. */
  readonly text: string;
  /** Matches whole values. */
  readonly expression: RegExp;
}

export interface StringShape extends Range {
  readonly kind: "string";
  readonly pattern?: Pattern;
  /** The only values that are allowed; absent if any is. */
  readonly values?: ReadonlySet<string>;
}

export interface BlobShape extends Range {
  readonly kind: "blob";
}

export interface IntegerShape extends Range {
  readonly kind: "integer";
}

export interface ListShape extends Range {
  readonly kind: "list";
  readonly member: string;
}

export interface MapShape extends Range {
  readonly kind: "map";
}

/** A member of a structure. */
export interface Member {
  readonly name: string;
  /** The name of the member's shape. */
  readonly shape: string;
  readonly required: boolean;
}

export interface StructureShape {
  readonly kind: "structure";
  readonly members: readonly Member[];
}

/** A type of the service model. The maps of KMS are all from texts to texts without bounds. */
export type Shape =
  | StringShape
  | BlobShape
  | IntegerShape
  | ListShape
  | MapShape
  | StructureShape
  | { readonly kind: "boolean" | "timestamp" };
