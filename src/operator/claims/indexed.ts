const indexes = new WeakMap<object, Map<string, unknown>>();

/**
 * Finds an element of a list by name. The list is indexed once, however often it is searched: a keyring
 * returns the same list until a row changes. Of several elements with a name, the first is found.
 */
export function findIn<T extends object>(
  list: readonly T[],
  name: string,
  nameOf: (element: T) => string,
): T | undefined {
  const index = indexes.get(list) ?? new Map(list.toReversed().map((element) => [nameOf(element), element]));
  indexes.set(list, index);
  // Each list is only searched by one kind of name.
  return index.get(name) as T | undefined;
}
