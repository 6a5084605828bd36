const indexes = new WeakMap<object, Map<string, unknown>>();

/**
 * Finds an element of a list by name. The list is walked once, however often it is asked: a
 * keyring gives the same list until a row changes. Of elements of one name the first is found.
 */
export function findIn<T extends object>(
  list: readonly T[],
  name: string,
  nameOf: (element: T) => string,
): T | undefined {
  const index = indexes.get(list) ?? new Map(list.toReversed().map((element) => [nameOf(element), element]));
  indexes.set(list, index);
  // A list is only ever asked for one kind of name.
  return index.get(name) as T | undefined;
}
