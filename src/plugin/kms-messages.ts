import { asBytes, asText, encodeFields, entryField, readFields } from "../protobuf.ts";

/** The messages of proto/kms-v2.proto. Field numbers are the contract. */
export interface StatusResponse {
  readonly version: string;
  readonly healthz: string;
  readonly keyId: string;
}
export interface EncryptRequest {
  readonly plaintext: Buffer;
  readonly uid: string;
}
export interface EncryptResponse {
  readonly ciphertext: Uint8Array;
  readonly keyId: string;
}
export interface DecryptRequest {
  readonly ciphertext: Buffer;
  readonly uid: string;
  readonly keyId: string;
  readonly annotations: ReadonlyMap<string, Buffer>;
}
export interface DecryptResponse {
  readonly plaintext: Buffer;
}

/** Encodes a message into bytes and decodes it from them. */
export interface Codec<T> {
  readonly encode: (message: T) => Buffer;
  readonly decode: (bytes: Buffer) => T;
}

const EMPTY: Buffer = Buffer.alloc(0);

export const statusRequest: Codec<object> = {
  encode: () => EMPTY,
  decode: (bytes) => {
    readFields(bytes, () => {});
    return {};
  },
};

export const statusResponse: Codec<StatusResponse> = {
  encode: ({ version, healthz, keyId }) => encodeFields(version, healthz, keyId),
  decode: (bytes) => {
    const message = { version: "", healthz: "", keyId: "" };
    readFields(bytes, (field, value) => {
      if (field === 1) message.version = asText(value);
      else if (field === 2) message.healthz = asText(value);
      else if (field === 3) message.keyId = asText(value);
    });
    return message;
  },
};

export const encryptRequest: Codec<EncryptRequest> = {
  encode: ({ plaintext, uid }) => encodeFields(plaintext, uid),
  decode: (bytes) => {
    const message = { plaintext: EMPTY, uid: "" };
    readFields(bytes, (field, value) => {
      if (field === 1) message.plaintext = asBytes(value);
      else if (field === 2) message.uid = asText(value);
    });
    return message;
  },
};

export const encryptResponse: Codec<EncryptResponse> = {
  encode: ({ ciphertext, keyId }) => encodeFields(ciphertext, keyId),
  decode: (bytes) => {
    const message = { ciphertext: EMPTY, keyId: "" };
    readFields(bytes, (field, value) => {
      if (field === 1) message.ciphertext = asBytes(value);
      else if (field === 2) message.keyId = asText(value);
    });
    return message;
  },
};

export const decryptRequest: Codec<DecryptRequest> = {
  encode: ({ ciphertext, uid, keyId, annotations }) =>
    Buffer.concat([
      encodeFields(ciphertext, uid, keyId),
      ...[...annotations].flatMap(([name, value]) => entryField(4, encodeFields(name, value))),
    ]),
  decode: (bytes) => {
    const annotations = new Map<string, Buffer>();
    const message = { ciphertext: EMPTY, uid: "", keyId: "", annotations };
    readFields(bytes, (field, value) => {
      if (field === 1) message.ciphertext = asBytes(value);
      else if (field === 2) message.uid = asText(value);
      else if (field === 3) message.keyId = asText(value);
      else if (field === 4) annotations.set(...mapEntry(asBytes(value)));
    });
    return message;
  },
};

export const decryptResponse: Codec<DecryptResponse> = {
  encode: ({ plaintext }) => encodeFields(plaintext),
  decode: (bytes) => {
    const message = { plaintext: EMPTY };
    readFields(bytes, (field, value) => {
      if (field === 1) message.plaintext = asBytes(value);
    });
    return message;
  },
};

function mapEntry(bytes: Buffer): [string, Buffer] {
  let name = "";
  let value = EMPTY;
  readFields(bytes, (field, part) => {
    if (field === 1) name = asText(part);
    else if (field === 2) value = asBytes(part);
  });
  return [name, value];
}
