import { describe, expect, it } from "vitest";
import { ConnectionSlots } from "./connection-slots.ts";

function slots(limit: number, ...connections: readonly string[]): ConnectionSlots<string> {
  const made = new ConnectionSlots<string>(limit);
  for (const connection of connections) made.add(connection);
  return made;
}

describe("another connection than there are slots for", () => {
  it("takes the slot of the oldest on which nothing was answered", () => {
    const three = slots(3, "api server", "first", "second");
    three.answered("api server");
    expect(three.add("third")).toBe("first");
    expect(three.add("fourth")).toBe("second");
    expect([...three].sort()).toEqual(["api server", "fourth", "third"]);
  });

  it("takes the slot whose last answer is longest ago, if all were answered", () => {
    const three = slots(3, "a", "b", "c");
    for (const connection of ["a", "b", "c", "a"]) three.answered(connection);
    expect(three.add("d")).toBe("b");
  });

  it("never has to go itself", () => {
    const one = slots(1, "a");
    one.answered("a");
    expect(one.add("b")).toBe("a");
    expect([...one]).toEqual(["b"]);
  });
});

it("within the limit nobody has to go, and who hung up holds no slot", () => {
  const two = slots(2, "a", "b");
  two.remove("a");
  expect(two.add("c")).toBeUndefined();
  two.answered("a");
  expect([...two].sort()).toEqual(["b", "c"]);
});
