import { expect, test } from "vitest";
import { type Commands, decideCompletion } from "./complete.ts";
import { wantedCommands } from "./wanted-commands.ts";

const commands: Commands = {
  status: {
    summary: "Show.",
    usage: "status [--config FILE | -n NAMESPACE | -A] [-o json|yaml|wide] [--watch] [--color auto|never]",
    options: { "--watch": "again" },
  },
  serve: { summary: "Run.", usage: "serve [--config FILE]" },
  rotate: { summary: "Rotate.", usage: "rotate NAMESPACE/NAME [--context NAME] [--wait]" },
  encrypt: { summary: "Try.", usage: "encrypt [--provider NAME]" },
  restore: { summary: "Restore.", usage: "restore [--config FILE] [--merge] FILE" },
  access: {
    summary: "Say.",
    usage: "access explain|who NAMESPACE/NAME [OPERATION] [--as PRINCIPAL] [-o json|yaml]",
  },
  completion: { summary: "Print.", usage: "completion bash|zsh|fish" },
};

const wordsOf = (...words: readonly string[]) =>
  decideCompletion(words, commands).candidates.map(({ word }) => word);

test.each([
  [["s"], ["status", "serve"]],
  [["status", "--w"], ["--watch"]],
  [
    ["status", "-"],
    ["--config", "-n", "-A", "-o", "--watch", "--color"],
  ],
  [
    ["status", "-o", ""],
    ["json", "yaml", "wide"],
  ],
  [["status", "--output", "w"], ["wide"]],
  [["status", "--color", "n"], ["never"]],
  [
    ["status", "--watch", "--co"],
    ["--config", "--color"],
  ],
  [
    ["completion", ""],
    ["bash", "zsh", "fish"],
  ],
  [
    ["access", ""],
    ["explain", "who"],
  ],
  [["help", "ro"], ["rotate"]],
  [["nothing", ""], []],
  [["constructor", "-"], []],
])("claviger %j => %j", (words, expected) => {
  expect(wordsOf(...words)).toEqual(expected);
});

test.each([
  [[""], []],
  [["s"], ["status", "serve"]],
  [["help", "ro"], ["rotate"]],
  [["rotate", ""], ["rotate"]],
  [["status", "-o", ""], ["status"]],
])("claviger %j => loads no more commands than %j", (words, expected) => {
  expect([...wantedCommands(words, Object.keys(commands))]).toEqual(expected);
});

test("every command is a candidate, and the list of them too, each with what it is for", () => {
  const { candidates } = decideCompletion([""], commands);
  expect(candidates.map(({ word }) => word)).toEqual([...Object.keys(commands), "help"]);
  expect(candidates).toContainEqual({ word: "status", description: "Show." });
});

test.each([
  [["rotate", ""], { names: "masterkeys" }],
  [["access", "explain", ""], { names: "masterkeys" }],
  [["access", "explain", "-o", "json", "a/b", ""], { names: "operations" }],
  [["access", "explain", "a/b", "--as", "alice", "E"], { names: "operations" }],
  [["access", "explain", "a/b", "Encrypt", ""], {}],
  [["rotate", "--context", ""], { names: "contexts" }],
  [["status", "-n", ""], { names: "namespaces" }],
  [["status", "--namespace", ""], { names: "namespaces" }],
  [["encrypt", "--provider", ""], { names: "providers" }],
  [["restore", "--merge", ""], { files: true }],
  [["status", "--config", "/e"], { files: true }],
])("claviger %j => looks up %o", (words, expected) => {
  expect(decideCompletion(words, commands)).toEqual({ candidates: [], ...expected });
});
