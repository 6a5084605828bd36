import { resources } from "./definitions.ts";
import { GROUP, type Kind, VERSION } from "./resources.ts";
import type { JsonSchema, Rule } from "./schemas/schema.ts";

type Json = string | number | boolean | null | readonly Json[] | { readonly [name: string]: Json };

/** Returns the CustomResourceDefinition of a kind (apiextensions.k8s.io/v1). */
export function customResourceDefinition(kind: Kind): Json {
  const definition = resources[kind];
  const { plural, shortName } = definition;
  return {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: `${plural}.${GROUP}` },
    spec: {
      group: GROUP,
      names: {
        kind,
        listKind: `${kind}List`,
        plural,
        singular: kind.toLowerCase(),
        shortNames: [shortName],
        categories: ["claviger"],
      },
      scope: definition.namespaced ? "Namespaced" : "Cluster",
      versions: [
        {
          name: VERSION,
          served: true,
          storage: true,
          subresources: { status: {} },
          additionalPrinterColumns: definition.columns.map((column) => ({ ...column })),
          schema: { openAPIV3Schema: rootSchema(kind) },
        },
      ],
    },
  };
}

function rootSchema(kind: Kind): Json {
  const { description, spec, status, rules } = resources[kind];
  const specNeeded = spec !== undefined && spec.json.default === undefined;
  return {
    type: "object",
    description,
    properties: {
      apiVersion: { type: "string", description: "The version of this representation of the object." },
      kind: { type: "string", description: "The kind of the object." },
      metadata: { type: "object" },
      ...(spec && { spec: toJson(spec.json) }),
      status: toJson(status.json),
    },
    ...(specNeeded && { required: ["spec"] }),
    ...(rules && validations(rules)),
  };
}

/** Converts a schema to the CRD's dialect, in which lists and rules are `x-kubernetes-` extensions. */
function toJson(schema: JsonSchema): Json {
  const { items, properties, additionalProperties, preserved, listType, listMapKeys, rules, ...plain } =
    schema;
  return {
    ...(plain as { readonly [name: string]: Json }),
    ...(items && { items: toJson(items) }),
    ...(additionalProperties && { additionalProperties: toJson(additionalProperties) }),
    ...(properties && {
      properties: Object.fromEntries(
        Object.entries(properties).map(([name, field]) => [name, toJson(field)]),
      ),
    }),
    ...(preserved && { "x-kubernetes-preserve-unknown-fields": true }),
    ...(listType && { "x-kubernetes-list-type": listType }),
    ...(listMapKeys && { "x-kubernetes-list-map-keys": listMapKeys }),
    ...(rules && validations(rules)),
  };
}

const validations = (rules: readonly Rule[]) => ({
  "x-kubernetes-validations": rules.map(({ cel, message }) => ({ rule: cel, message })),
});
