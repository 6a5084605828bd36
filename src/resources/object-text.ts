/** NAMESPACE/NAME of an object. */
export const objectText = (object: {
  readonly metadata: { readonly namespace?: string; readonly name: string };
}): string => `${object.metadata.namespace ?? ""}/${object.metadata.name}`;
