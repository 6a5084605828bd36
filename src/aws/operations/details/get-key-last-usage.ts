import type { LastUsage } from "../../usage/usage-record.ts";
import type { Operation } from "../operation.ts";

interface Input {
  readonly KeyId: string;
}

interface Output {
  readonly KeyId: string;
  /** Empty if the key was not used since TrackingStartDate. */
  readonly KeyLastUsage: {
    readonly Operation?: string;
    readonly Timestamp?: Date;
    /** The id of the record in the audit log, if there is one. */
    readonly CloudTrailEventId?: string | undefined;
    readonly KmsRequestId?: string;
  };
  readonly TrackingStartDate: Date;
  readonly KeyCreationDate: Date;
}

export const getKeyLastUsage: Operation<Input, Output> = {
  needs: ({ input: { KeyId }, caller }, keys) => [
    { action: "GetKeyLastUsage", key: keys.find(KeyId, caller) },
  ],
  prepare({ input: { KeyId }, caller }, keys) {
    const key = keys.find(KeyId, caller);
    const { createdAt } = keys.details(key);
    const { since, last } = keys.usage.of(key.keyId);
    return () => ({
      KeyId: key.keyId,
      KeyLastUsage: last === undefined ? {} : answerOf(last),
      TrackingStartDate: new Date(Math.max(since, createdAt)),
      KeyCreationDate: new Date(createdAt),
    });
  },
};

const answerOf = ({ operation, at, requestId, eventId }: LastUsage): Output["KeyLastUsage"] => ({
  Operation: operation,
  Timestamp: new Date(at),
  CloudTrailEventId: eventId,
  KmsRequestId: requestId,
});
