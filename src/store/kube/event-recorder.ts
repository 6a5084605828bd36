import { randomBytes } from "node:crypto";
import { messageOf } from "../../errors.ts";
import { microTime } from "../../kube/leases.ts";
import type { Log } from "../../log.ts";
import { API_VERSION } from "../../resources/resources.ts";
import { EventLimiter } from "../event-limiter.ts";
import type { ObjectRef, ResourceEvent } from "../events.ts";
import { logEvent, noteOf } from "../log-event.ts";
import type { ObjectWriter } from "./object-writer.ts";

/** Records Events at the API server, as far as EventLimiter admits them. */
export class EventRecorder {
  readonly #writer: ObjectWriter;
  readonly #nodeName: string;
  readonly #log: Log;
  readonly #limiter = new EventLimiter();

  constructor(options: { readonly writer: ObjectWriter; readonly nodeName: string; readonly log: Log }) {
    this.#writer = options.writer;
    this.#nodeName = options.nodeName;
    this.#log = options.log;
  }

  /** Never rejects: an Event that the API server refuses is logged. */
  async record(object: ObjectRef, happened: ResourceEvent): Promise<void> {
    const event = this.#limiter.admit(object, happened, performance.now());
    if (event === undefined) return;
    logEvent(this.#log, object, event);
    const { kind, metadata } = object;
    const namespace = metadata.namespace ?? "default";
    try {
      await this.#writer.write({
        method: "POST",
        path: `/apis/events.k8s.io/v1/namespaces/${namespace}/events`,
        body: this.#eventOf(object, event, namespace),
      });
    } catch (error) {
      this.#log(
        "warn",
        `event ${event.reason} of ${kind} ${metadata.name} was not recorded: ${messageOf(error)}`,
      );
    }
  }

  #eventOf({ kind, metadata }: ObjectRef, event: ResourceEvent, namespace: string) {
    return {
      apiVersion: "events.k8s.io/v1",
      kind: "Event",
      metadata: { name: `${metadata.name.slice(0, 200)}.${randomBytes(8).toString("hex")}`, namespace },
      eventTime: microTime(Date.now()),
      reportingController: "claviger.dev/operator",
      reportingInstance: this.#nodeName.slice(0, 128),
      action: event.reason,
      reason: event.reason,
      type: event.type,
      note: noteOf(event.message),
      regarding: { apiVersion: API_VERSION, kind, ...metadata },
    };
  }
}
