import { nameText, type ObjectName } from "../names.ts";

interface Named {
  readonly metadata: { readonly namespace?: string; readonly name: string };
}

/** The namespaced name of an object. */
export const objectName = ({ metadata: { namespace = "", name } }: Named): ObjectName => ({
  namespace,
  name,
});

/** Returns NAMESPACE/NAME of an object. */
export const objectText = (object: Named): string => nameText(objectName(object));
